"""Start a container, run `true`, wait, clean up: labkit beside the C floor and what a user would pick."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import Timing, in_turns, timed
from benchmarks.peers import peers
from benchmarks.report import Goal, Part, timings
from labkit import Lab
from labkit.cgroups import Limits
from labkit.image import rootfs

WORK = "container start, `true`, wait, clean up, from a running Lab holding 250 MB"
REACH = {"floor": (1.2, "× the C floor"), "bwrap": (0.8, "× bwrap"), "runc": (0.15, "× runc")}


def starts(scratch: Path, rounds: int) -> Part:
    """All in turns. This process holds 250 MB and a running Lab, as a notebook kernel with data would."""
    ballast = b"\1" * 250_000_000
    with peers(rootfs.image_path("busybox"), scratch) as others, Lab() as lab:
        measured = in_turns({"labkit": timed(lambda: run_true(lab)), **others.works}, rounds=rounds)
    del ballast
    goals = [goal(name, measured, others.absent.get(name, "")) for name in REACH]
    lines = [*timings(measured, against="floor"), *others.remarks(), *own_calls(measured)]
    return Part("container start, `true`, wait, clean up", lines, goals)


def goal(peer: str, measured: dict[str, Timing], why_not: str) -> Goal:
    """The ratio of the medians of labkit and of one peer."""
    bound, unit = REACH[peer]
    if peer not in measured:
        return Goal(WORK, bound, unit, None, f"{peer} {why_not}")
    mine, theirs = (measured[name].median for name in ("labkit", peer))
    return Goal(WORK, bound, unit, mine / theirs, f"{1000 * mine:.2f} to {1000 * theirs:.2f} ms")


def own_calls(measured: dict[str, Timing]) -> list[str]:
    """What labkit adds to the calls of its own plan: the floor has no /sys, no /dev, no hidden paths and all rights."""
    if "same calls in C" not in measured:
        return []
    mine, theirs = measured["labkit"].median, measured["same calls in C"].median
    return ["", f"labkit to the very calls of its plan as a program of its own: {mine / theirs:.2f}"]


def run_true(lab: Lab, limits: Limits | None = None) -> None:
    """One container from start to clean-up, with its output collected, as in a notebook."""
    done = lab.run("busybox", ["true"], limits=limits)
    assert done.returncode == 0, done


def run_sleep(lab: Lab) -> None:
    """One container that stays."""
    lab.run("busybox", ["sleep", "1000"], detach=True)
