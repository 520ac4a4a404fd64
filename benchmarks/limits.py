"""What it costs to be held: the same container with limits on four controllers and without, in turns.

Until its program runs, and with all that comes after: the end told, everything removed again.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.measure import Work, in_turns, timed
from benchmarks.report import Goal, Part, timings
from benchmarks.starts import run_true
from labkit import Lab
from labkit.cgroups import Limits

REACH = 0.5  # milliseconds
HELD = Limits(cpu=0.5, cpus="0", memory="64M", pids=50)  # cpu, cpuset, memory, pids


def limits(scratch: Path, rounds: int) -> Part:
    """All in one lab; of version 1 its places in the trees are made before the first round that counts."""
    with Lab() as lab:
        works = {
            "started": start(lab, None),
            "started, held": start(lab, HELD),
            "from start to end": timed(lambda: run_true(lab)),
            "from start to end, held": timed(lambda: run_true(lab, HELD)),
        }
        measured = in_turns(works, rounds=rounds)
        versions = {lab.info["controllers"].get(name) for name in HELD.controllers}
    free, held, whole, whole_held = measured.values()
    more = [1000 * (whole_held.median - whole.median), 1000 * (whole_held.best - whole.best)]
    note = (
        f"best {1000 * (held.best - free.best):+.2f} ms; to its end {more[0]:+.2f} ms, best {more[1]:+.2f} ms; "
        f"version {', '.join(map(str, sorted(versions, key=str)))}"
    )
    goal = Goal("start with limits on four controllers", REACH, "ms more", 1000 * (held.median - free.median), note)
    return Part("a container that is held, beside one that is not", timings(measured, against="started"), [goal])


def start(lab: Lab, limits: Limits | None) -> Work:
    """A container until its program runs. That it is ended again is not counted."""

    def work() -> float:
        begin = time.perf_counter()
        container = lab.run("busybox", ["sleep", "1000"], limits=limits, detach=True)
        took = time.perf_counter() - begin
        container.kill()
        container.wait()
        return took

    return work
