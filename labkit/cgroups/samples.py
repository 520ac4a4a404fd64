"""What a watch tells of a cgroup: one `Sample` a moment, and an `Event` where something happened in between.

Counters only grow, so two samples say how much was used between them, and an event is a counter that has grown:
nobody need have looked at the moment itself.

    >>> before, after = Usage(refused=0), Usage(refused=2)
    >>> events(Sample(10.0, before), Sample(10.1, after))
    (Event(kind='refused', at=10.1, count=2, victim='', pid=0),)

See: the kernel's admin-guide/cgroup-v2.rst "memory.events", "pids.events", "cpu.stat",
accounting/psi.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.cgroups.usage import Usage

#: the kinds of events, and what each says
KINDS = {
    "throttled": "the quota was used up, and somebody waited for the next period",
    "high": "memory went beyond memory.high, and its user was slowed",
    "max": "memory met memory.max, and something was given back",
    "oom": "memory ran out, and somebody was killed",
    "pressure": "for more than half of the time somebody waited for memory",
    "refused": "a fork was refused by pids.max",
    "frozen": "everybody stopped where they stood",
    "thawed": "everybody goes on",
    "ended": "the last process has gone",
}


@dataclass(frozen=True)
class Sample:
    """The counters of one moment; `at` in seconds as time.time() tells them."""

    at: float
    usage: Usage


@dataclass(frozen=True)
class Event:
    """Something that happened to a cgroup, `count` times, not later than `at` and after the sample before.

    `victim` and `pid` (the machine's) are there for ``oom`` where the kernel's log could be read.
    """

    kind: str
    at: float
    count: int = 1
    victim: str = ""
    pid: int = 0

    def __str__(self) -> str:
        times = f" {self.count} times" if self.count > 1 else ""
        whom = f": {self.victim} (pid {self.pid})" if self.victim else ""
        return f"{self.kind}{times}{whom}"


def events(before: Sample, after: Sample) -> tuple[Event, ...]:
    """What happened between two samples of one cgroup, in the order of `KINDS`."""
    return tuple(_events(before.usage, after.usage, after.at, after.at - before.at))


def _events(old: Usage, new: Usage, at: float, passed: float) -> Iterator[Event]:
    waited = new.waited.get("memory", 0) - old.waited.get("memory", 0)
    grown = {
        "throttled": (new.periods_throttled or 0) - (old.periods_throttled or 0),
        "high": new.events.get("high", 0) - old.events.get("high", 0),
        "max": new.events.get("max", 0) - old.events.get("max", 0),
        "oom": new.events.get("oom_kill", 0) - old.events.get("oom_kill", 0),
        "pressure": int(waited > passed / 2 > 0),
        "refused": (new.refused or 0) - (old.refused or 0),
    }
    yield from (Event(kind, at, count) for kind, count in grown.items() if count > 0)
    if old.frozen is not None and new.frozen is not None and old.frozen != new.frozen:
        yield Event("frozen" if new.frozen else "thawed", at)
