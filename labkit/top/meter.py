"""Looking at all containers again and again: each look is compared with the one before it.

A container that ends between two looks is not there in the second; one that takes its name is another one, for it
has another first process.
"""

from __future__ import annotations

import os
import time

from labkit.cgroups import from_v1
from labkit.cgroups.samples import Sample
from labkit.cgroups.usage import Usage
from labkit.linux import cgroup2, cgroup_files, proc
from labkit.linux.open_files import OpenFiles
from labkit.top import finding
from labkit.top.finding import Found
from labkit.top.rates import Look, Row, row

_LIMITS, _OLD_LIMITS = ("memory.max", "pids.max"), ("memory.limit_in_bytes", "pids.max")
_OLD_COUNTERS = cgroup_files.counting(1, cgroup_files.OLD_COUNTERS)  # in each tree those that there are
_TICKS = os.sysconf("SC_CLK_TCK")
_Key = tuple[str, str, int]  # run directory, name, first process


class Meter:
    """Remembers the last look at each container. `labs` are the names of the labs that ran then."""

    def __init__(self) -> None:
        self.labs: list[str] = []
        self._before: dict[_Key, Look] = {}
        self._known: set[str] = set()

    def look(self) -> list[Row]:
        """A row for each container that runs now; rates since the last time one looked."""
        running = finding.labs(self._known)
        self.labs = [lab.name for lab in running]
        now: dict[_Key, Look] = {}
        rows = []
        for found in (found for lab in running for found in finding.containers(lab)):
            try:
                first, seen = _counted(found) if found.cgroups else _added_up(found)
            except (OSError, LookupError):  # it has ended meanwhile
                continue
            key = (found.run, found.name, first)
            rows.append(row(found.lab, found.name, self._before.get(key), seen))
            now[key] = seen
        self._before = now
        return rows


def _counted(found: Found) -> tuple[int, Look]:
    """By its cgroups. Raises LookupError where nobody lives in them."""
    new, *old = found.cgroups
    pids = cgroup2.procs(new)
    if not pids:
        raise LookupError(new)
    files = [(name, f"{new}/{name}") for name in (*cgroup_files.COUNTERS, *_LIMITS)]
    files += [(name, f"{path}/{name}") for path in old for name in (*_OLD_COUNTERS, *_OLD_LIMITS)]
    with OpenFiles(files) as held:
        at, texts = time.time(), held.texts()
    memory = texts.get("memory.max") or from_v1.limit("memory.max", texts)
    sample = Sample(at, Usage.parse(texts))
    return pids[0], Look(sample, _number(memory), _number(texts.get("pids.max")), len(pids))


def _added_up(found: Found) -> tuple[int, Look]:
    """By its processes, where the lab has no cgroup: what those that have ended used is not known any more."""
    ticks = sum(stat.utime + stat.stime for stat in map(proc.stat, found.pids))
    usage = Usage(cpu=ticks / _TICKS)
    return found.pids[0], Look(Sample(time.time(), usage), alive=len(found.pids))


def _number(text: str | None) -> int | None:
    """What a limit says; None for ``max``."""
    return int(text) if text and text.strip().isdigit() else None
