"""One look at what a cgroup has used, typed: the counters of all its files.

Which files a cgroup has depends on the controllers that its parents hand down, on the version, and on the kernel.
What is not counted is None, and never 0: that nobody counts is not the same as that nothing was used.

    >>> print(Usage.parse({"cpu.stat": "usage_usec 1500000\\nuser_usec 1000000\\nsystem_usec 500000"}))
    CPU        1.500 s (user 1.000, system 0.500)
    not counted here: memory, io, pids, pressure

See: the kernel's admin-guide/cgroup-v2.rst, accounting/psi.rst.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from labkit.cgroups import counting
from labkit.steps.display import Shown

_MICRO = 1e-6
_CPU_TIMES = (
    ("cpu", "usage_usec"), ("user", "user_usec"), ("system", "system_usec"), ("throttled", "throttled_usec"),
)  # fmt: skip
_CPU_COUNTS = (("periods", "nr_periods"), ("periods_throttled", "nr_throttled"))
_BY_NAME = ("events", "waited")  # several files add to them
_DISK_BYTES = (("read", "rbytes"), ("written", "wbytes"))
_NUMBERS = {
    "memory.current": "memory", "memory.peak": "memory_peak", "memory.swap.current": "swap",
    "pids.current": "processes",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Usage(Shown):
    """Seconds, bytes and counts since the cgroup was made; None where nobody counts.

    `throttled` and `periods` are there where a quota can be set: seconds in which somebody waited for the next
    period, and how many periods there were, and in how many of them the quota was used up. `waited` is pressure:
    seconds in which at least one process waited for ``cpu``, ``memory`` or ``io``. `events` are those of
    memory.events, ``oom_kill`` among them.
    """

    cpu: float | None = None
    user: float | None = None
    system: float | None = None
    throttled: float | None = None
    periods: int | None = None
    periods_throttled: int | None = None
    memory: int | None = None
    memory_peak: int | None = None
    swap: int | None = None
    events: Mapping[str, int] = field(default_factory=dict)
    read: int | None = None
    written: int | None = None
    processes: int | None = None
    refused: int | None = None
    frozen: bool | None = None
    waited: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, files: Mapping[str, str]) -> Usage:
        """What the texts of these files say, of version 2 or 1."""
        found: dict[str, Any] = {}
        for name, text in files.items():
            for field_, value in _said(name, text):
                if field_ in _BY_NAME and (others := found.get(field_)):
                    value = {**others, **{key: others.get(key, 0) + more for key, more in value.items()}}
                found[field_] = value
        return cls(**found)

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not counted here, by controller."""
        there = {"cpu": self.cpu, "memory": self.memory, "io": self.read, "pids": self.processes}
        lacking = tuple(name for name, value in there.items() if value is None)
        return lacking if self.waited else (*lacking, "pressure")

    def __str__(self) -> str:
        lines = []
        if self.cpu is not None:
            lines.append(f"CPU        {self.cpu:.3f} s (user {self.user:.3f}, system {self.system:.3f})")
        if self.periods:
            lines.append(f"throttled  {self.throttled:.3f} s, in {self.periods_throttled} of {self.periods} periods")
        if self.memory is not None:
            peak = "" if self.memory_peak is None else f", at most {_mega(self.memory_peak)}"
            lines.append(f"memory     {_mega(self.memory)}{peak}")
        if self.swap:
            lines.append(f"swap       {_mega(self.swap)}")
        if told := {name: count for name, count in self.events.items() if count}:
            lines.append(f"events     {', '.join(f'{name} {count}' for name, count in told.items())}")
        if self.read is not None and self.written is not None:
            lines.append(f"disks      {_mega(self.read)} read, {_mega(self.written)} written")
        if self.processes is not None:
            lines.append(f"processes  {self.processes}" + (f", {self.refused} refused" if self.refused else ""))
        if self.waited:
            lines.append(f"waited for {', '.join(f'{kind} {seconds:.3f} s' for kind, seconds in self.waited.items())}")
        if self.frozen:
            lines.append("frozen")
        if self.missing:
            lines.append(f"not counted here: {', '.join(self.missing)}")
        return "\n".join(lines)


@lru_cache(maxsize=1024)  # of a container that sleeps most files say what they said before
def _said(name: str, text: str) -> tuple[tuple[str, Any], ...]:
    """The fields of a Usage that a file fills in, of version 2 or 1."""
    return tuple(field_ for file, told in counting.to_v2(name, text) for field_ in _fields(file, told))


def _fields(name: str, text: str) -> Iterator[tuple[str, Any]]:
    if name == "cpu.stat":
        cpu = _pairs(text)
        yield from ((field_, cpu[key] * _MICRO) for field_, key in _CPU_TIMES if key in cpu)
        yield from ((field_, cpu[key]) for field_, key in _CPU_COUNTS if key in cpu)
    elif name in _NUMBERS and text:
        yield _NUMBERS[name], int(text)
    elif name == "memory.events":
        yield "events", _pairs(text)
    elif name == "io.stat":
        disks = [_words(line) for line in text.splitlines()]
        yield from ((field_, sum(disk.get(key, 0) for disk in disks)) for field_, key in _DISK_BYTES)
    elif name in ("pids.events", "cgroup.events"):
        counts = _pairs(text)
        yield from [("refused", counts["max"])] if "max" in counts else ()
        yield from [("frozen", counts["frozen"] == 1)] if "frozen" in counts else ()
    elif name.endswith(".pressure") and text:
        yield "waited", {name.partition(".")[0]: _waited(text)}


def _pairs(text: str) -> dict[str, int]:
    """``name number`` in each line."""
    words = text.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


def _words(line: str) -> dict[str, int]:
    """``8:0 rbytes=1 wbytes=2``."""
    pairs = (word.partition("=") for word in line.split())
    return {name: int(number) for name, _, number in pairs if number.isdigit()}


def _waited(text: str) -> float:
    """The first line of a file of pressure: for how long at least one waited, ``some avg10=… total=1500000``."""
    return int(text.partition(" total=")[2].partition("\n")[0]) * _MICRO


def _mega(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
