"""From watches to a browser: one thread a panel, which lives as long as somebody looks.

Ten times a second it takes what is new from all watches and sends it as one message. Cells may be busy meanwhile:
a message is handed to Jupyter's own thread for output. What it does *not* survive is a browser that has gone, and
nobody tells a kernel that: so a page says every few seconds that it is there. Where Jupyter hears that only
between two cells, silence proves nothing while one runs; it is counted in turns of the kernel's own loop, one a second,
and a busy loop takes none.

Jupyter drops what comes in at more than a megabyte a second, so the past comes in pieces of `PIECE` rows.

See: jupyter_server "iopub_data_rate_limit"; JEP 91 "Kernel subshells".
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any, Protocol

from labkit.cgroups.samples import Event, Sample
from labkit.view.gauges import SPAN, Gauges

PAUSE = 0.1
_LATER = 0.015  # seconds: samples are taken at every tenth of a second of time.monotonic(), and we come after them
_TURN = 10  # pauses from turn to turn
PIECE = 1200
SILENCE = 15  # turns without a word from the page
_EARLIER = 2 * SPAN  # seconds: more than the gauges need to know what a rate was

Json = dict[str, Any]


class Watch(Protocol):
    """What is polled: `since(number)` gives what is new, and the number to ask with next time; 0 at first."""

    @property
    def name(self) -> str:
        """Whom it watches."""

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""

    def since(self, number: int) -> tuple[int, Sequence[Sample | Event]]:
        """(the next number, what came since)."""

    def close(self) -> None:
        """Watch no longer. What was seen stays."""


class _Source:
    """One watch: how far it has been read, and what has not been sent yet."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._sent = 0.0  # the time of the last entry that was sent
        self.waiting: deque[Sample | Event] = deque()
        self.over = False
        self.rewind(0.0)

    def rewind(self, known: float) -> None:
        """Go on after the time `known`, and begin a little earlier: the page drops what it has."""
        self._after = known - _EARLIER
        self._read = 0
        self.waiting.clear()
        self._gauges = Gauges()

    def knows(self, known: float) -> None:
        """A page knows only what came until then."""
        if known < self._sent:
            self.rewind(known)

    def poll(self) -> None:
        """Take what is new."""
        closed = self._watch.closed
        self._read, news = self._watch.since(self._read)
        self.waiting.extend(entry for entry in news if entry.at > self._after)
        self.over = closed and not self.waiting

    def take(self, number: int, most: int) -> tuple[list[bytes], list[Json]]:
        """At most so many entries, as rows and events of container `number`."""
        rows, events = [], []
        for _ in range(min(most, len(self.waiting))):
            entry = self.waiting.popleft()
            self._sent = entry.at
            if isinstance(entry, Sample):
                rows.append(self._gauges.read(entry).packed(number))
            elif entry.kind != "throttled":  # every reading tells that, and how much
                events.append({
                    "of": number, "kind": entry.kind, "at": entry.at, "count": entry.count, "victim": entry.victim,
                    "pid": entry.pid,
                })  # fmt: skip
        return rows, events


class Feed(threading.Thread):
    """Sends until `stop`, until all watches have ended, or until no page has said a word for long.

    `send` gets a message and its buffer, `turn` a function to call in the kernel's loop; `end` is called last, with
    whether all has ended. All three in this thread.
    """

    def __init__(
        self,
        watches: Sequence[Watch],
        *,
        send: Callable[[Json, bytes], None],
        turn: Callable[[Callable[[], None]], None],
        end: Callable[[bool], None],
        pause: float = PAUSE,
    ) -> None:
        super().__init__(name="labkit-panel", daemon=True)
        self._sources = [_Source(watch) for watch in watches]
        self._send, self._turn, self._end, self._pause = send, turn, end, pause
        self._halt = threading.Event()
        self._lock = threading.Lock()
        self._turns = 0
        self._turning = False
        # a page's messages go to the loop to which the kernel's last word over this comm belonged (ipykernel 7): let
        # ours belong to the page's own subshell, so that the page is heard while a cell keeps the main thread busy
        self._context = copy_context()

    def heard(self) -> None:
        """A page is there."""
        self._turns = 0

    def rewind(self, have: Sequence[float]) -> None:
        """A page is there that knows what came until these times; it may know nothing: ()."""
        self.heard()
        with self._lock:
            for number, source in enumerate(self._sources):
                source.knows(have[number] if number < len(have) else 0.0)

    def stop(self) -> None:
        """End it, from any thread; what is under way is sent."""
        self._halt.set()

    def run(self) -> None:
        self._context.run(self._go_on)

    def _go_on(self) -> None:
        ticks = 0
        while not self._halt.wait(self._until_next()) and self._turns < SILENCE and not self._over():
            self._tick()
            ticks += 1
            if ticks % _TURN == 0 and not self._turning:
                self._turning = True
                self._turn(self._turned)
        self._end(self._over())

    def _until_next(self) -> float:
        now = time.monotonic()
        return ((now - _LATER) // self._pause + 1) * self._pause + _LATER - now

    def _turned(self) -> None:
        self._turns += 1
        self._turning = False

    def _over(self) -> bool:
        return all(source.over for source in self._sources)

    def _tick(self) -> None:
        rows: list[bytes] = []
        events: list[Json] = []
        with self._lock:
            for source in self._sources:
                source.poll()
            behind = sum(1 for source in self._sources if source.waiting)
            for number, source in enumerate(self._sources):
                of_it, happened = source.take(number, PIECE // max(1, behind))
                rows += of_it
                events += happened
        if rows or events:
            self._send({"events": events}, b"".join(rows))
