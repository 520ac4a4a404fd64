"""Limits that are above what the cgroups allow in which the lab runs: refused, with what is allowed and by whom.

    >>> found = [("cpu.max", "0.2", "cpu.max 20000/100000 in /sys/fs/cgroup/hub")]
    >>> print(refusal(Limits(cpu=0.5), found))
    cpu=0.5 is above what the cgroup that this lab runs in allows: 0.2 (cpu.max 20000/100000 in /sys/fs/cgroup/hub)
      likely: Jupyter itself was given limits, and a limit inside can only be smaller
      look:   Limits(cpu=0.2)
    >>> refusal(Limits(cpu=0.1), found)

See: `labkit.linux.ceilings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from labkit.cgroups import sizes
from labkit.cgroups.limits import PERIOD, Limits
from labkit.errors import SpecError

Ceiling = tuple[str, str, str]  # as `labkit.linux.ceilings` tells them
_LIKELY = "Jupyter itself was given limits, and a limit inside can only be smaller"


def concerns(limits: Limits) -> bool:
    """Whether there is anything in `limits` that a cgroup above could forbid."""
    return (limits.cpu, limits.memory, limits.pids, limits.cpus) != (None,) * 4


def refusal(limits: Limits, ceilings: Iterable[Ceiling]) -> SpecError | None:
    """The refusal of the first limit that is above one of these; None if all are below."""
    fault = next(_faults(limits, tuple(ceilings)), None)
    return fault and SpecError(f"{fault[0]} is above {fault[1]}", likely=_LIKELY, look=f"Limits({fault[2]})")


def why(file: str, value: str, ceilings: Iterable[Ceiling]) -> tuple[str, str] | None:
    """Cause and remedy where version 1 has refused this line for a reason that lies above; None where none does."""
    try:
        if file == "cpu.cfs_quota_us" and int(value) > 0:
            wanted = Limits(cpu=int(value) / PERIOD)
        elif file == "cpuset.cpus":
            wanted = Limits(cpus=value)
        else:
            return None
    except (ValueError, SpecError):
        return None
    fault = next(_faults(wanted, tuple(ceilings)), None)
    return fault and (f"{fault[0]} is above {fault[1]}", fault[2])


def _faults(limits: Limits, ceilings: tuple[Ceiling, ...]) -> Iterator[tuple[str, str, str]]:
    """(the limit as it was given, what is allowed, the limit as it could be) for each that is above a ceiling."""
    memory = None if limits.memory is None else sizes.size("memory", limits.memory)
    for name, text, told in ceilings:
        shown = ""
        if name == "cpu.max" and limits.cpu is not None and limits.cpu > float(text):
            given, shown, could = f"cpu={limits.cpu:g}", f"{float(text):g}", f"cpu={float(text):g}"
        elif name == "memory.max" and memory not in (None, "max") and int(memory or 0) > int(text):
            given, shown, could = f"memory={limits.memory!r}", sizes.shown(text), f"memory={text}"
        elif name == "pids.max" and limits.pids is not None and limits.pids > int(text):
            given, shown, could = f"pids={limits.pids}", text, f"pids={text}"
        elif name == "cpuset.cpus" and limits.cpus is not None and _beyond(limits.cpus, text, ceilings):
            given, shown, could = f"cpus={limits.cpus!r}", text, f"cpus={text!r}"
        if shown:
            yield given, f"what the cgroup that this lab runs in allows: {shown} ({told})", could


def _beyond(wanted: str, allowed: str, ceilings: tuple[Ceiling, ...]) -> bool:
    """Whether CPUs are wanted that the machine has and this cgroup has not: of one that nobody has the kernel tells."""
    there = {cpu for name, text, _ in ceilings if name == "cpuset.cpus" for cpu in _cpus(text)}
    return _cpus(wanted) <= there and not _cpus(wanted) <= _cpus(allowed)


def _cpus(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found
