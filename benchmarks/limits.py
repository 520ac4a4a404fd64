"""What it costs to be held: the same container with limits on four controllers and without, in turns."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import in_turns, timed
from benchmarks.report import Goal, Part, timings
from benchmarks.starts import run_true
from labkit import Lab
from labkit.cgroups import Limits

REACH = 0.5  # milliseconds
HELD = Limits(cpu=0.5, cpus="0", memory="64M", pids=50)  # cpu, cpuset, memory, pids


def limits(scratch: Path, rounds: int) -> Part:
    """Both in one lab; of version 1 its places in the trees are made before the first round that counts."""
    with Lab() as lab:
        works = {"without": timed(lambda: run_true(lab)), "held": timed(lambda: run_true(lab, HELD))}
        measured = in_turns(works, rounds=rounds)
        versions = {lab.info["controllers"].get(name) for name in HELD.controllers}
    held, free = measured["held"], measured["without"]
    note = f"best {1000 * (held.best - free.best):+.2f} ms; version {', '.join(map(str, sorted(versions, key=str)))}"
    goal = Goal("start with limits on four controllers", REACH, "ms more", 1000 * (held.median - free.median), note)
    return Part("a container that is held, beside one that is not", timings(measured, against="without"), [goal])
