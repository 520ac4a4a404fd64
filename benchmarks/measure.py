"""Taking turns: the one way of timing in this directory.

A machine drifts: other work, clock frequency, caches, the kernel still burying the last network namespace. Measured
one after the other, A and B meet different machines. So each round runs every work once, in an order shuffled anew
(from a fixed seed), with a pause before each, so that nobody pays for what the one before left behind.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Work = Callable[[], float]
"""Does something once and returns how long it took, in seconds."""


@dataclass(frozen=True)
class Timing:
    """The seconds that one work took, in the order in which they were measured."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one: what one run in two stays under."""
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        """The least disturbed one."""
        return min(self.seconds)

    @property
    def p95(self) -> float:
        """What nineteen runs in twenty stay under (nearest rank)."""
        return sorted(self.seconds)[max(0, -(-len(self.seconds) * 95 // 100) - 1)]

    @property
    def flatness(self) -> float:
        """Median of the last tenth over that of the first tenth: 1.0 when the hundredth costs what the first did."""
        tenth = max(1, len(self.seconds) // 10)
        return statistics.median(self.seconds[-tenth:]) / statistics.median(self.seconds[:tenth])


def timed(action: Callable[[], object]) -> Work:
    """Turn an action into a Work, by the clock of the caller."""

    def work() -> float:
        start = time.perf_counter()
        action()
        return time.perf_counter() - start

    return work


def in_turns(works: Mapping[str, Work], *, rounds: int, warm_up: int = 3, pause: float = 0.02) -> dict[str, Timing]:
    """Measure all works, interleaved: `warm_up` rounds for nothing, then `rounds` that count."""
    order = random.Random(3)
    names = list(works)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(warm_up + rounds):
        for name in order.sample(names, len(names)):
            time.sleep(pause)
            took = works[name]()
            if number >= warm_up:
                seconds[name].append(took)
    return {name: Timing(tuple(taken)) for name, taken in seconds.items()}


def in_a_row(work: Work, times: int) -> Timing:
    """Measure one work many times without a pause: does the hundredth still cost what the first did?"""
    return Timing(tuple(work() for _ in range(times)))
