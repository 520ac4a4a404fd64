"""From two looks at the counters of a container to a row: how much of everything it uses a second.

    >>> before = Look(Sample(10.0, Usage(cpu=1.0, processes=2)))
    >>> row("lab-1", "web", before, Look(Sample(12.0, Usage(cpu=2.0, processes=2)))).cpu_percent
    50.0

See: `labkit.cgroups.usage` for what is counted; the kernel's accounting/psi.rst for what waiting means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labkit.cgroups.samples import Sample
from labkit.cgroups.usage import Usage


@dataclass(frozen=True)
class Look:
    """The counters of one moment, the limits (None: there is none, or nobody knows), and how many processes live."""

    sample: Sample
    memory_max: int | None = None
    processes_max: int | None = None
    alive: int = 0


@dataclass(frozen=True)
class Row:
    """A container at one moment. None is what nobody counts, or of what one look is not enough to tell.

    `cpu_percent` is of one CPU; `throttled_percent` of the periods in which the quota was used up; `waiting_percent`
    of the time in which somebody waited, for ``cpu``, ``memory`` or ``io``. Bytes, and bytes a second.
    """

    lab: str
    container: str
    cpu_percent: float | None = None
    throttled_percent: float | None = None
    memory: int | None = None
    memory_max: int | None = None
    read_a_second: float | None = None
    written_a_second: float | None = None
    processes: int | None = None
    processes_max: int | None = None
    waiting_percent: Mapping[str, float] = field(default_factory=dict)
    frozen: bool = False


def row(lab: str, container: str, before: Look | None, after: Look) -> Row:
    """What happened between two looks at one container; of the first one what is at all moments."""
    old, new = (before or after).sample.usage, after.sample.usage
    passed = after.sample.at - before.sample.at if before else 0.0
    return Row(
        lab, container,
        cpu_percent=_percent(_grown(old.cpu, new.cpu), passed),
        throttled_percent=_throttled(old, new) if passed else None,
        memory=new.memory, memory_max=after.memory_max,
        read_a_second=_a_second(_grown(old.read, new.read), passed),
        written_a_second=_a_second(_grown(old.written, new.written), passed),
        processes=after.alive if new.processes is None else new.processes, processes_max=after.processes_max,
        waiting_percent=_waiting(old, new, passed), frozen=bool(new.frozen),
    )  # fmt: skip


def _grown(old: float | None, new: float | None) -> float | None:
    """A counter only grows; one that has not belongs to another container of the same name."""
    return None if old is None or new is None or new < old else new - old


def _a_second(grown: float | None, passed: float) -> float | None:
    return None if grown is None or passed <= 0 else grown / passed


def _percent(grown: float | None, passed: float) -> float | None:
    share = _a_second(grown, passed)
    return None if share is None else 100 * share


def _throttled(old: Usage, new: Usage) -> float | None:
    periods = _grown(old.periods, new.periods)
    return _percent(_grown(old.periods_throttled, new.periods_throttled), periods) if periods else None


def _waiting(old: Usage, new: Usage, passed: float) -> dict[str, float]:
    shares = {kind: _percent(_grown(old.waited.get(kind), seconds), passed) for kind, seconds in new.waited.items()}
    return {kind: share for kind, share in shares.items() if share is not None}
