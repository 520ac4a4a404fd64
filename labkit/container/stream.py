"""What a watch has seen, kept for who looks: the last ten minutes of it, and not more.

One thread puts in what it sees (`labkit.container.sampler`), any others take out: whoever is slower than the thread
misses what is older than ten minutes, and nothing waits for anybody. All that was seen at one moment is one entry,
and has a number, so that who asks again gets what is new:

    >>> stream = Stream("web", 10)
    >>> stream.put(["a sample", "an event"])
    >>> stream.since(0)
    (1, ('a sample', 'an event'))
    >>> stream.since(1)
    (1, ())
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

from labkit.cgroups.samples import Event
from labkit.closing import Closing
from labkit.steps.display import Shown

SPAN = 600  #: seconds that are kept
S = TypeVar("S")


class Stream(Closing, Shown, Generic[S]):
    """Samples of one kind, and the events between them, of what is called `name`.

    `dropped` counts the moments at which nobody looked because the one before took too long, or the machine was
    busy. `fault` is what ended it, if that was not the end of what is watched.
    """

    def __init__(self, name: str, hz: float) -> None:
        self.name, self.hz = name, hz
        self.dropped = 0
        self.fault: Exception | None = None
        self._moments: deque[tuple[S | Event, ...]] = deque(maxlen=math.ceil(hz * SPAN))
        self._count = 0
        self._closed = False
        self._news = threading.Condition()

    @property
    def samples(self) -> tuple[S, ...]:
        """Those that are kept, oldest first."""
        return tuple(each for each in self.since(0)[1] if not isinstance(each, Event))

    @property
    def events(self) -> tuple[Event, ...]:
        """Those that are kept, oldest first."""
        return tuple(each for each in self.since(0)[1] if isinstance(each, Event))

    @property
    def latest(self) -> S | None:
        """The newest sample, if there is one."""
        with self._news:
            newest = (each for moment in reversed(self._moments) for each in moment if not isinstance(each, Event))
            return next(newest, None)

    def since(self, number: int) -> tuple[int, tuple[S | Event, ...]]:
        """What was seen since `number` (0: all), and the number to ask with next time."""
        with self._news:
            new = min(len(self._moments), self._count - number)
            moments = list(islice(reversed(self._moments), max(0, new)))
            return self._count, tuple(each for moment in reversed(moments) for each in moment)

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed

    def close(self) -> None:
        """Watch no longer. What was seen stays. Safe to call twice."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def __iter__(self) -> Iterator[S | Event]:
        """What was seen and is kept, and then what is seen, until it ends."""
        number, over = 0, False
        while not over:
            with self._news:
                self._news.wait_for(lambda: self._closed or self._count > number)  # noqa: B023  asked here and now
                over = self._closed
            number, found = self.since(number)
            yield from found
        if self.fault:
            raise self.fault

    def put(self, moment: Sequence[S | Event], *, fault: Exception | None = None) -> None:
        """For who looks: what was seen at one moment. Ends with the event ``ended``, or with a `fault`."""
        with self._news:
            if self._closed:
                return
            self._moments.append(tuple(moment))
            self._count += 1
            self.fault = fault
            self._closed = fault is not None or any(isinstance(e, Event) and e.kind == "ended" for e in moment)
            self._news.notify_all()

    def __str__(self) -> str:
        if self.fault:
            return f"watch of {self.name}: ended by {type(self.fault).__name__}: {self.fault}"
        return f"watch of {self.name}: {'over' if self._closed else f'{self.hz:g} samples a second'}"
