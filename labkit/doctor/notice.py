"""What stands at the top of a lesson whose needs are not met: why, what to do, and how it goes on here.

`Lab(lesson)` asks. Where the lesson was recorded it goes on from its recording; else it is live, and what needs
the missing thing is refused. ``LABKIT_BACKEND=live`` insists on a lab that is live.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from labkit.doctor import kernel
from labkit.doctor.finding import Finding
from labkit.doctor.patient import LINUX, Patient
from labkit.learn import course
from labkit.learn.needs import Need
from labkit.steps.display import Shown


@dataclass(frozen=True)
class Notice(Shown):
    """What a lesson lacks, and how it goes on: `recorded` says from which recording, empty for a live lab."""

    lesson: str
    lacks: tuple[Finding, ...]
    recorded: str = ""

    @property
    def title(self) -> str:
        """What this is, in one line."""
        return f"Lesson {self.lesson.removeprefix('nb')} needs what this machine has not."

    @property
    def going_on(self) -> str:
        """How it goes on here."""
        if self.recorded:
            return f"It goes on as it was {self.recorded}: take the steps that the lesson takes."
        return "It goes on live; the steps that need it are refused, all others work."

    @property
    def lacking(self) -> str:
        """What is not there, in one line."""
        return "; ".join(finding.says for finding in self.lacks)

    def __str__(self) -> str:
        lines = [line for finding in self.lacks for line in (f"  {finding.about} {finding.says}", *_below(finding))]
        return "\n".join([self.title, *lines, self.going_on])


def _below(finding: Finding) -> Iterator[str]:
    yield from (f"    {name + ':':<8} {text}" for name, text in finding.details if name != "lessons")


@cache
def of(name: str) -> Notice:
    """What the lesson `name` needs of a kernel and does not find here; nothing where recordings were asked for."""
    if (os.environ.get("LABKIT_BACKEND") or "live") != "live":
        return Notice(name, ())
    needs = {need for need in course.load(name).needs if need.recorded}
    with Patient() as patient:
        return Notice(name, tuple(f for f in _looked(patient, needs) if f.remedy and needs & {*f.needs}))


def _looked(patient: Patient, needs: set[Need]) -> Iterator[Finding]:
    if not LINUX:
        yield from kernel.elsewhere(patient)
        return
    from labkit.doctor import features, security, stores, way

    if patient.lab is None:
        for check in (way.way_in, way.switches, security.modules):
            yield from check(patient)
        return
    yield from features.tried(patient, needs)
    yield from stores.images(patient)


def show(notice: Notice, recorded: str) -> None:
    """If anything is lacking, put it where the student reads: below the cell, or on the terminal's standard error."""
    if not notice.lacks:
        return
    notice = replace(notice, recorded=recorded)
    if "IPython" in sys.modules:
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is not None:
            from labkit.doctor import picture

            picture.install()
            display(notice)  # type: ignore[no-untyped-call]  # IPython gives it no types
            return
    print(notice, file=sys.stderr)
