"""Until one can begin, and begin again: `import labkit`, `Lab()`, reset."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measure import Timing, in_turns, timed
from benchmarks.peers import spawn
from benchmarks.report import Goal, Part, timings
from labkit import Lab

CONTAINERS = 10


def ready(scratch: Path, rounds: int) -> Part:
    """A fresh interpreter each time for the imports, a fresh Lab each time for the rest."""
    python = [sys.executable, "-c"]
    measured = in_turns(
        {
            "python alone": lambda: spawn([*python, "pass"]),
            "python, import labkit": lambda: spawn([*python, "import labkit"]),
            "python, from labkit import Lab": lambda: spawn([*python, "from labkit import Lab"]),
            "Lab() ready": lab_ready,
            f"reset with {CONTAINERS} containers": reset,
        },
        rounds=max(5, rounds // 2),
    )
    bare = measured["python alone"].median
    imported = measured["python, from labkit import Lab"].median - bare
    note = f"with the interpreter itself {1000 * (imported + bare):.0f}"
    return Part(
        "to begin, and to begin again",
        timings(measured),
        [
            milliseconds("`Lab()` ready", 150, measured["Lab() ready"]),
            Goal("`import labkit`, its Lab included", 150, "ms", 1000 * imported, note),
            milliseconds(f"reset with {CONTAINERS} containers", 300, measured[f"reset with {CONTAINERS} containers"]),
        ],
    )


def milliseconds(work: str, bound: float, timing: Timing) -> Goal:
    """A goal for the median, in milliseconds."""
    return Goal(work, bound, "ms", 1000 * timing.median, f"p95 {1000 * timing.p95:.0f}")


def lab_ready() -> float:
    """From nothing to a machine that answers; its end is not timed."""
    labs: list[Lab] = []
    took = timed(lambda: labs.append(Lab()))()
    labs[0].close()
    return took


def reset() -> float:
    """Ten containers alive, then the known state again."""
    with Lab() as lab:
        for _ in range(CONTAINERS):
            lab.run("busybox", ["sleep", "1000"], detach=True)
        return timed(lab.reset)()
