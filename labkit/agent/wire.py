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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Message = dict[str, Any]

_LARGEST = 60_000
_MOST = 64  # descriptors beside a message


class Closed(Exception):
    """The other side is gone."""


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


def receive(sock: socket.socket, *, wait: bool = True) -> tuple[Message, list[int]]:
    """The next message and its descriptors (close-on-exec). Raises `Closed` at the end, or BlockingIOError."""
    flags = socket.MSG_CMSG_CLOEXEC | (0 if wait else socket.MSG_DONTWAIT)
    room, rights = socket.CMSG_SPACE(_MOST * 4), (socket.SOL_SOCKET, socket.SCM_RIGHTS)
    try:
        raw, beside, _, _ = sock.recvmsg(_LARGEST + 4096, room, flags)  # socket.recv_fds forgets the flags (3.11)
    except ConnectionResetError as error:
        raise Closed from error
    fds = [fd for level, kind, data in beside if (level, kind) == rights for fd in memoryview(data).cast("i")]
    try:
        if not raw:
            raise Closed
        if raw == b"{}" and fds:
            with open(fds.pop(), "rb") as large:
                large.seek(0)
                raw = large.read()
        message: Message = json.loads(raw)
        return message, fds
    except BaseException:  # an interrupt, say: what came along would keep a namespace or a mount alive
        for fd in fds:
            os.close(fd)
        raise


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
