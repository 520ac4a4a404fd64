"""The notebook's end of the wires: one to the supervisor, one to every actor.

All requests are numbered and replies carry the number back, so an interrupted cell (which leaves a
reply unread) does no harm: stale replies are dropped. A fork of the notebook closes the copies it
inherited; otherwise a forgotten child would keep the lab alive after its parent's death.

See: unix(7), pthread_atfork(3).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import subprocess
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any

from labkit.agent import start, wire
from labkit.errors import AgentError, ClosedError

_PATIENCE = 30.0  # seconds that a request may take before the other side is called stuck
_all: weakref.WeakSet[Channel] = weakref.WeakSet()


class Stuck(Exception):
    """No reply within the time given."""


class Channel:
    """One wire, with numbered requests. Safe to use from several threads."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.lock = threading.RLock()
        self.numbers = itertools.count(1)
        self.owner = os.getpid()
        _all.add(self)

    def send(self, message: wire.Message, fds: Sequence[int] = ()) -> int:
        """Send a request; returns its number."""
        number = next(self.numbers)
        wire.send(self.sock, {**message, "seq": number}, fds)
        return number

    def receive(self, number: int, patience: float | None = _PATIENCE) -> tuple[wire.Message, list[int]]:
        """The reply to request `number`. Raises wire.Closed, or `Stuck` after `patience` seconds."""
        deadline = None if patience is None else time.monotonic() + patience
        while True:
            if deadline is not None:
                rest = max(0.0, deadline - time.monotonic())
                if not select.select([self.sock], [], [], rest)[0]:
                    raise Stuck
            reply, fds = wire.receive(self.sock)
            if reply.get("seq") in (number, None):
                return reply, fds
            for fd in fds:  # the answer to a question that an interrupt made us forget
                os.close(fd)

    def ask(self, message: wire.Message, fds: Sequence[int] = ()) -> tuple[wire.Message, list[int]]:
        """Send and receive as one act."""
        with self.lock:
            return self.receive(self.send(message, fds))

    def close(self) -> None:
        """Hang up. The other side notices."""
        self.sock.close()


def _hang_up_in_child() -> None:
    for channel in list(_all):
        with contextlib.suppress(OSError):
            os.close(channel.sock.detach())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_hang_up_in_child)


class Client:
    """The agent of one lab: started here, gone when closed."""

    def __init__(self, way: str | None = None) -> None:
        self.way = way or start.choose()
        ours, theirs = wire.pair()
        try:
            self.process, self.words = start.spawn(self.way, theirs)
        finally:
            theirs.close()
        self.channel = Channel(ours)
        self.info = self.ask("hello")[0]

    def ask(self, op: str, **arguments: Any) -> tuple[wire.Message, list[int]]:
        """One request to the supervisor. Raises AgentError with the call that failed and its errno in the text."""
        if self.channel.owner != os.getpid():
            raise ClosedError(
                "this lab belongs to the process that made it; a fork cannot use it",
                look="make a Lab() of its own in the child",
            )
        try:
            reply, fds = self.channel.ask({"op": op, **arguments})
        except (wire.Closed, OSError) as error:
            raise self._dead() from error
        if "error" in reply:
            number, text, subject = reply["error"]
            raise self._refused(op, number, text, subject)
        return reply, fds

    def _refused(self, op: str, number: int, text: str, subject: str) -> AgentError:
        from labkit.agent.remedies import remedy

        likely, look = remedy(self.way, op, number, subject)
        if op == "hello":
            self.close()
        where = f"{subject}: " if subject else ""
        return AgentError(f"the lab cannot be set up: {where}{text}", likely=likely, look=look)

    def _dead(self) -> AgentError:
        if self.channel.sock.fileno() < 0:
            return ClosedError("this lab is closed", look="lab = Lab() opens a new one")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        self.words.seek(0)
        last = self.words.read().decode(errors="replace").strip().splitlines()[-1:]
        said = f"; its last words: {last[0]}" if last else ""
        return AgentError(
            f"the lab's supervisor has died{said}", look="lab = Lab() opens a new lab and buries the old one"
        )

    def close(self, patience: float = 10.0) -> None:
        """Hang up and wait until the agent has left nothing behind. Safe to call twice."""
        self.channel.close()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(PermissionError):
                self.process.kill()
        self.words.close()
