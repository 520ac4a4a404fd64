"""The scenes of lesson 01: tenants of one server, who have nothing of their own, and what the kernel answers them."""

from __future__ import annotations

from labkit.errors import StepError, errno_name
from labkit.learn.judging import LabLike
from labkit.learn.metering import SPINNING
from labkit.namespaces.files import WriteFile
from labkit.namespaces.processes import Exec
from labkit.namespaces.reading import ReadFile, text
from labkit.namespaces.spawn import Spawn
from labkit.steps.step import Step

TENANTS = ("bakery", "radio", "school")
_WORKER = "/tmp/worker"


def tenants() -> list[Step]:
    """Bakery, radio and school: three processes of the server, with nothing of their own."""
    return [Spawn(child=name) for name in TENANTS]


def workers() -> list[Step]:
    """Bakery and radio, each with a program that happens to be called `worker` (and only waits)."""
    script = WriteFile(path=_WORKER, text="#!/usr/bin/tail -f\n", mode=0o755)
    steps: list[Step] = [script, Spawn(child="bakery"), Spawn(child="radio")]
    for who, child in (("bakery", "kneader"), ("radio", "mixer")):
        steps += [Spawn(who=who, child=child), Exec(who=child, argv=(_WORKER,))]
    return steps


def crowd(**processes: int) -> list[Step]:
    """So many processes for each tenant, all of which only compute: ``crowd(bakery=1, radio=3)``."""
    names = [name if count == 1 else f"{name}{n}" for name, count in processes.items() for n in range(1, count + 1)]
    return [step for name in names for step in (Spawn(child=name), Exec(who=name, argv=SPINNING))]


def answer(lab: LabLike, step: Step) -> str:
    """What the kernel answers to `step`: ``0`` if it is done, else the name of the error, ``EPERM``."""
    try:
        lab.take(step)
    except StepError as error:
        return errno_name(error.errno)
    return "0"


def read(lab: LabLike, who: str, path: str) -> str:
    """What `who` reads in the file `path`, or the error it gets."""
    try:
        return text(lab.take(ReadFile(who=who, path=path))).strip()
    except StepError as error:
        return errno_name(error.errno)
