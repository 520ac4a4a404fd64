"""The files of a cgroup: what it may use, and what it has used, as the kernel writes it.

Which of them there are depends on the controllers that the parents hand down, and on the kernel; the root has few.

See: cgroups(7), the kernel's admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

from labkit.linux import hierarchies
from labkit.linux.cgroup2 import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from labkit.linux.proc import Pid, Root

#: the files of version 2 by which a cgroup is limited, and what they say in a new one
FRESH = {
    "cpu.max": "max 100000", "cpu.weight": "100", "cpuset.cpus": "", "cpuset.mems": "",
    "memory.max": "max", "memory.high": "max", "memory.low": "0", "memory.min": "0", "memory.swap.max": "max",
    "memory.oom.group": "0", "io.max": "", "io.weight": "default 100", "pids.max": "max",
    "cgroup.freeze": "0", "cgroup.max.depth": "max", "cgroup.max.descendants": "max", "cgroup.subtree_control": "",
}  # fmt: skip
#: and those that tell what its processes have used
COUNTERS = (
    "cpu.stat", "memory.current", "memory.peak", "memory.swap.current", "memory.events", "io.stat", "pids.current",
    "pids.events", "cgroup.events", "cpu.pressure", "memory.pressure", "io.pressure",
)  # fmt: skip
#: what version 1 adds to these, by controller; the CPU time itself is in cpu.stat of version 2 beside it
OLD_COUNTERS = {
    "cpu": ("cpu.stat",),
    "memory": ("memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.failcnt", "memory.oom_control"),
    "blkio": ("blkio.throttle.io_service_bytes_recursive",), "pids": ("pids.current", "pids.events"),
}  # fmt: skip
_SWAP = "memory.stat"  # tells much else, and takes as long to write as all others of the container's memory


def limits(path: str) -> dict[str, str]:
    """What its files say, of those that say something else than in a new cgroup; nothing of one that is gone."""
    texts = _texts(path, FRESH)
    return {name: text for name in FRESH if (text := texts.get(name, FRESH[name]).strip()) != FRESH[name]}


def counters(pid: Pid, root: Root = "/proc") -> list[tuple[str, str]]:
    """(name, path) of the files that count what the cgroup of a process uses, in all trees where it has its own.

    Not all of them need be there. One name may be told twice: ``cpu.stat`` of version 2 tells the time used, and
    that of version 1, where the controller is, the periods. Raises LookupError where no cgroup of it is to be seen.
    """
    found = []
    for tree in hierarchies.own(pid, root):
        names = [*COUNTERS] if tree.version == 2 else []
        if tree.version == 1:
            names += [name for controller in tree.controllers for name in OLD_COUNTERS.get(controller, ())]
            names += [_SWAP] if "memory" in tree.controllers and _has_swap(root) else []
        found += [(name, f"{tree.directory}/{name}") for name in names]
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
