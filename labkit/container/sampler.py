"""The one thread of a lab that takes samples, for all watches of it.

It runs beside the notebook's own thread, so that a cell that computes for a minute leaves no gap. It comes into
being with the first watch and goes when nobody holds one any more. What it cannot do in time it leaves out, and
counts: a queue of samples to be taken would grow for ever on a machine that is too slow for them.

What cannot wait for the next sample rings: the thread sleeps in poll(2), on a descriptor of each source.

See: `threading`, `weakref`, poll(2), eventfd(2).
"""

from __future__ import annotations

import os
import select
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from labkit.cgroups.samples import Event
from labkit.container.stream import Stream

_PATIENCE = 2.0  # seconds for the thread to go


class Source(Protocol):
    """What a stream comes from."""

    @property
    def alarm(self) -> int:
        """A descriptor on which poll(2) reports POLLPRI when there is news before the next sample; -1 without one."""

    def news(self, at: float) -> Sequence[Any]:
        """What `alarm` has announced, `at` as time.time() tells it: events. Silences the alarm."""

    def look(self, at: float) -> Sequence[Any]:
        """What is to be seen at this moment, `at` as time.time() tells it: a sample and events; ``ended`` is last."""

    def close(self) -> None:
        """Let go of what it takes to look."""


@dataclass(eq=False)
class _Job:
    """A stream to be fed. Its turns are those of all streams as fast as it, so that one waking serves them all."""

    stream: weakref.ref[Stream[Any]]
    source: Source
    period: float
    turn: int

    @property
    def due(self) -> float:
        """As time.monotonic() tells it."""
        return self.turn * self.period

    @property
    def over(self) -> bool:
        """Whether nobody wants to know any more."""
        stream = self.stream()
        return stream is None or stream.closed

    def sample(self, now: float) -> None:
        """Take one."""
        stream = self.stream()
        if stream is None or stream.closed:
            return
        turn = max(self.turn, int(now / self.period)) + 1
        stream.dropped += turn - self.turn - 1
        self.turn = turn
        self._put(stream, self.source.look)

    def hear(self) -> None:
        """Put what the source announces."""
        stream = self.stream()
        if stream is not None and not stream.closed:
            self._put(stream, self.source.news)

    def _put(self, stream: Stream[Any], look: Callable[[float], Sequence[Any]]) -> None:
        """What goes wrong is for the readers of this stream: the others go on."""
        try:
            if moment := look(time.time()):
                stream.put(moment)
        except Exception as fault:
            stream.put((), fault=fault)


class Sampler:
    """Takes the samples of the streams that it was given."""

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._thread: threading.Thread | None = None
        self._bell = -1  # an eventfd, as long as the thread lives: ends its waiting
        self._lock = threading.Lock()

    def add(self, stream: Stream[Any], source: Source) -> None:
        """Put into `stream` what `source` sees, from now on, until the stream is closed or nobody holds it."""
        with self._lock:
            period = 1 / stream.hz
            self._jobs.append(_Job(weakref.ref(stream), source, period, int(time.monotonic() / period)))
            if self._thread is None:
                self._bell = os.eventfd(0)
                self._thread = threading.Thread(target=self._run, name="labkit sampler", daemon=True)
                self._thread.start()
            os.eventfd_write(self._bell, 1)

    def end(self) -> None:
        """All that is watched has ended: so do the streams, and the thread."""
        with self._lock:
            thread = self._thread
            for stream in (job.stream() for job in self._jobs):
                if stream is not None:
                    stream.put([Event("ended", time.time())])
            if thread is not None:
                os.eventfd_write(self._bell, 1)
        if thread is not None:
            thread.join(_PATIENCE)

    def tick(self, now: float) -> None:
        """Take the samples that are due at `now`, and let go of what nobody wants to know any more."""
        with self._lock:
            jobs = [job for job in self._jobs if job.due <= now]
        for job in jobs:
            job.sample(now)
        with self._lock:
            for job in [job for job in self._jobs if job.over]:
                self._jobs.remove(job)
                job.source.close()

    def _run(self) -> None:
        while True:
            self.tick(time.monotonic())
            with self._lock:
                if not self._jobs:
                    os.close(self._bell)
                    self._thread = None
                    return
                jobs = list(self._jobs)
            self._wait(jobs)

    def _wait(self, jobs: Sequence[_Job]) -> None:
        """Until the next sample is due, the bell rings, or a source has announced something, which is put."""
        alarms = {job.source.alarm: job for job in jobs}
        alarms.pop(-1, None)
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        for alarm in alarms:
            poll.register(alarm, select.POLLPRI)
        due = min(job.due for job in jobs)
        for ready, _ in poll.poll(1000 * max(0.0, due - time.monotonic())):
            if ready == self._bell:
                os.eventfd_read(self._bell)
            else:
                alarms[ready].hear()
