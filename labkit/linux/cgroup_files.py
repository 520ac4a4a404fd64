"""The files of a cgroup: what it may use, and what it has used, as the kernel writes it.

Which of them there are depends in version 2 on the controllers that the parents hand down, in version 1 on the tree,
and in both on the kernel; the root has few.

See: cgroups(7), the kernel's admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/.
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: errno of a file that is not there: no such controller, or the cgroup is gone, or the kernel does not count that
ABSENT = (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP)
#: the files by which a cgroup is limited, and what they say in a new one
FRESH = {
    "cpu.max": "max 100000", "cpu.weight": "100", "cpuset.cpus": "", "cpuset.mems": "",
    "memory.max": "max", "memory.high": "max", "memory.low": "0", "memory.min": "0", "memory.swap.max": "max",
    "memory.oom.group": "0", "io.max": "", "io.weight": "default 100", "pids.max": "max",
    "cgroup.freeze": "0", "cgroup.max.depth": "max", "cgroup.max.descendants": "max", "cgroup.subtree_control": "",
}  # fmt: skip
_NO_LIMIT = "9223372036854771712"  # the most whole pages that a signed 64-bit number of bytes holds
#: the same for version 1; what is None there is what the cgroup above said when this one was made
FRESH_V1 = {
    "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000", "cpu.shares": "1024", "cpuset.cpus": None,
    "cpuset.mems": None, "memory.limit_in_bytes": _NO_LIMIT, "memory.memsw.limit_in_bytes": _NO_LIMIT,
    "blkio.throttle.read_bps_device": "", "blkio.throttle.write_bps_device": "",
    "blkio.throttle.read_iops_device": "", "blkio.throttle.write_iops_device": "",
    "pids.max": "max", "freezer.state": "THAWED", "devices.list": None,
}  # fmt: skip
#: and those that tell what its processes have used
COUNTERS = (
    "cpu.stat", "memory.current", "memory.peak", "memory.swap.current", "memory.events", "io.stat", "pids.current",
    "pids.events", "cgroup.events", "cpu.pressure", "memory.pressure", "io.pressure",
)  # fmt: skip


def limits(path: str) -> dict[str, str]:
    """What its files say, of those that say something else than in a new cgroup; nothing of one that is gone."""
    texts = _texts(path, FRESH)
    return {name: text for name in FRESH if (text := texts.get(name, FRESH[name]).strip()) != FRESH[name]}


def limits_v1(path: str, above: str) -> dict[str, str]:
    """The same for a cgroup of version 1; `above` is one whose CPUs, memory nodes and devices are nothing new."""
    texts, inherited = _texts(path, FRESH_V1), _texts(above, [name for name, text in FRESH_V1.items() if text is None])
    fresh = {name: inherited.get(name, "") if text is None else text for name, text in FRESH_V1.items()}
    return {name: text.strip() for name, text in texts.items() if text.strip() != fresh[name].strip()}


def counters(path: str) -> dict[str, str]:
    """The texts of those of its `COUNTERS` that there are; nothing of one that is gone."""
    return _texts(path, COUNTERS)


def _texts(path: str, names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            with open(f"{path}/{name}", encoding="ascii") as file:
                found[name] = file.read()
        except OSError as error:
            if error.errno not in ABSENT:
                raise
    return found
