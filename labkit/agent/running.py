"""A program that runs in a lab, as the notebook sees it: two streams, a wire until exec, and an end.

Everything is a descriptor that becomes readable: output, the actor's wire (which reports a failed call
or closes at exec), and the pipe into which the zygote writes the wait status when all is cleared. Who
waits, pumps; for programs that nobody waits for, one thread of the lab pumps them all, so that a flood
on stdout never blocks its writer and never grows beyond `KEEP` bytes here.

See: poll(2), pipe(7).
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import threading
import time
from typing import Any

from labkit.agent import wire
from labkit.agent.client import Channel

KEEP = 4 << 20  # bytes of each stream that are kept: the end
_CHUNK = 1 << 16
_END = b"\x04"  # Ctrl-D: termios(3) "VEOF"
_AGAIN = 0.2  # seconds of silence after which an end of input is typed again
_LINE = 4096  # bytes that a terminal takes at once: termios(3) "Canonical and noncanonical mode"


class Running:
    """One program. `failed` is the actor's report if a call failed before the program was there."""

    def __init__(self, name: str, channel: Channel | None, status: int, streams: dict[str, int]) -> None:
        self.name = name
        self.channel = channel
        self.text = {"stdout": bytearray(), "stderr": bytearray()}
        self._typed = memoryview(b"")
        self._input_ended = False
        self.failed: list[list[Any]] | None = None
        self.code: int | None = None
        self.counters: dict[str, str] = {}  # what the files that count what it uses said last, where it has its own
        self.counters_before: dict[str, str] = {}  # and first, where it has them together with others
        self._status = b""
        # No Events: one that is interrupted (a cell is) while it is being set stays locked for ever.
        self.started = False  # the wire has closed or reported: exec is done, or never will be
        self.ended = False
        self.pumped = False  # by the lab's thread
        self.lock = threading.RLock()
        self._selector = selectors.DefaultSelector()
        self._open = {status: "status", **{fd: name for name, fd in streams.items()}}

    def watch(self) -> None:
        """Begin to look after it. Who was interrupted in this calls it again."""
        known = self._selector.get_map()
        for fd, kind in self._open.items():
            os.set_blocking(fd, False)
            if fd not in known:
                self._selector.register(fd, selectors.EVENT_READ, kind)
        if self.channel and self.channel.sock.fileno() >= 0 and self.channel.sock not in known:
            self._selector.register(self.channel.sock, selectors.EVENT_READ, "wire")

    def fileno(self) -> int:
        """The selector's own descriptor: readable when there is something to pump."""
        return self._selector.fileno()

    def pump(self, timeout: float | None) -> bool:
        """Move what is there, waiting at most `timeout` seconds for it. Whether there was something."""
        with self.lock:
            if self.ended:
                return True
            ready = self._selector.select(self._patience(timeout))
            if not ready and timeout != 0:
                self._end_again()
            for key, events in ready:
                if key.data == "wire" and self.channel:
                    self._wire(self.channel)
                elif key.fd in self._open:  # not closed by what came before it in this round
                    if events & selectors.EVENT_WRITE:
                        self._type(key.fd)
                    if events & selectors.EVENT_READ:
                        self._stream(key.fd, key.data)
            if not self._open and self.started:
                self.ended = True  # first: who is interrupted in between must not come back to a closed selector
                self._selector.close()
            return bool(ready)

    def pump_if_free(self) -> None:
        """As `pump`, without waiting; nothing if somebody is at it: who waits for this one must not stop the others."""
        if self.lock.acquire(blocking=False):
            try:
                self.pump(0)
            finally:
                self.lock.release()

    def type(self, text: bytes) -> None:
        """Have `text` typed at its terminal, as fast as it is taken there."""
        self._typed = memoryview(text)
        self._input_ended = text.endswith(_END)
        self._selector.modify(self._leader(), selectors.EVENT_READ | selectors.EVENT_WRITE, "stdout")

    def _leader(self) -> int:
        return next((fd for fd, kind in self._open.items() if kind == "stdout"), -1)

    def _patience(self, timeout: float | None) -> float | None:
        if not self._input_ended or self._typed:
            return timeout
        return _AGAIN if timeout is None else min(timeout, _AGAIN)

    def _end_again(self) -> None:
        """A file stays at its end; a Ctrl-D is gone once read, or when a shell sets its terminal anew just then."""
        if self._input_ended and not self._typed and (leader := self._leader()) >= 0:
            with contextlib.suppress(OSError):  # full, or hung up
                os.write(leader, _END)

    def _type(self, leader: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._typed = self._typed[os.write(leader, self._typed[:_LINE]) :]
        if not self._typed:
            self._selector.modify(leader, selectors.EVENT_READ, "stdout")

    def became(self, failed: list[list[Any]] | None) -> None:
        """It has become its program, or has ended before with `failed`: known without a wire."""
        self.failed = failed
        self.started = True

    def _wire(self, channel: Channel) -> None:
        try:
            report, _ = wire.receive(channel.sock, wait=False)
            if report.get("exec"):
                return
            self.failed = report["rows"]  # it did not become its program, and hanging up ends it
        except BlockingIOError:
            return
        except (wire.Closed, OSError):
            pass
        self._selector.unregister(channel.sock)
        channel.close()
        self.started = True

    def _stream(self, fd: int, kind: str) -> None:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last holder of the terminal's other end has gone
            data = b""
        if not data:
            self._close(fd)
            if kind == "status" and self.code is None:
                self.code = -9  # the lab host died before it could tell: SIGKILL, as for everything in it
        elif kind == "status":
            self._status += data
            if not self._status.endswith(b"\n"):
                return
            self.code, left, self.counters, self.counters_before = json.loads(self._status)
            self._close(fd)
            self._drain()
            if left:  # by what was to be cleared after it
                self.text["stderr"] += f"labkit: {left}\n".encode()
        else:
            self._keep(kind, data)

    def _keep(self, kind: str, data: bytes) -> None:
        text = self.text[kind]
        text += data
        del text[: max(0, len(text) - KEEP)]

    def _drain(self) -> None:
        """The program has ended; take what it left, but do not wait for others that still hold its output open."""
        deadline = time.monotonic() + 0.05
        for fd, kind in list(self._open.items()):
            with contextlib.suppress(OSError):
                while data := os.read(fd, _CHUNK):
                    self._keep(kind, data)
                    if time.monotonic() > deadline:
                        break
            self._close(fd)

    def _close(self, fd: int) -> None:
        if self._open.pop(fd, None):
            self._selector.unregister(fd)
            os.close(fd)

    def call_off(self) -> None:
        """It will not become its program: hang up, and wait (a second at most) until it has been buried."""
        self.watch()
        if self.channel:
            self._selector.unregister(self.channel.sock)
            self.channel.close()
        self.started = True
        deadline = time.monotonic() + 1
        while not self.ended and (rest := deadline - time.monotonic()) > 0:
            self.pump(rest)
        self.abandon()

    def finish(self, deadline: float) -> None:
        """Its lab host is gone, so everything that wrote into its pipes is: take what is left, and its end.

        A thread that waits in `pump` does the same. After `deadline`, of time.monotonic(), it is given up.
        """
        if self.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            try:
                if not self.ended:
                    self.watch()
                while not self.ended and (rest := deadline - time.monotonic()) > 0:
                    self.pump(rest)
            finally:
                self.lock.release()
        self.abandon()

    def abandon(self) -> None:
        """The lab is going: let go of everything. Who is waiting in `pump` just now sees the end by itself."""
        if not self.lock.acquire(blocking=False):
            return
        try:
            for fd in list(self._open):
                self._close(fd)
            if not self.ended:
                self.code = -9 if self.code is None else self.code
                self.started = True
                if self.channel:
                    self.channel.close()
                self.ended = True  # first: who is interrupted in between must not come back to a closed selector
                self._selector.close()
        finally:
            self.lock.release()


class Pump(threading.Thread):
    """The thread that pumps all programs that nobody is waiting for."""

    def __init__(self) -> None:
        super().__init__(name="labkit-pump", daemon=True)
        self._selector = selectors.DefaultSelector()
        self._read, self._write = os.pipe()
        self._selector.register(self._read, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._stopped = False
        self.start()

    def add(self, running: Running) -> None:
        """Look after `running` until it ends."""
        with self._lock:
            self._forget_the_ended()  # somebody else may have pumped them to their end
            if not running.pumped:
                with contextlib.suppress(ValueError):  # it is closed: it has ended this very moment
                    self._selector.register(running, selectors.EVENT_READ, running)
                    running.pumped = True
        os.write(self._write, b"+")

    def _forget_the_ended(self) -> None:
        """Their descriptors are closed, and the numbers may be others' by now."""
        for key in list(self._selector.get_map().values()):
            if key.data is not None and key.data.ended:
                self._selector.unregister(key.fileobj)

    def run(self) -> None:
        while not self._stopped:
            for key, _ in self._selector.select():
                if key.data is None:
                    os.read(self._read, 64)
                    continue
                key.data.pump_if_free()
            with self._lock:
                self._forget_the_ended()

    def stop(self) -> None:
        """End the thread and close what it holds."""
        self._stopped = True
        os.write(self._write, b"!")
        self.join(2)
        for fd in (self._read, self._write):
            os.close(fd)
        self._selector.close()
