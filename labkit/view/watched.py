"""What a panel can show: containers, watches that somebody has already, and recorded containers, which stand still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from labkit.cgroups.limits import Limits
from labkit.cgroups.samples import Event, Sample
from labkit.errors import LabError, ReplayError, SpecError
from labkit.view.feed import Watch
from labkit.view.still import CHARTS

MOST = 10


class Kept(Watch, Protocol):
    """A watch that keeps what it has seen."""

    @property
    def hz(self) -> float:
        """How many samples it takes a second."""

    @property
    def samples(self) -> Sequence[Sample]:
        """The last minutes."""

    @property
    def events(self) -> Sequence[Event]:
        """What happened in them."""


class Limited(Protocol):
    """What can be watched and limited: a container."""

    @property
    def name(self) -> str:
        """What it is called."""

    def watch(self, *, hz: float) -> Kept:
        """Begin to watch it."""

    def limits(self, **changes: Any) -> Limits:
        """Change some, and return all that are in force. Any thread may call it; without changes it costs nothing."""


def check(of: Sequence[object], minutes: float, show: Sequence[str]) -> None:
    """Raise SpecError for what cannot be shown."""
    if not 1 <= len(of) <= MOST:
        raise SpecError(
            f"a panel shows 1 to {MOST} containers, not {len(of)}",
            likely="more lines than that nobody can tell apart" if of else "",
            look="Panel(container, …)",
        )
    for thing in of:
        if not hasattr(thing, "since") and not hasattr(thing, "watch"):
            raise SpecError(f"{type(thing).__name__} cannot be watched", look="a container, or container.watch()")
    if not 0 < minutes <= 60:
        raise SpecError(f"minutes={minutes:g} is not between 0 and 60", look="minutes=10")
    if unknown := [name for name in show if name not in CHARTS]:
        raise SpecError(f"there is no chart {unknown[0]!r}", look=f"show={CHARTS}")


class _Nobody:
    """The watch of a container that is only recorded: nothing is to be seen, and that at once."""

    def __init__(self, name: str, hz: float) -> None:
        self.name, self.hz = name, hz
        self.closed = True
        self.samples: Sequence[Sample] = ()
        self.events: Sequence[Event] = ()

    def since(self, number: int) -> tuple[int, Sequence[Sample | Event]]:
        """Nothing."""
        return number, ()

    def close(self) -> None:
        """It is."""


def watch(thing: Any, hz: float) -> Kept:
    """A watch of it, if it is not one."""
    try:
        return cast(Kept, thing.watch(hz=hz) if hasattr(thing, "watch") else thing)
    except ReplayError:
        return _Nobody(thing.name, hz)


def limits(thing: Any) -> Limits | None:
    """The limits in force; None for a watch, and for a container that was started without any, or has ended."""
    try:
        return thing.limits() if hasattr(thing, "limits") else None
    except LabError:
        return None
