"""Messages between the processes of a lab: one JSON object a datagram, with file descriptors beside it.

SOCK_SEQPACKET keeps the borders of messages, delivers in order, and reports the death of the other
side as an empty read. That last property is why it is here: a process killed with SIGKILL says
nothing, but its sockets close, and everybody who talked to it knows at once.

A datagram has to fit into the socket's buffer whole (about 200 kB); what is larger travels in a
memfd, as one more descriptor. Bytes and references are tagged: ``{"b": latin-1 text}``,
``{"ret": 0}``, ``{"fd": "image"}``, ``{"pid": "c1"}``, ``{"joined": ["/proc/", {"pid": "c1"}]}``, ``{"index": 3}``,
``{"packed": [{"b": "…"}, {"index": 3}]}``, ``{"struct": {…}}``.

See: unix(7) "SOCK_SEQPACKET", "SCM_RIGHTS"; memfd_create(2).
"""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from itertools import starmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    Message = dict[str, Any]
    Beside = list[tuple[int, int, bytes]]

_LARGEST = 60_000
_MOST = 64  # descriptors beside a message


class Closed(Exception):
    """The other side is gone."""


class Owned(list[int]):
    """Descriptors that close with it, but for those taken out: where an interrupt may come between two lines."""

    def close(self) -> None:
        """Close what is still here."""
        close_all(self)

    def __del__(self) -> None:
        self.close()


def take(fds: list[int], places: Iterable[int]) -> Owned:
    """Those at `places`, taken out in turn: whatever interrupts it, each is in one list, and in one only."""
    taken = Owned()
    taken.extend(map(fds.pop, places))
    return taken


def close_all(fds: list[int]) -> None:
    """Close them and empty the list, within C code alone: no signal handler of Python's runs in between."""
    deque(map(os.close, map(fds.pop, [-1] * len(fds))), maxlen=0)


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends; neither survives an exec."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Send one message. The descriptors stay open here. Raises `Closed` when nobody can receive it."""
    raw = json.dumps(message).encode()
    extra = -1
    try:
        if len(raw) > _LARGEST:
            extra = os.memfd_create("labkit-message")
            view = memoryview(raw)
            while view:
                view = view[os.write(extra, view) :]
            raw = b""
            fds = [*fds, extra]
        socket.send_fds(sock, [raw or b"{}"], list(fds), socket.MSG_NOSIGNAL)
    except (BrokenPipeError, ConnectionResetError, ConnectionRefusedError) as error:
        raise Closed from error
    finally:
        if extra >= 0:
            os.close(extra)


def receive(sock: socket.socket, *, wait: bool = True, fds: list[int] | None = None) -> tuple[Message, list[int]]:
    """The next message and its descriptors (close-on-exec). Raises `Closed` at the end, or BlockingIOError.

    The descriptors are put into `fds`, if given: where an interrupt may come, an `Owned`, and they are in it at once.
    """
    flags = socket.MSG_CMSG_CLOEXEC | (0 if wait else socket.MSG_DONTWAIT)
    fds = [] if fds is None else fds
    came: list[tuple[bytes, Beside, int, Any]] = []
    try:  # by starmap: received and noted in one go; and not by socket.recv_fds, which forgets the flags (3.11)
        came.extend(starmap(sock.recvmsg, [(_LARGEST + 4096, socket.CMSG_SPACE(_MOST * 4), flags)]))
        raw, beside, _, _ = came[0]
        fds += _rights(beside)
        came.clear()
        if not raw:
            raise Closed
        if raw == b"{}" and fds:
            large = take(fds, [-1])
            raw = os.pread(large[0], os.fstat(large[0]).st_size, 0)
            large.close()
        message: Message = json.loads(raw)
        return message, fds
    except ConnectionResetError as error:
        raise Closed from error
    except BaseException:  # an interrupt, say: what came along would keep a namespace or a mount alive
        for _, beside, _, _ in came:
            fds += set(_rights(beside)) - set(fds)
        close_all(fds)
        raise


def _rights(beside: Beside) -> list[int]:
    """The descriptors among what came beside a message: struct cmsghdr, see cmsg(3)."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
    return [fd for level, kind, data in beside if (level, kind) == rights for fd in memoryview(data).cast("i")]


def pack(value: Any) -> Any:
    """A call's argument as JSON can carry it."""
    if isinstance(value, bytes):
        return {"b": value.decode("latin-1")}
    if isinstance(value, dict):
        return {"struct": {key: pack(item) for key, item in value.items()}}
    if hasattr(value, "_fields"):  # Ret, Fd, Pid, Joined, Index, Packed
        return {type(value).__name__.lower(): pack(value[0])}
    if isinstance(value, (list, tuple)):
        return [pack(item) for item in value]
    return value


def pack_call(name: str, args: Sequence[Any], keep: str, tolerate: Sequence[int]) -> list[Any]:
    """One intended call as the list that `labkit.agent.actor` executes."""
    return [name, [pack(value) for value in args], keep, list(tolerate)]
