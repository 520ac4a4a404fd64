"""What a container may use, as a teacher says it: ``Limits(cpu=0.25, memory="64M", pids=50)``.

It becomes lines for files of version 2, and from these lines, where version 1 is in charge, lines for its files
(`labkit.cgroups.translation`). Nothing is asked of the kernel here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from labkit.cgroups import sizes
from labkit.errors import SpecError
from labkit.linux.cgroup_files import FRESH
from labkit.steps import parameters

PERIOD = 100_000  #: microseconds of a quota's period: the kernel's default
_LEAST_QUOTA = 1_000  # microseconds: kernel/sched/core.c, min_cfs_quota_period
_MOST_PIDS = 4_194_304  # PID_MAX_LIMIT
_DISK = re.compile(r"\d+:\d+")
_CEILINGS = ("rbps", "wbps", "riops", "wiops")
_HUGE_SIZE = re.compile(r"\d+[KMG]B")

Size = int | str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one container; what is left out is not limited. Raises SpecError for values that cannot be.

    cpu            CPUs' worth of time: 0.25 is a quarter of one, 2 is two of them
    cpu_weight     a share against others on the same CPU, 1 to 10000; without limits it is 100
    cpus           which CPUs: ``"0-1,3"``
    memory         bytes: ``"64M"``; who needs more is killed. memory_high: who needs more is slowed
    memory_low, memory_min   bytes that are taken last, or never
    swap           bytes that may lie on disk
    oom_group      when memory runs out, all die together
    pids           processes and threads
    io             by disk: ``{"7:0": {"rbps": "1M", "wiops": 100}}``; io_weight: a share, 1 to 10000
    hugetlb        by size of page: ``{"2MB": "4M"}``
    devices        those that may be used, and no others: ``["c 1:3 rwm", "c 136:* rw"]``, as type, numbers, and what
                   of reading, writing and mknod(2) is allowed; ``[]`` is none at all. What is open stays open

    See: cgroups(7), the kernel's admin-guide/cgroup-v2.rst.
    """

    __signature__: ClassVar[Any] = parameters.Signature()

    cpu: float | None = None
    cpu_weight: int | None = None
    cpus: str | None = None
    memory: Size | None = None
    memory_high: Size | None = None
    memory_low: Size | None = None
    memory_min: Size | None = None
    swap: Size | None = None
    oom_group: bool = False
    pids: int | None = None
    io: Mapping[str, Mapping[str, Size]] = field(default_factory=dict)
    io_weight: int | None = None
    hugetlb: Mapping[str, Size] = field(default_factory=dict)
    devices: Sequence[str] | None = None

    def __new__(cls, *unnamed: object, **given: Any) -> Self:
        """Refuses what is not the name of a limit."""
        if unnamed or not given.keys() <= {each.name for each in fields(cls)}:
            raise parameters.misnamed(cls, unnamed, given, set())
        return super().__new__(cls)

    def __post_init__(self) -> None:
        self.lines()
        self.device_rules()

    def lines(self) -> tuple[tuple[str, str], ...]:
        """(file of version 2, what to write there), in the order in which it is written."""
        return (*self._cpu(), *self._memory(), *self._counts(), *self._io())

    def device_rules(self) -> tuple[str, ...] | None:
        """The rules about devices, for which version 2 has no file; None where all may be used."""
        if self.devices is None:
            return None
        from labkit.cgroups import device_rules

        return tuple(map(str, device_rules.parse(self.devices)))

    @property
    def controllers(self) -> tuple[str, ...]:
        """The controllers of version 2 that are needed, in order."""
        return tuple(dict.fromkeys(name.partition(".")[0] for name, _ in self.lines()))

    def since(self, before: Limits) -> tuple[tuple[str, str], ...]:
        """As `lines`, for a cgroup that is held to `before`: what has changed, and what is not limited any more."""
        old, new = before._by_key(), self._by_key()
        gone = [(name, " ".join([disk, *(f"{word}=max" for word in _CEILINGS)]) if disk else FRESH.get(name, "max"))
                for name, disk in old if (name, disk) not in new]  # fmt: skip
        return (*gone, *((name, text) for (name, disk), text in new.items() if old.get((name, disk)) != text))

    def _by_key(self) -> dict[tuple[str, str], str]:
        """By file, and for those that have a line for each disk by the disk, all of whose ceilings are said then."""
        keys = {}
        for name, text in self.lines():
            disk = text.partition(" ")[0] if name == "io.max" else ""
            unsaid = [f"{word}=max" for word in _CEILINGS if word not in self.io.get(disk, ())] if disk else []
            keys[name, disk] = " ".join([text, *unsaid])
        return keys

    def _cpu(self) -> Iterator[tuple[str, str]]:
        if self.cpu is not None:
            cpus = sizes.number("cpu", self.cpu, _LEAST_QUOTA / PERIOD, 8192)
            yield "cpu.max", f"{round(cpus * PERIOD)} {PERIOD}"
        if self.cpu_weight is not None:
            yield "cpu.weight", str(sizes.whole("cpu_weight", self.cpu_weight, 1, 10_000))
        if self.cpus is not None:
            yield "cpuset.cpus", sizes.numbers("cpus", self.cpus)

    def _memory(self) -> Iterator[tuple[str, str]]:
        given = {
            "memory.max": ("memory", self.memory), "memory.high": ("memory_high", self.memory_high),
            "memory.low": ("memory_low", self.memory_low), "memory.min": ("memory_min", self.memory_min),
            "memory.swap.max": ("swap", self.swap),
        }  # fmt: skip
        for name, (argument, value) in given.items():
            if value is not None:
                yield name, sizes.size(argument, value)
        if self.oom_group:
            yield "memory.oom.group", "1"

    def _counts(self) -> Iterator[tuple[str, str]]:
        if self.pids is not None:
            yield "pids.max", str(sizes.whole("pids", self.pids, 0, _MOST_PIDS))
        for page, value in self.hugetlb.items():
            if not _HUGE_SIZE.fullmatch(page):
                raise SpecError(f"hugetlb={page!r} is not the size of a page", look='hugetlb={"2MB": "4M"}')
            yield f"hugetlb.{page}.max", sizes.size(f"hugetlb[{page!r}]", value)

    def _io(self) -> Iterator[tuple[str, str]]:
        for disk, ceilings in self.io.items():
            if not _DISK.fullmatch(disk):
                raise SpecError(
                    f"io={disk!r} is not the number of a disk",
                    likely="a disk is MAJOR:MINOR",
                    look="lsblk -o NAME,MAJ:MIN",
                )
            unknown = [key for key in ceilings if key not in _CEILINGS]
            if unknown or not ceilings:
                raise SpecError(
                    f"io[{disk!r}] has {unknown[0] if unknown else 'no ceiling'}", look=f"one of {', '.join(_CEILINGS)}"
                )
            words = [f"{key}={sizes.size(f'io[{disk!r}][{key!r}]', value)}" for key, value in ceilings.items()]
            if any(word.endswith("=0") for word in words):
                raise SpecError(f"io[{disk!r}]: a ceiling of 0 would stop it for ever", look="at least 1")
            yield "io.max", " ".join([disk, *words])
        if self.io_weight is not None:
            yield "io.weight", f"default {sizes.whole('io_weight', self.io_weight, 1, 10_000)}"
