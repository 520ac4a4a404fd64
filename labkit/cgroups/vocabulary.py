"""The files of a cgroup in one vocabulary, that of version 2, and what version 1 has in their place.

One row a file: what it is for, its unit, and its counterpart. Where version 1 has
none, the row says why, and who asks for it there is refused with that reason: a limit that is dropped in
silence is worse than none.

    >>> print(FILES["cpu.max"])
    cpu.max            limit  cpu: cpu.cfs_quota_us, cpu.cfs_period_us
    >>> print(FILES["memory.high"])
    memory.high        limit  (nothing: version 1 can only kill at the limit, or wait if oom_kill_disable is set)

See: cgroups(7), the kernel's admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class File:
    """A file of version 2. `role` is ``limit``, ``meter`` or ``act``.

    `v1` is (controller, files) of version 1; `why_not` the reason where there are none. `unit` is that of its numbers.
    """

    name: str
    role: str
    means: str
    unit: str = ""
    v1: tuple[str, tuple[str, ...]] = ("", ())
    why_not: str = ""

    @property
    def controller(self) -> str:
        """Who makes the file: the word before the dot; ``cgroup`` is there without any controller."""
        return self.name.partition(".")[0]

    @property
    def counterpart(self) -> str:
        """What stands in its place in version 1, in one line."""
        controller, files = self.v1
        return f"{controller}: {', '.join(files)}" if files else f"(nothing: {self.why_not})"

    def __str__(self) -> str:
        return f"{self.name:<18} {self.role:<6} {self.counterpart}"


OLD = MappingProxyType({"io": "blkio"})  #: what version 1 calls a controller, where the names differ

_NO_SLOW_LANE = "version 1 can only kill at the limit, or wait if oom_kill_disable is set"
_NO_PROTECTION = "memory.soft_limit_in_bytes only says from whom to take first when the machine has none left"
_NO_PRESSURE = "pressure is told for cgroups of version 2; beside version 1, look in the unified tree"

_ROWS = (
    File("cpu.max", "limit", "a quota: so much CPU time in each period", "microseconds",
         ("cpu", ("cpu.cfs_quota_us", "cpu.cfs_period_us"))),
    File("cpu.weight", "limit", "a share, where several want the same CPU", "1 to 10000",
         ("cpu", ("cpu.shares",))),
    File("cpu.stat", "meter", "CPU time, user and system, and how long it was throttled", "microseconds",
         ("cpu", ("cpu.stat", "cpuacct.usage", "cpuacct.usage_user", "cpuacct.usage_sys"))),
    File("cpu.pressure", "meter", "how long somebody waited for a CPU", "percent, microseconds",
         why_not=_NO_PRESSURE),
    File("cpuset.cpus", "limit", "the CPUs that may be used", "CPU numbers", ("cpuset", ("cpuset.cpus",))),
    File("cpuset.mems", "limit", "the memory nodes that may be used", "node numbers", ("cpuset", ("cpuset.mems",))),
    File("memory.max", "limit", "the wall: who needs more is killed", "bytes",
         ("memory", ("memory.limit_in_bytes",))),
    File("memory.high", "limit", "the slow lane: who needs more gives back first, and waits", "bytes",
         why_not=_NO_SLOW_LANE),
    File("memory.low", "limit", "taken from only when nobody else has any", "bytes", why_not=_NO_PROTECTION),
    File("memory.min", "limit", "never taken away", "bytes", why_not=_NO_PROTECTION),
    File("memory.swap.max", "limit", "how much of it may lie on disk", "bytes",
         ("memory", ("memory.memsw.limit_in_bytes",))),
    File("memory.oom.group", "limit", "when memory runs out, all of them die, not one", "0 or 1",
         why_not="version 1 kills one process, and leaves the others to cope"),
    File("memory.current", "meter", "memory in use, with the pages of files that it has read", "bytes",
         ("memory", ("memory.usage_in_bytes",))),
    File("memory.peak", "meter", "the most that was ever in use", "bytes",
         ("memory", ("memory.max_usage_in_bytes",))),
    File("memory.swap.current", "meter", "how much of it lies on disk", "bytes",
         ("memory", ("memory.stat",))),
    File("memory.stat", "meter", "what the memory is used for", "bytes", ("memory", ("memory.stat",))),
    File("memory.events", "meter", "how often each limit was met, and who was killed", "times",
         ("memory", ("memory.failcnt", "memory.memsw.failcnt", "memory.oom_control"))),
    File("memory.pressure", "meter", "how long somebody waited for memory", "percent, microseconds",
         why_not=_NO_PRESSURE),
    File("io.max", "limit", "a ceiling for each disk", "bytes or operations a second",
         ("blkio", ("blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
                    "blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device"))),
    File("io.weight", "limit", "a share, where several want the same disk", "1 to 10000",
         why_not="blkio.bfq.weight is there only where the disk's scheduler is bfq, and has another scale"),
    File("io.stat", "meter", "what each disk has read and written; the page cache is no disk", "bytes, times",
         ("blkio", ("blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"))),
    File("io.pressure", "meter", "how long somebody waited for a disk", "percent, microseconds",
         why_not=_NO_PRESSURE),
    File("pids.max", "limit", "so many processes and threads; the next fork fails", "tasks",
         ("pids", ("pids.max",))),
    File("pids.current", "meter", "how many there are", "tasks", ("pids", ("pids.current",))),
    File("pids.events", "meter", "how many forks were refused", "times", ("pids", ("pids.events",))),
    File("devices", "limit", "the devices that may be opened or made; in version 2 no file, but a BPF program",
         "TYPE MAJOR:MINOR rwm", ("devices", ("devices.allow", "devices.deny", "devices.list"))),
    File("cgroup.freeze", "act", "everybody stops where they stand", "0 or 1", ("freezer", ("freezer.state",))),
    File("cgroup.kill", "act", "everybody dies", "1",
         why_not="freeze, kill each process, thaw: a frozen one dies only when it is thawed"),
    File("cgroup.max.depth", "limit", "so many levels of cgroups below", "levels",
         why_not="version 1 does not count them"),
    File("cgroup.max.descendants", "limit", "so many cgroups below", "cgroups",
         why_not="version 1 does not count them"),
    File("cgroup.subtree_control", "act", "which controllers the children get",
         why_not="each controller is a tree of its own there, and in all of its cgroups"),
)  # fmt: skip

#: by name, in the order in which they are shown
FILES: Mapping[str, File] = MappingProxyType({row.name: row for row in _ROWS})

_HUGE = re.compile(r"hugetlb\.(\d+[KMG]B)\.(max|current)")


def about(name: str) -> File | None:
    """The row that a file of either version belongs to; None for one that is not for limits and meters."""
    for row in FILES.values():
        if name == row.name or name in row.v1[1]:
            return row
    return file(name) if _HUGE.fullmatch(name) else None


def file(name: str) -> File:
    """The row of a file. Raises KeyError for one that version 2 does not have, or that is not for limits and meters."""
    if found := _HUGE.fullmatch(name):
        size, what = found.groups()
        old = {"max": "limit_in_bytes", "current": "usage_in_bytes"}[what]
        role = "limit" if what == "max" else "meter"
        return File(name, role, f"huge pages of {size}", "bytes", ("hugetlb", (f"hugetlb.{size}.{old}",)))
    return FILES[name]
