"""Who judges a check: a process of its own where there is a supervisor to ask, else this Python.

A check that is written down in a lesson module is judged by the *referee* (`labkit.learn.referee`): a
fresh Python that reads the lesson from disk and the facts from the lab's supervisor. Nothing that a
cell has replaced in the notebook's Python (``lab.snapshot``, a predicate, this module) takes part.
A check that a cell declares itself, and a replayed lab, which has no supervisor, are judged here.

What this stops is a wrong solution made to look right by accident or by a cell. It does not stop
somebody who is root on the machine, or who edits the lesson's file or their own progress file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from labkit.errors import LearnError
from labkit.learn.progress import Book
from labkit.learn.verdict import Task, Verdict
from labkit.steps.call import Call
from labkit.steps.naming import Naming
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

PACKAGE = str(Path(__file__).parents[2])
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from labkit.learn.referee import main; main()"
_PATIENCE = 60.0


class NoReferee(Exception):
    """The referee could not look, and why."""


class LabLike(Protocol):
    """What checks, faults and quizzes need of a lab."""

    generation: int
    naming: Naming

    def ready(self, plan: Plan) -> None:
        """Provide what the plan needs."""

    def take(self, step: Step) -> tuple[Call, ...]:
        """Take one step."""

    def take_all(self, steps: Sequence[Step]) -> None:
        """Take steps without looking."""

    def snapshot(self, *probes: str) -> Snapshot:
        """Look."""

    def fresh(self) -> None:
        """A fresh lab host, unless this one has not been used yet."""

    def on_reset(self, method: Callable[[], None]) -> None:
        """Call this bound method after each reset, as long as its object lives."""


def judge(task: Task, lab: LabLike, *, kind: str, book: Book) -> Verdict:
    """The verdict on the lab as it is now, written down by whoever gave it."""
    from labkit.learn import course

    note = ""
    run = str(getattr(lab, "info", {}).get("run", ""))
    if run and course.declares(task):
        try:
            return _ask_referee(task.id, kind, run, labels(lab), book.file)
        except NoReferee as reason:
            note = f"judged in the notebook: {reason}"
    verdict = replace(task.judge(lab.snapshot(*task.probes)), note=note)
    write_down(verdict, kind, book)
    return verdict


def write_down(verdict: Verdict, kind: str, book: Book) -> None:
    """One line of progress."""
    what = {"way": verdict.way} if verdict.solved else {"hint": verdict.hint}
    book.add(kind, verdict.id, right=verdict.solved, judge=verdict.judge, **what)


def labels(lab: LabLike) -> dict[str, str]:
    """What the notebook calls the processes, by pid: names that steps gave, which the supervisor does not know."""
    backend: Any = getattr(lab, "backend", None)
    if backend is None:
        return {}
    lab.snapshot()  # gives every process that is new its name
    pids = [row["pid"] for row in backend.look([])["processes"]]
    return {str(pid): name for pid in pids if (name := lab.naming.process(pid))}


def _ask_referee(identity: str, kind: str, run: str, names: dict[str, str], file: str) -> Verdict:
    question = {"id": identity, "kind": kind, "run": run, "labels": names, "progress": file}
    # -I: no variable and no directory of the caller's decides what is imported
    command = [sys.executable, "-I", "-c", _BOOT, PACKAGE]
    try:
        done = subprocess.run(
            command, input=json.dumps(question), capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        reply = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise NoReferee(f"the referee gave no verdict ({type(error).__name__})") from error
    if done.stderr:  # its one warning: progress could not be kept
        print(done.stderr.strip(), file=sys.stderr)
    if "no referee" in reply:
        raise NoReferee(reply["no referee"])
    if "broken" in reply:  # the lesson's own mistake: judging it here would make the same one
        message, likely, look = reply["broken"]
        raise LearnError(message, likely=likely, look=look)
    return Verdict(**reply | {"given": ()})
