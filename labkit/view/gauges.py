"""From counters to what a gauge shows: percent, bytes, and bytes a second; and these as the bytes that travel.

A counter says how much there has been; a gauge, how fast it comes. So a reading takes two samples, some
`SPAN` seconds apart: a quota of 20 % is 20 ms of work and 80 ms of waiting, and who looked at one tenth of a second
alone would see 0 % here and 40 % there. What nobody counts is NaN, which is never equal to anything.

See: the kernel's admin-guide/cgroup-v2.rst "cpu.stat", scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.cgroups.samples import Sample
from labkit.cgroups.usage import Usage

SPAN = 1.0
_NONE = float("nan")
#: when, which container (from 0), and the values of one Reading in their order; static/meters.js reads it
_ROW = struct.Struct("<d11f")


@dataclass(frozen=True)
class Reading:
    """What the gauges of one container show at the time `at`.

    cpu         percent of one CPU; throttled: in how many percent of the quota's periods it was used up
    memory      bytes, and swap
    read        bytes a second from disks; written: to them
    processes   how many, threads too
    waits_cpu   percent of the time in which somebody waited for it; waits_memory, waits_io
    """

    at: float
    cpu: float = _NONE
    throttled: float = _NONE
    memory: float = _NONE
    swap: float = _NONE
    read: float = _NONE
    written: float = _NONE
    processes: float = _NONE
    waits_cpu: float = _NONE
    waits_memory: float = _NONE
    waits_io: float = _NONE

    def packed(self, number: int) -> bytes:
        """As it travels, as the reading of container `number`."""
        return _ROW.pack(
            self.at, number, self.cpu, self.throttled, self.memory, self.swap, self.read, self.written,
            self.processes, self.waits_cpu, self.waits_memory, self.waits_io,
        )  # fmt: skip


class Gauges:
    """The gauges of one container. They remember the last second, and nothing older."""

    def __init__(self) -> None:
        self._recent: deque[Sample] = deque()

    def read(self, sample: Sample) -> Reading:
        """What they show after this sample. Samples come in the order of time."""
        recent = self._recent
        while len(recent) > 1 and recent[1].at <= sample.at - 0.95 * SPAN:  # samples come a little late, or early
            recent.popleft()
        reading = between(recent[0] if recent else sample, sample)
        recent.append(sample)
        return reading


def between(before: Sample, after: Sample) -> Reading:
    """The rates between two samples, and the state at the second."""
    old, new, seconds = before.usage, after.usage, after.at - before.at
    return Reading(
        after.at, cpu=_rate(old.cpu, new.cpu, seconds, 100), throttled=_throttled(old, new),
        memory=_state(new.memory), swap=_state(new.swap), read=_rate(old.read, new.read, seconds),
        written=_rate(old.written, new.written, seconds), processes=_state(new.processes),
        waits_cpu=_rate(old.waited.get("cpu"), new.waited.get("cpu"), seconds, 100),
        waits_memory=_rate(old.waited.get("memory"), new.waited.get("memory"), seconds, 100),
        waits_io=_rate(old.waited.get("io"), new.waited.get("io"), seconds, 100),
    )  # fmt: skip


def readings(samples: Iterable[Sample]) -> list[Reading]:
    """What the gauges showed all the while."""
    gauges = Gauges()
    return [gauges.read(sample) for sample in samples]


def _state(value: int | None) -> float:
    return _NONE if value is None else float(value)


def _rate(old: float | None, new: float | None, seconds: float, factor: float = 1) -> float:
    if old is None or new is None or seconds <= 0:
        return _NONE
    return max(0.0, new - old) * factor / seconds


def _throttled(old: Usage, new: Usage) -> float:
    """Without a quota there are no periods, and nobody waits for the next one."""
    if new.periods is None or new.periods_throttled is None:
        return _NONE
    periods = new.periods - (old.periods or 0)
    return 100 * (new.periods_throttled - (old.periods_throttled or 0)) / periods if periods > 0 else 0.0
