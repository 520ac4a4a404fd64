"""Until one can begin, and begin again: `import labkit`, `Lab()`, reset."""

from __future__ import annotations

import compileall
import sys
from pathlib import Path

import labkit
from benchmarks.measure import Timing, in_turns, timed
from benchmarks.peers import spawn
from benchmarks.report import Goal, Part, timings
from labkit import Lab

CONTAINERS = 10


def ready(scratch: Path, rounds: int) -> Part:
    """A fresh interpreter each time for the imports, a fresh Lab each time for the rest."""
    # any start but the first finds its modules compiled, unless PYTHONDONTWRITEBYTECODE kept that from happening
    compileall.compile_dir(str(Path(labkit.__file__).parent), quiet=2)
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
    imported, bare = measured["python, from labkit import Lab"], measured["python alone"]
    return Part(
        "to begin, and to begin again",
        timings(measured),
        [
            milliseconds("`Lab()` ready", 150, measured["Lab() ready"]),
            Goal(
                "`from labkit import Lab`, interpreter included",
                120,
                "ms",
                1000 * imported.median,
                f"best {1000 * imported.best:.0f}; the interpreter alone {1000 * bare.median:.0f}",
            ),
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
