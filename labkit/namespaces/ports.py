"""Ports: what a program asks for when it wants to be reached, and what only one can have."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from socket import inet_aton

from labkit.linux.calls import Fd, Intent, Ret, bind, close, listen, socket
from labkit.linux.constants import AF_INET, SOCK_CLOEXEC, SOCK_STREAM
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step


def _socket(port: int) -> str:
    """The name under which the process keeps its socket."""
    return f"port {port}"


@dataclass(frozen=True, kw_only=True)
class StopListening(Step):
    """Close the socket that listens on a port.

    The port is free at once, for whoever asks first. A process that ends closes all it has.

    See: close(2), tcp(7).
    """

    port: int
    probes = ("net",)
    no_way_back = "a socket made again is another one, and somebody may have been quicker"

    def calls(self) -> Iterator[Intent]:
        yield close(Fd(_socket(self.port)))

    def shell(self) -> str:
        return "exec 3<&-"

    @property
    def title(self) -> str:
        return f"stop listening on port {self.port}"


@dataclass(frozen=True, kw_only=True)
class Listen(Step):
    """Listen on a TCP port, so that others can connect.

    A port is a number of the network namespace, like a pid of the pid namespace: on one address only one
    socket may have it, whoever it belongs to.

    See: bind(2), listen(2), ip(7) "Address format", tcp(7).
    """

    port: int
    address: str = "0.0.0.0"
    probes = ("net",)
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:
        yield socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)._replace(keep=_socket(self.port))
        # struct sockaddr_in: family in the machine's byte order, port and address in the network's
        yield bind(Ret(0), struct.pack("=H", AF_INET) + struct.pack("!H4s8x", self.port, inet_aton(self.address)))
        yield listen(Ret(0), 16)

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        if self.address == "0.0.0.0":
            return what, f"{why} 0.0.0.0 stands for all addresses of this network namespace."
        return what, f"{why} Connections to another address do not reach it, even on this machine."

    def shell(self) -> str:
        # no shell can listen; perl opens the socket as descriptor 3 and becomes the shell again
        ask = f"bind(S, sockaddr_in({self.port}, inet_aton(q({self.address})))) && listen(S, 16) or die $!"
        return f"perl -MSocket -e '$^F = 9; socket(S, AF_INET, SOCK_STREAM, 0) && {ask}; exec @ARGV'"

    def undo(self, before: Snapshot) -> Step | None:
        return StopListening(who=self.who, port=self.port)

    @property
    def title(self) -> str:
        return f"listen on {self.address}:{self.port}"
