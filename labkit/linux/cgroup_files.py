"""The files of a cgroup: what it may use, and what it has used, as the kernel writes it.

Which of them there are depends in version 2 on the controllers that the parents hand down, in version 1 on the tree,
and in both on the kernel; the root has few.

See: cgroups(7), the kernel's admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from labkit.linux.proc import Pid, Root

#: errno of a file that is not there: no such controller, or the cgroup is gone, or the kernel does not count that
ABSENT = (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP)
#: the files of version 2 by which a cgroup is limited, and what they say in a new one
FRESH = {
    "cpu.max": "max 100000", "cpu.weight": "100", "cpuset.cpus": "", "cpuset.mems": "",
    "memory.max": "max", "memory.high": "max", "memory.low": "0", "memory.min": "0", "memory.swap.max": "max",
    "memory.oom.group": "0", "io.max": "", "io.weight": "default 100", "pids.max": "max",
    "cgroup.freeze": "0", "cgroup.max.depth": "max", "cgroup.max.descendants": "max", "cgroup.subtree_control": "",
    "cgroup.type": "domain",
}  # fmt: skip
NO_LIMIT = "9223372036854771712"  #: of version 1: the most whole pages that a signed 64-bit number of bytes holds
#: the same for version 1; what is None there is what the cgroup above said when this one was made
FRESH_V1 = {
    "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000", "cpu.shares": "1024", "cpuset.cpus": None,
    "cpuset.mems": None, "memory.limit_in_bytes": NO_LIMIT, "memory.memsw.limit_in_bytes": NO_LIMIT,
    "blkio.throttle.read_bps_device": "", "blkio.throttle.write_bps_device": "",
    "blkio.throttle.read_iops_device": "", "blkio.throttle.write_iops_device": "",
    "pids.max": "max", "freezer.state": "THAWED", "devices.list": None,
}  # fmt: skip
#: and those that tell what its processes have used
COUNTERS = (
    "cpu.stat", "memory.current", "memory.peak", "memory.swap.current", "memory.events", "io.stat", "pids.current",
    "pids.events", "cgroup.events", "cpu.pressure", "memory.pressure", "io.pressure",
)  # fmt: skip
#: what version 1 adds to these, by controller; the CPU time itself is in cpu.stat of version 2 beside it
OLD_COUNTERS = {
    "cpu": ("cpu.stat",),
    "memory": (
        "memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.failcnt", "memory.memsw.failcnt",
        "memory.oom_control", "memory.stat",
    ),
    "blkio": ("blkio.throttle.io_service_bytes_recursive",), "pids": ("pids.current", "pids.events"),
}  # fmt: skip
_SWAP = "memory.stat"  # tells much else, and takes as long to write as all others of the container's memory
_PIDS, _PAGE = ("cgroup.procs", "cgroup.threads", "tasks"), 4096


def limits(path: str) -> dict[str, str]:
    """What its files say, of those that say something else than in a new cgroup; nothing of one that is gone."""
    texts = _texts(path, FRESH)
    return {name: text for name in FRESH if (text := texts.get(name, FRESH[name]).strip()) != FRESH[name]}


def limits_v1(path: str, above: str) -> dict[str, str]:
    """The same for a cgroup of version 1; `above` is one whose CPUs, memory nodes and devices are nothing new."""
    texts, inherited = _texts(path, FRESH_V1), _texts(above, [name for name, text in FRESH_V1.items() if text is None])
    fresh = {name: inherited.get(name, "") if text is None else text for name, text in FRESH_V1.items()}
    return {name: text.strip() for name, text in texts.items() if text.strip() != fresh[name].strip()}


def counters(pid: Pid, root: Root = "/proc") -> list[tuple[str, str]]:
    """(name, path) of the files that count what the cgroup of a process uses, in all trees where it has its own.

    Not all of them need be there. One name may be told twice: ``cpu.stat`` of version 2 tells the time used, and
    that of version 1, where the controller is, the periods. Raises LookupError where no cgroup of it is to be seen.
    """
    from labkit.linux import hierarchies  # which stands on this one

    trees, swap = hierarchies.own(pid, root), _has_swap(root)
    found = [(name, f"{tree.directory}/{name}") for tree in trees for name in counting(tree.version, tree.controllers)]
    return [each for each in found if swap or each[0] != _SWAP]


def counting(version: int, controllers: Iterable[str]) -> tuple[str, ...]:
    """The names of the files that count in a tree of this version with these controllers."""
    return COUNTERS if version == 2 else tuple(name for each in controllers for name in OLD_COUNTERS.get(each, ()))


def everything(path: str) -> dict[str, str]:
    """What each of its files says that can be read, of either version: the first page of it, and no lists of pids."""
    found = {}
    for name in sorted(os.listdir(path)) if os.path.isdir(path) else ():
        if name not in _PIDS:
            try:
                with open(f"{path}/{name}", encoding="ascii") as file:
                    found[name] = file.read(_PAGE)
            except OSError:  # a directory; one for writing only; gone
                continue
    return found


def _has_swap(root: Root) -> bool:
    """Whether memory can lie on disk at all: /proc/swaps has a heading, and a line for each place where it can."""
    try:
        with open(f"{root}/swaps", encoding="utf-8") as file:
            return len(file.readlines()) > 1
    except OSError:
        return False


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
