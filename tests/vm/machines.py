"""Machines at work side by side, one for each processor.

An emulated processor keeps a real one busy. Two machines with one processor each share nothing and wait for nobody,
where the two processors of one machine wait for each other; docs/kernels.md has what was measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import qemu
import tree
from guest import Guest, Hanging, Patience
from plan import Job

AT_ONCE = min(4, len(os.sched_getaffinity(0)))  # more would want more memory than a small computer has
_LEAST = 60  # seconds of work, however late it is


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What came of a job: the files that it left, by name, and why its machine had to be ended, if it had."""

    job: Job
    found: dict[str, str]
    trouble: str
    seconds: float
    console: Path


def run(jobs: Sequence[Job], seconds: float, *, at_once: int = AT_ONCE) -> Iterator[Ended]:
    """Each job when it has ended, well or badly. None goes on for longer than `seconds` from now."""
    ends = time.monotonic() + seconds
    waiting = list(jobs)
    running: list[tuple[Job, Guest]] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                rest = ends - time.monotonic()
                fair = rest * at_once * len(waiting[0].parts) / sum(len(job.parts) for job in waiting)
                job = waiting.pop(0)
                running.append((job, _start(job, min(rest, fair))))  # none shall use up the time of the next
            for pair in list(running):
                if (ended := _ended(*pair)) is not None:
                    running.remove(pair)
                    yield ended
            time.sleep(0.5)
    finally:
        for _, guest in running:
            guest.end()


def _start(job: Job, share: float) -> Guest:
    place = tree.STATE / job.kernel.release
    boot = place / job.kernel.name
    patience = Patience(work=max(_LEAST, int(share) - Patience.parting))
    accel = qemu.accelerator(boot / "vmlinuz")
    return Guest(job.name, place / "disk.img", boot, accel, job.parts, patience, cores=1)


def _ended(job: Job, guest: Guest) -> Ended | None:
    found, trouble = {}, ""
    try:
        if not guest.poll():
            return None
    except Hanging as hanging:
        trouble = str(hanging)
    try:
        found = guest.results()
    except Hanging as hanging:
        trouble = trouble or str(hanging)
    return Ended(
        job=job, found=found, trouble=trouble, seconds=time.monotonic() - guest.began, console=guest.console
    )  # fmt: skip
