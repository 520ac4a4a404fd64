"""Between a terminal's descriptor and a browser: one thread, which knows the descriptor and nothing else.

A program may write faster than a browser can draw, and Jupyter drops what comes in too fast. So the thread
reads at most `CHUNK` bytes every `PAUSE` seconds and never has more than `WINDOW` bytes under way that the
browser has not drawn; then the kernel's own buffer fills, and the writer sleeps in write(2), as it would in
front of any slow terminal. Nothing is lost, and Ctrl-C gets through.

See: pty(7), poll(2), eventfd(2).
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable

CHUNK = 1 << 13
PAUSE = 0.02
WINDOW = 1 << 15
KEPT = 1 << 16  # bytes that a browser is shown that comes later


class Flow(threading.Thread):
    """Reads and writes the descriptor `fd`, its own from now on, until its other end is closed or `stop` is called.

    `out` is called in this thread with each piece and the number of bytes up to its end, `end` once, at the end.
    """

    def __init__(self, fd: int, *, out: Callable[[bytes, int], None], end: Callable[[], None]) -> None:
        super().__init__(name="labkit-terminal", daemon=True)
        self._fd, self._out, self._end = fd, out, end
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._pending = bytearray()
        self._kept = bytearray()
        self._read = self._drawn = 0
        self._stopped = False
        os.set_blocking(fd, False)

    # for other threads

    def write(self, data: bytes) -> None:
        """Type `data`."""
        with self._lock:
            self._pending += data
            self._look_up()

    def drawn(self, total: int) -> None:
        """The browser has drawn the first `total` bytes."""
        with self._lock:
            self._drawn = max(self._drawn, total)
            self._look_up()

    def again(self) -> tuple[bytes, int]:
        """For a browser that comes later: the last lines, and how many bytes there have been."""
        with self._lock:
            self._drawn = self._read  # whoever had not drawn the rest may have gone
            self._look_up()
            whole = self._read == len(self._kept)
            return bytes(self._kept if whole else self._kept.partition(b"\n")[2]), self._read

    def kept(self) -> bytes:
        """The last lines."""
        with self._lock:
            return bytes(self._kept)

    def stop(self) -> None:
        """Close the descriptor, which hangs up, and end the thread."""
        with self._lock:
            self._look_up()
            self._stopped = True
        self.join(2)

    def _look_up(self) -> None:
        """Let the thread see what has changed; called with the lock, for the eventfd is closed with it."""
        if not self._stopped:
            os.eventfd_write(self._wake, 1)

    # this thread

    def run(self) -> None:
        ready = 0.0  # when it may read again
        while not self._stopped:
            poll, pause = select.poll(), ready - time.monotonic()
            poll.register(self._wake, select.POLLIN)
            events = self._events(pause)
            if events is not None:
                poll.register(self._fd, events)
            found = dict(poll.poll(1000 * pause if pause > 0 else None))
            if self._wake in found:
                os.eventfd_read(self._wake)
            happened = found.get(self._fd, 0)
            if happened & select.POLLOUT:
                self._type()
            if happened & (select.POLLIN | select.POLLHUP | select.POLLERR):
                if not self._pass_on():
                    break
                ready = time.monotonic() + PAUSE
        with self._lock:
            self._stopped = True
            os.close(self._fd)
            os.close(self._wake)
        self._end()

    def _events(self, pause: float) -> int | None:
        """What to wait for at the descriptor; None: for nothing, not even its end, which would be told at once."""
        with self._lock:
            full = pause > 0 or self._read - self._drawn >= WINDOW
            events = (0 if full else select.POLLIN) | (select.POLLOUT if self._pending else 0)
        return events or None

    def _type(self) -> None:
        with self._lock, contextlib.suppress(OSError):  # full: later; gone: reading will tell
            del self._pending[: os.write(self._fd, self._pending)]

    def _pass_on(self) -> bool:
        """Pass on what is there; False if no more will come."""
        data = b""
        try:
            while len(data) < CHUNK and (piece := os.read(self._fd, CHUNK - len(data))):
                data += piece
            more = len(data) >= CHUNK
        except BlockingIOError:
            more = True
        except OSError:  # EIO: the last process that had the terminal open has gone
            more = False
        if data:
            with self._lock:
                self._read += len(data)
                self._kept += data
                del self._kept[:-KEPT]
                total = self._read
            self._out(data, total)
        return more
