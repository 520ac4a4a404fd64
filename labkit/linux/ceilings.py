"""What the cgroups allow in which something runs: its own, and all above it, in both versions.

A limit below can only be smaller. One that is larger version 2 takes down and never reaches; of version 1 the quota on
CPU time and the set of CPUs are refused.

See: cgroups(7), the kernel's admin-guide/cgroup-v2.rst "Limits", scheduler/sched-bwc.rst "Hierarchical considerations".
"""

from __future__ import annotations

import os

from labkit.linux.cgroup_files import ABSENT, NO_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    #: the file of version 2 that would say it; the value, of a quota in CPUs, else as text; file, value and directory
    Ceiling = tuple[str, str, str]


def read(directories: Iterable[str]) -> list[Ceiling]:
    """Those of each of these cgroups and of all above it, the nearest first."""
    found: list[Ceiling] = []
    for directory in directories:
        while os.path.exists(f"{directory}/cgroup.procs"):
            found += _of(directory)
            directory = os.path.dirname(directory)
    return found


def _of(directory: str) -> Iterator[Ceiling]:
    quota, _, period = _text(directory, "cpu.max").partition(" ")
    if quota not in ("", "max"):
        yield "cpu.max", str(int(quota) / int(period)), f"cpu.max {quota}/{period} in {directory}"
    quota, period = _text(directory, "cpu.cfs_quota_us"), _text(directory, "cpu.cfs_period_us")
    if quota not in ("", "-1"):
        yield "cpu.max", str(int(quota) / int(period)), f"cpu.cfs_quota_us {quota}/{period} in {directory}"
    for file, name in (
        ("memory.max", "memory.max"),
        ("memory.limit_in_bytes", "memory.max"),
        ("pids.max", "pids.max"),
        ("cpuset.cpus.effective", "cpuset.cpus"),
        ("cpuset.effective_cpus", "cpuset.cpus"),
    ):
        text = _text(directory, file)
        if text not in ("", "max", NO_LIMIT):
            yield name, text, f"{file} {text} in {directory}"


def _text(directory: str, file: str) -> str:
    try:
        with open(f"{directory}/{file}", encoding="ascii") as opened:
            return opened.read().strip()
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return ""
