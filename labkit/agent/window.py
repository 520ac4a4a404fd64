"""The window: a socket in the run directory through which others may look at a lab, and nothing else.

An exercise is judged by a process of its own (`labkit.learn.referee`), because a cell of the notebook could
forge whatever it told about itself. That process asks the supervisor here. Whoever knocks is named by the
kernel (SO_PEERCRED), and only root and the user whose lab it is are answered: one question, one reply, and
no patience with the silent, for the supervisor has a notebook to serve.

See: unix(7) "SO_PEERCRED", accept(2), socket(7) "SO_RCVTIMEO".
"""

from __future__ import annotations

import os
import socket
import struct

from labkit.agent import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = Callable[[list[str]], tuple[wire.Message, list[int]]]

NAME = "look.sock"
_PATIENCE = struct.pack("ll", 1, 0)  # one second, as a struct timeval


class Window:
    """The listening socket. `owner` is the uid of the lab's user, as this process sees it."""

    def __init__(self, directory: str, owner: int) -> None:
        self.owner = owner
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = f"{directory}/{NAME}"
        self.sock.bind(path)
        os.chmod(path, 0o666)  # who may ask is decided by who asks
        self.sock.listen(4)
        self.sock.setblocking(False)

    def fileno(self) -> int:
        """Readable when somebody knocks."""
        return self.sock.fileno()

    def open(self, answer: Answer) -> None:
        """Let one in: `answer` gets the names of the probes asked for. Nothing a visitor does is an error here."""
        try:
            visitor, _ = self.sock.accept()
        except OSError:  # gone again
            return
        with visitor:
            _, uid, _ = struct.unpack("3i", visitor.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if uid not in (0, self.owner):
                return
            visitor.setblocking(True)
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                visitor.setsockopt(socket.SOL_SOCKET, option, _PATIENCE)
            try:
                self._serve(visitor, answer)
            except (OSError, ValueError, wire.Closed):
                return

    def _serve(self, visitor: socket.socket, answer: Answer) -> None:
        message, unasked = wire.receive(visitor)
        for fd in unasked:
            os.close(fd)
        probes = message.get("probes")
        if message.get("op") != "look" or not isinstance(probes, list):
            return
        reply, fds = answer([str(probe) for probe in probes])
        try:
            wire.send(visitor, reply, fds)
        finally:
            for fd in fds:
                os.close(fd)

    def close(self) -> None:
        """Nobody looks in any more; the file goes with the run directory."""
        self.sock.close()
