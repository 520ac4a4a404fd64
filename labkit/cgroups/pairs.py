"""Where the same number stands in version 2 and in version 1, place by place.

Some files hold one number, some a word for each thing that is counted, some a line for each disk. So what is paired
is a *place* in a file: ``cpu.stat usage_usec`` here is ``cpuacct.usage`` there, where it is told in nanoseconds.

    >>> pair = pairs("cpu.stat")[0]
    >>> str(pair.v2), str(pair.v1), pair.older("2500"), pair.newer("2500000")
    ('cpu.stat usage_usec', 'cpuacct.usage', '2500000', '2500')

See: `labkit.cgroups.vocabulary` for what each file is for; the kernel's admin-guide/cgroup-v2.rst and cgroup-v1/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labkit.cgroups import vocabulary

EMPTY = "nothing"  #: what stands for a file that is there and holds no word


@dataclass(frozen=True)
class Place:
    """A number in a file: all of it, its first or second word (``0``, ``1``), or what stands behind `key`.

    A key of two words is a line and a word in it. With `disk` there is one for each disk: ``8:0 rbytes=1`` in
    version 2, ``8:0 Read 1`` or ``8:0 1`` in version 1.
    """

    file: str
    key: str = ""
    disk: bool = False

    def __str__(self) -> str:
        return self.file if not self.key or self.key.isdigit() else f"{self.file} {self.key}"

    def read(self, files: Mapping[str, str]) -> str | None:
        """What stands there; None where there is no such file, or no such word in it."""
        text = files.get(self.file)
        if text is None:
            return None
        if self.disk:
            return ", ".join(f"{disk} {number}" for disk, number in self._disks(text)) or EMPTY
        if self.key.isdigit():
            return ([*text.split(), "", ""])[int(self.key)] or None
        if not self.key:
            return " ".join(text.split()) or EMPTY
        first, _, second = self.key.partition(" ")
        words = next((words[1:] for line in text.splitlines() if (words := line.split())[:1] == [first]), [])
        if second:  # of a file of pressure: ``some avg10=0.00 total=123``
            words = [word.partition("=")[2] for word in words if word.startswith(f"{second}=")]
        return words[0] if words else None

    def _disks(self, text: str) -> Iterator[tuple[str, str]]:
        for disk, *words in (line.split() for line in text.splitlines() if line[:1].isdigit()):
            named = [word.split("=", 1) for word in words if "=" in word] or [words[-2:]]
            found = [pair[-1] for pair in named if not self.key or pair[0] == self.key]
            yield from ((disk, number) for number in found)


@dataclass(frozen=True)
class Pair:
    """A place of version 2 and its counterpart, if there is one; a unit of version 2 is `finer` of those there."""

    v2: Place
    v1: Place | None = None
    finer: int = 1

    def older(self, text: str) -> str:
        """What version 1 would say for this text of version 2."""
        return str(int(text) * self.finer) if text.isdigit() else text

    def newer(self, text: str) -> str:
        """What version 2 would say for this text of version 1."""
        return str(int(text) // self.finer) if text.isdigit() else text


_PAIRS: Mapping[str, tuple[Pair, ...]] = {
    "cpu.max": (
        Pair(Place("cpu.max", "0"), Place("cpu.cfs_quota_us")), Pair(Place("cpu.max", "1"), Place("cpu.cfs_period_us")),
    ),
    "cpu.stat": (
        Pair(Place("cpu.stat", "usage_usec"), Place("cpuacct.usage"), finer=1000),
        Pair(Place("cpu.stat", "user_usec"), Place("cpuacct.usage_user"), finer=1000),
        Pair(Place("cpu.stat", "system_usec"), Place("cpuacct.usage_sys"), finer=1000),
        Pair(Place("cpu.stat", "nr_periods"), Place("cpu.stat", "nr_periods")),
        Pair(Place("cpu.stat", "nr_throttled"), Place("cpu.stat", "nr_throttled")),
        Pair(Place("cpu.stat", "throttled_usec"), Place("cpu.stat", "throttled_time"), finer=1000),
    ),
    "memory.swap.current": (Pair(Place("memory.swap.current"), Place("memory.stat", "total_swap")),),
    "memory.stat": tuple(
        Pair(Place("memory.stat", key), Place("memory.stat", f"total_{old}"))
        for key, old in (("anon", "rss"), ("file", "cache"), ("file_mapped", "mapped_file"), ("file_dirty", "dirty"))
    ),
    "memory.events": (
        Pair(Place("memory.events", "low")), Pair(Place("memory.events", "high")),
        Pair(Place("memory.events", "max"), Place("memory.failcnt")),
        Pair(Place("memory.events", "oom_kill"), Place("memory.oom_control", "oom_kill")),
    ),
    "io.max": tuple(
        Pair(Place("io.max", key, disk=True), Place(file, disk=True))
        for key, file in zip(("rbps", "wbps", "riops", "wiops"), vocabulary.file("io.max").v1[1], strict=True)
    ),
    "io.stat": tuple(
        Pair(Place("io.stat", key, disk=True), Place(file, word, disk=True))
        for key, file, word in zip(
            ("rbytes", "wbytes", "rios", "wios"), (f for f in vocabulary.file("io.stat").v1[1] for _ in "rw"),
            ("Read", "Write") * 2, strict=True,
        )
    ),
    "pids.events": (Pair(Place("pids.events", "max"), Place("pids.events", "max")),),
    **{f"{kind}.pressure": (Pair(Place(f"{kind}.pressure", "some total")),) for kind in ("cpu", "memory", "io")},
}  # fmt: skip


def pairs(name: str) -> tuple[Pair, ...]:
    """The places of a file of version 2 and their counterparts. Raises KeyError for one that is not in the table."""
    row = vocabulary.file(name)
    alone = Pair(Place(name), Place(row.v1[1][0]) if row.v1[1] else None)
    return _PAIRS.get(name, (alone,))
