"""A hundred containers in a row, and a hundred alive at once: does the hundredth cost what the first did?"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Timing, in_a_row, timed
from benchmarks.peers import peers
from benchmarks.report import Goal, Part, number, timings
from benchmarks.starts import run_sleep, run_true
from labkit import Lab
from labkit.image import rootfs

TIMES = 100
SERIES = 3  # a machine with other work drifts within one hundred; the middle of three tells that from growing


def many(scratch: Path, rounds: int) -> Part:
    """In a row beside the floor's own hundred: what the machine drifts in that time is not labkit's doing."""
    measured: dict[str, list[Timing]] = {}
    with peers(rootfs.image_path("busybox"), scratch) as others, Lab() as lab:
        run_true(lab)
        works = {"labkit, in a row": timed(lambda: run_true(lab))}
        if floor := others.works.get("floor"):
            works = {"floor, in a row": floor, **works}
        for name, work in works.items():
            measured[name] = [in_a_row(work, TIMES) for _ in range(SERIES)]
    measured["labkit, all alive"] = []
    for _ in range(SERIES):
        with Lab() as lab:
            run_true(lab)
            before = agent_pss()
            measured["labkit, all alive"].append(in_a_row(timed(lambda: run_sleep(lab)), TIMES))
            after = agent_pss()
    first, last = (sum(sizes.values()) / 1e6 for sizes in (before, after))
    memory = f"agent: {len(before)} processes, {number(first)} MB PSS before; "
    memory += f"{len(after)} processes, {number(last)} MB with {TIMES} containers"
    goals = [
        flat("the same, 100 containers in a row", measured["labkit, in a row"]),
        flat("the same, 100 alive at once", measured["labkit, all alive"]),
        Goal("memory (PSS) that the agent adds per container", 1, "MB", (last - first) / TIMES),
    ]
    steady = [f"{name}: last tenth to first tenth {each(series)}" for name, series in measured.items()]
    together = {name: Timing(sum((timing.seconds for timing in series), ())) for name, series in measured.items()}
    return Part(f"{TIMES} containers, {SERIES} times", [*timings(together), "", *steady, memory], goals)


def flat(work: str, series: Sequence[Timing]) -> Goal:
    """Flat within 20 % means at most 1.2 times as dear. Cheaper at the end is warming up, and no broken promise."""
    middle = statistics.median(timing.flatness for timing in series)
    return Goal(work, 1.2, "× the first", middle, f"last tenth to first tenth: {each(series)}")


def each(series: Sequence[Timing]) -> str:
    """The flatness of each series."""
    return ", ".join(f"{timing.flatness:.2f}" for timing in series)


def agent_pss() -> dict[int, int]:
    """Bytes of memory of each process of the agent, shared pages divided among those that share them.

    The agent is what descends from this process and runs Python; the programs in the containers do not.
    See: proc_pid_smaps(5), Pss.
    """
    sizes = {}
    for pid in descendants(os.getpid()):
        try:
            if os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("python"):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                sizes[pid] = 1024 * int(rollup.partition("\nPss:")[2].split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return sizes


def descendants(pid: int) -> list[int]:
    """All processes below this one. See: proc_tid_children(5)."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found
