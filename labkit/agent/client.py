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
import signal
import socket
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from labkit.agent import start, wire
from labkit.errors import FIRST_CELL, AgentError, ClosedError
from labkit.linux import proc

_PATIENCE = 30.0  # seconds that a request may take before the other side is called stuck
_SLICE = 0.5  # seconds after which one may ask what keeps it
_all: weakref.WeakSet[Channel] = weakref.WeakSet()


class Stuck(Exception):
    """No reply within the time given."""


class Channel:
    """One wire, with numbered requests. Safe to use from several threads."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.lock = threading.RLock()
        self.numbers = itertools.count(1)
        _all.add(self)

    def send(self, message: wire.Message, fds: Sequence[int] = ()) -> int:
        """Send a request; returns its number."""
        number = next(self.numbers)
        wire.send(self.sock, {**message, "seq": number}, fds)
        return number

    def receive(
        self, number: int, patience: float | None = None, meanwhile: Callable[[], None] | None = None
    ) -> tuple[wire.Message, wire.Owned]:
        """The reply to request `number`, and what came with it.

        Raises wire.Closed, or `Stuck` after `patience` seconds (None: many).
        While there is none, `meanwhile` is called twice a second: it may raise what it likes.
        """
        deadline = time.monotonic() + (_PATIENCE if patience is None else patience)
        ready = select.poll()  # not select(2): a notebook may well have more than 1024 files open
        ready.register(self.sock, select.POLLIN)
        while True:
            while not ready.poll(1000 * min(_SLICE, max(0.0, deadline - time.monotonic()))):
                if meanwhile:
                    meanwhile()
                if time.monotonic() >= deadline:
                    raise Stuck
            fds = wire.Owned()
            reply, _ = wire.receive(self.sock, fds=fds)
            if reply.get("seq") in (number, None):
                return reply, fds
            fds.close()  # with the answer to a question that an interrupt made us forget

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
    """The agent of one lab: started here, gone when closed.

    With `bury` it first buries what dead supervisors have left. Raises AgentError with cause and remedy.
    """

    def __init__(self, way: str | None = None, *, bury: bool = True) -> None:
        self.way = way or start.choose()
        self.info: wire.Message = {}
        ours, theirs = wire.pair()
        self.channel = Channel(ours)
        try:
            self.process, self.words = start.spawn(self.way, theirs)
        except OSError as error:
            self.channel.close()
            raise AgentError(f"the lab's agent cannot be started: {error}", look="labkit doctor") from error
        finally:
            theirs.close()
        try:
            self.info = self.ask("hello", bury=bury)[0]
        except BaseException:
            self.close()
            raise

    def ask(self, op: str, **arguments: Any) -> tuple[wire.Message, wire.Owned]:
        """One request to the supervisor. Raises AgentError with the call that failed and its errno in the text."""
        try:
            with self.channel.lock:
                number = self.channel.send({"op": op, **arguments})
                reply, fds = self.channel.receive(number, meanwhile=self._not_stopped)
        except (wire.Closed, OSError) as error:
            raise self._dead(op) from error
        except Stuck:
            raise self._silent(f"has not answered for {_PATIENCE:.0f} s", "ps -o pid,stat,wchan:20,args") from None
        except ValueError as error:
            raise AgentError(
                f"what answers is not the lab's agent: {error}",
                likely="it is of another version", look=f"labkit doctor (the way in was: {self.way})",
            ) from error  # fmt: skip
        if "error" in reply:
            raise self._refused(op, *reply["error"])
        return reply, fds

    @property
    def supervisor(self) -> int:
        """Its pid; before it has told it, that of the program that we started."""
        return int(self.info.get("supervisor", self.process.pid))

    def _not_stopped(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if proc.stat(self.supervisor).state in "Tt":
                raise self._silent("is stopped", "kill -CONT")

    def _silent(self, why: str, look: str) -> AgentError:
        likely = "somebody sent it SIGSTOP, or a debugger holds it" if "stopped" in why else "a call in it hangs"
        return AgentError(f"the lab's supervisor {why}", likely=likely, look=f"{look} {self.supervisor}; lab.close()")

    def _refused(self, op: str, number: int, text: str, subject: str) -> AgentError:
        from labkit.agent.remedies import remedy

        likely, look = remedy(self.way, op, number, text, subject)
        what = "the lab cannot be set up: " if op in ("hello", "host") else ""
        where = f"{subject}: " if subject else ""
        return AgentError(f"{what}{where}{text}", likely=likely, look=look)

    def _dead(self, op: str) -> AgentError:
        if self.channel.sock.fileno() < 0:
            return ClosedError("this lab is closed", look=FIRST_CELL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        self.words.seek(0)
        last = self.words.read().decode(errors="replace").strip().splitlines()[-1:]
        said = f"; its last words: {last[0]}" if last else ""
        if op == "hello":
            return AgentError(f"the lab's agent has ended before it was ready{said}", look="labkit doctor")
        return AgentError(
            f"the lab's supervisor has died{said}", look=f"{FIRST_CELL}, and removes what the old one has left"
        )

    def close(self, patience: float = 10.0) -> None:
        """Hang up and wait until the agent has left nothing behind. Safe to call twice."""
        self.channel.close()
        try:
            with contextlib.suppress(PermissionError):  # through sudo it is not ours to signal
                self.process.send_signal(signal.SIGCONT)  # if it was stopped, it now sees that we have gone
            if self.process.wait(patience) < 0 and self.way != "sudo":  # killed, maybe while it cleared: do its work
                self._bury()
        except subprocess.TimeoutExpired:
            self._end(patience)
        finally:
            self.words.close()

    def _end(self, patience: float) -> None:
        """It does not go: make it, and do its work."""
        try:
            self.process.kill()
            self.process.wait(patience)
        except (PermissionError, subprocess.TimeoutExpired):
            raise self._silent("does not end", "sudo kill -KILL") from None
        self._bury()

    def _bury(self) -> None:
        from labkit.agent import journal

        if os.path.isdir(journal.place()):
            journal.bury_dead(journal.place())
