"""The step player without its screen: Back, Go to, and what it costs to look at a step."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

from benchmarks.measure import Timing, timed
from benchmarks.report import Goal, Part, timings
from labkit import Lab


def walks(scratch: Path, rounds: int) -> Part:
    """All over the plan of a container: forward and back step by step, and in leaps from a fixed seed."""
    taken: dict[str, list[float]] = {"Next": [], "bare step": [], "inspection": [], "Back": [], "Go to": []}
    leaps = random.Random(3)
    with Lab() as lab:
        plan = lab.plans.container("busybox", hostname="c1")
        for _ in range(max(2, rounds // 10)):
            walk = lab.walk(plan)
            for _ in plan:
                took = timed(walk.next)()
                bare = sum(call.nanoseconds for call in walk.calls) / 1e9
                for name, seconds in (("Next", took), ("bare step", bare), ("inspection", took - bare)):
                    taken[name].append(seconds)
            for _ in plan:
                taken["Back"].append(timed(walk.back)())
            for _ in plan:
                position = leaps.randint(0, len(plan))
                taken["Go to"].append(timed(partial(walk.goto, position))())
    measured = {name: Timing(tuple(seconds)) for name, seconds in taken.items()}
    return Part(
        f"a walk through a container's {len(plan)} steps",
        [*timings(measured), "", "bare step: the sum of its system calls' durations; inspection: all the rest of Next"],
        [
            p95("Back", 150, "ms", measured["Back"]),
            p95("Go to", 150, "ms", measured["Go to"]),
            p95("a step inspected (calls, both snapshots, diff)", 15, "ms more", measured["inspection"]),
        ],
    )


def p95(work: str, bound: float, unit: str, timing: Timing) -> Goal:
    """A goal for the 95th percentile, in milliseconds."""
    return Goal(f"{work}, p95", bound, unit, 1000 * timing.p95, f"median {1000 * timing.median:.1f}")
