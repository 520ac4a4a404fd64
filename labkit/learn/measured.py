"""Measured numbers that carry a claim. The claim is what is compared: the number is another one in every run.

A machine that is busy with other things can make a measurement say anything. So a claim is measured until it is
decided, and where it cannot be decided, that is what is said.

    >>> answers = iter([1.1, 4.0, 4.2, 3.9])
    >>> print(decide("it takes twice as long", lambda: next(answers), more_than=2))
    it takes twice as long: True
    >>> list(answers)
    []
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit.steps.display import Shown

TOO_BUSY = "the machine is too busy to measure this"
CLEAR = 1.25  #: so many times a bound is clearly above it; a bound divided by this is clearly below it
LATE = 5  #: a tail that is so many times the quickest, where nothing is limited: something else runs there, too
ENOUGH = 0.1  #: seconds of CPU: less than that is counted too coarsely, and given out too unevenly, to divide by it
_ROUNDS, _MOST = 2, 6  # that are kept of a comparison of delays; that are measured for it


@dataclass(frozen=True)
class Measured(Shown):
    """A number in `unit`, and what is claimed of it. `decided` is None where the machine was too busy to tell."""

    value: float
    unit: str
    claim: str
    decided: bool | None

    def __str__(self) -> str:
        if self.decided is None:
            return f"{self.claim}: {TOO_BUSY} (about {self.value:.2g} {self.unit}, and different each time)"
        return f"{self.claim}: {self.decided}"


def decide(
    claim: str, ask: Callable[[], float], *, more_than: float, unit: str = "times", lead: int = 2, rounds: int = 7
) -> Measured:
    """Whether what `ask` measures is `more_than` this number: measured until it is clear, `rounds` times at most.

    It is clear when `lead` more answers are clearly above than clearly below, or the other way round, or when all
    rounds gave about the same number. A `lead` of 1 is for what no disturbance can push over the bound.
    """
    answers: list[float] = []
    score = 0
    while abs(score) < lead and len(answers) < rounds:
        answers.append(ask())
        score += (answers[-1] > CLEAR * more_than) - (answers[-1] < more_than / CLEAR)
    value = statistics.median(answers)
    decided: bool | None = score > 0
    if abs(score) < lead:  # near the bound each time, or on either side of it
        decided = value > more_than if max(answers) <= CLEAR * min(answers) else None
    return Measured(value, unit, claim, decided)


def about(number: float, wanted: float, within: float = 0.1) -> str:
    """A measured number in words: the `wanted` one where it is that, within this part of it; else what it is."""
    return f"{wanted:g} (within {within:.0%})" if abs(number / wanted - 1) <= within else f"{number:.2f}"


def times(part: float, whole: float) -> str:
    """How many times `whole` seconds of CPU are in `part`, as a whole number; or that these are too few to say."""
    return f"{part / whole:.0f}" if min(part, whole) >= ENOUGH else f"({TOO_BUSY})"


@dataclass(frozen=True)
class Delays(Shown):
    """How long each of many equal pieces of work took, in seconds.

    `busy` says so where the machine was too busy for a comparison with others of the same measurement; else it is "".
    """

    seconds: tuple[float, ...]
    busy: str = ""

    @property
    def quickest(self) -> float:
        """What it takes where nothing comes between."""
        return min(self.seconds)

    @property
    def tail(self) -> float:
        """The 95th percentile: one of twenty took longer."""
        return statistics.quantiles(self.seconds, n=20, method="inclusive")[-1]

    def late(self, times: float) -> bool:
        """Whether the tail is so many times the quickest."""
        return self.tail >= times * self.quickest

    def __str__(self) -> str:
        told = f"{len(self.seconds)} pieces of work, and how long each took"
        return f"{told}; {self.busy}" if self.busy else told


def compare(measure: Callable[[int], Sequence[float]], count: int, bound: float = 3) -> tuple[Delays, ...]:
    """The delays of `count` ways to do the same work, measured in turns; the others are compared with the first.

    ``measure(n)`` measures the n-th once more, in seconds. At least two rounds; more of them, six at most, until the
    quickest and the tail of each other one are clearly above or below `bound` times those of the first, and that is not
    `LATE` itself: nothing holds it back but the machine. Those two rounds count in which its tail was shortest.
    """
    rounds: list[list[Delays]] = []
    while True:
        rounds.append([Delays(tuple(measure(number))) for number in range(count)])
        if len(rounds) < _ROUNDS:
            continue
        calmest = sorted(rounds, key=lambda each: each[0].tail)[:_ROUNDS]
        first, *others = (Delays(sum((each.seconds for each in same), ())) for same in zip(*calmest, strict=True))
        good = not first.late(LATE) and all(_clear(each, first, bound) for each in others)
        if good or len(rounds) == _MOST:
            break
    busy = ""
    if not good and first.late(bound):
        much = first.tail / first.quickest
        busy = f"{TOO_BUSY}: without any limit, one of twenty pieces took {much:.0f} times as long as the quickest"
    return tuple(Delays(each.seconds, busy) for each in (first, *others))


def _clear(one: Delays, first: Delays, bound: float) -> bool:
    """Whether both that are compared are clear: its quickest and its tail, in terms of those of the first."""
    found = (one.quickest / first.quickest / bound, one.tail / first.tail / bound)
    return all(each > CLEAR or each < 1 / CLEAR for each in found)
