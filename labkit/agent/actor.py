"""A process that takes steps: it receives calls as data, makes them one by one, and says what came back.

The loop is all there is. What a container is made of stands in the steps, not here; an actor knows
only how to resolve references (``{"ret": 0}``: what call 0 returned), how to be born (a clone3 that
returns 0 begins a new life with a new wire), and how to leave (execve, which closes the wire because
it is close-on-exec: the notebook reads that end of file as success).

See: clone(2), execve(2), unix(7).
"""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import socket
import sys
from types import MappingProxyType

from labkit.agent import init, wire
from labkit.linux import answers, syscalls, titles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Calls = list[list[Any]]
    Rows = list[list[Any]]

_NO_LINKS: Mapping[int, int] = MappingProxyType({})
_WIRE = 3  # a newborn's wire; 0 to 2 are its standard streams and nothing else is open


class Born(Exception):
    """Raised in the child right after clone3: the parent's life ends here, `live` begins another."""

    def __init__(self, name: str, message: wire.Message, fds: list[int]) -> None:
        self.name, self.message, self.fds = name, message, fds


def resolve(
    value: Any, returned: list[int], fds: dict[str, int], pids: dict[str, int], links: Mapping[int, int] = _NO_LINKS
) -> Any:
    """A value from the wire, its references resolved, as `labkit.linux.syscalls.invoke` takes it."""
    if isinstance(value, list):
        return [resolve(item, returned, fds, pids, links) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, inner),) = value.items()
    if tag == "b":
        return inner.encode("latin-1")
    if tag == "ret":
        return returned[inner]
    if tag == "fd":
        return fds[inner]
    if tag == "pid":
        return pids[inner]
    if tag == "index":
        return links[inner]
    if tag == "joined":
        return "".join(str(resolve(part, returned, fds, pids)) for part in inner)
    if tag == "packed":
        return b"".join(_bytes(resolve(part, returned, fds, pids, links)) for part in inner)
    return {key: resolve(item, returned, fds, pids) for key, item in inner.items()}


def _why(fault: Exception) -> str:
    """A call that nobody could make."""
    if isinstance(fault, KeyError):
        return f"nothing here is called {fault.args[0]}: it was never made, or has been closed or buried since"
    return f"{type(fault).__name__}: {fault}"


def _bytes(part: bytes | int) -> bytes:
    return part.to_bytes(4, sys.byteorder, signed=True) if isinstance(part, int) else part


class Actor:
    """The state of one actor: its wire, and the names it has for descriptors and children."""

    #: calls that this process refuses to make, with the reason
    refuses: Mapping[str, str] = MappingProxyType({})

    def __init__(self, name: str, sock: socket.socket) -> None:
        self.name = name
        self.sock = sock
        self.fds: dict[str, int] = {}
        self.pids: dict[str, int] = {}

    def make(self, message: wire.Message, fds: list[int]) -> Rows:
        """Make the calls of `message` in order; stop after the first that fails with an errno it does not tolerate.

        Returns a row ``[value, errno, nanoseconds, out]`` for each call made. Raises `Born` in a new child.
        """
        rows: Rows = []
        returned: list[int] = []
        links: dict[int, int] = {}
        quiet = message.get("quiet", False)
        for name, args, keep, tolerate in message["calls"]:
            if name == "execve" and not quiet:  # if it succeeds there will be nobody left to report the calls before it
                wire.send(self.sock, {"rows": rows, "exec": True, "seq": message.get("seq")})
            try:
                if name in self.refuses:
                    raise ValueError(self.refuses[name])
                words = resolve(args, returned, self.fds, self.pids, links)
                value, error, spent, out = syscalls.invoke(name, tuple(words))
            except (KeyError, TypeError, ValueError, IndexError) as fault:
                rows.append([-1, errno.EINVAL, 0, {"refused": _why(fault)}])
                break
            if name == "clone3" and value == 0:
                raise Born(keep, message, fds)
            if name == "recvfrom" and isinstance(out, bytes):
                error = error or answers.refusal(out)  # netlink says no in what it answers, not by errno
                if link := answers.link_in(out):
                    links[len(returned)] = link
            returned.append(value)
            rows.append([value, error, spent, wire.pack(out)])
            if error and error not in tolerate:
                break
            if name == "clone3" and not error:
                self.pids[keep] = value
            elif keep and not error:
                self.fds[keep] = value
        return rows

    def take(self, message: wire.Message, fds: list[int]) -> Rows:
        """Carry out one message: make its ``calls``, report, and close the descriptors that were only for a child."""
        for name, index in message.get("give", {}).items():
            self.fds[name] = fds[index]
        rows = self.make(message, fds)
        wire.send(self.sock, {"rows": rows, "seq": message.get("seq")})
        if "init" in message:
            init.serve(self.pids[message["init"]])
        kept = set(message.get("give", {}).values())
        for index, fd in enumerate(fds):
            if index not in kept:
                os.close(fd)
        return rows

    def serve(self) -> None:
        """Take steps until the wire closes."""
        while True:
            try:
                self.take(*wire.receive(self.sock))
            except wire.Closed:
                return


def live(actor: Actor) -> None:
    """Serve; and after each clone3, in the child, serve as the newborn. Returns when the wire closes."""
    first: wire.Message | None = None
    while True:
        try:
            if first:
                actor.take(first, [])
            return actor.serve()
        except Born as born:
            actor.sock.detach()  # else the old object would close this number later, whatever it means by then
            _keep_only(born.fds[born.message["wire"]], [born.fds[i] for i in born.message.get("stdio", ())])
            parent, actor = actor, Actor(born.name, socket.socket(fileno=_WIRE))
            actor.pids = dict(parent.pids)  # as the parent knows them: of use where /proc is still the parent's
            titles.set_title(f"labkit:[{born.name}]")
            if "stdio" not in born.message:  # who looks at it next sees it with its own name and descriptors
                wire.send(actor.sock, {"born": True, "seq": 0})
            first = {"calls": born.message["then"], "quiet": True} if born.message.get("then") else None


def _keep_only(child_wire: int, streams: list[int]) -> None:
    """Leave open: 0, 1, 2 (the given streams, or what was there) and the wire as 3."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16) for fd in (child_wire, *streams)]
    os.dup2(high[0], _WIRE, inheritable=False)
    for target, fd in enumerate(high[1:]):
        os.dup2(fd, target)
    syscalls.call("close_range", _WIRE + 1, 0xFFFFFFFF, 0)


def freeze() -> None:
    """Keep the collector off the pages that children share with us: a collection would copy them all."""
    gc.disable()
    gc.freeze()
