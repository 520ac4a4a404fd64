"""What the grader says, and the help that a student has asked for.

The first thing shown is the verdict alone. A hint stays hidden until somebody asks for it: `given` holds what was
asked for, as (name, text); the hint for the state that was seen is in `hint` and printed nowhere by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from labkit.errors import LearnError
from labkit.steps.display import Shown
from labkit.steps.snapshot import Snapshot

HINTS = ("hint 1", "hint 2")
ANSWER = "model answer"
_ON_REQUEST = {"hint 1": "hint=1", "hint 2": "hint=2", ANSWER: "answer=True"}  #: the arguments that ask for it


@dataclass(frozen=True)
class Verdict(Shown):
    """Whether a task is solved. `way` names the right way that was recognised; `judge` is the process that looked."""

    id: str
    solved: bool
    way: str = ""
    hint: str = field(default="", repr=False)
    judge: str = "notebook"
    note: str = ""
    given: tuple[tuple[str, str], ...] = ()
    requests: str = ""  #: the arguments that ask for more help: ``hint=1, hint=2, answer=True``

    def __bool__(self) -> bool:
        return self.solved

    def details(self) -> list[str]:
        """The lines below the first: the way, what was asked for and what can be, a note."""
        lines = [f"your way: {self.way}"] if self.solved else []
        for name, text in self.given:
            lines += [f"{name}:", *(f"  {line}" for line in text.split("\n"))] if "\n" in text else [f"{name}: {text}"]
        lines += [f"on request: {self.requests}"] if self.requests else []
        return [*lines, f"note: {self.note}"] if self.note else lines

    def __str__(self) -> str:
        return "\n  ".join([f"{self.id}: {'solved' if self.solved else 'not yet'}", *self.details()])


class Task(Protocol):
    """What can be graded: a check, a fault."""

    @property
    def id(self) -> str:
        """``lesson/name``."""

    @property
    def probes(self) -> Sequence[str]:
        """The facts to be read."""

    @property
    def second_hint(self) -> str:
        """The hint that says more than the first; empty without one."""

    @property
    def model_answer(self) -> str:
        """One right way, as Python; empty without one."""

    def judge(self, facts: Snapshot) -> Verdict:
        """The verdict on these facts."""


def offered(task: Task, verdict: Verdict | None) -> tuple[str, ...]:
    """The names of the help that can be asked for after this verdict; nothing before the first one."""
    if verdict is None or not (verdict.solved or verdict.hint):  # a lab host without the fault has nothing to hint at
        return ()
    known = {"hint 1": verdict.hint, "hint 2": task.second_hint, ANSWER: task.model_answer}
    return tuple(name for name, text in known.items() if text and (name == ANSWER or not verdict.solved))


def on_request(task: Task, verdict: Verdict) -> str:
    """The arguments that ask for help which was not given yet; of a solved task nobody has to ask anything."""
    known = dict(verdict.given)
    names = () if verdict.solved else offered(task, verdict)
    return ", ".join(_ON_REQUEST[name] for name in names if name not in known)


def help_text(task: Task, verdict: Verdict | None, name: str) -> str:
    """The hint or the model answer. Raises LearnError where it cannot be asked for."""
    if name not in offered(task, verdict):
        there = ", ".join(offered(task, verdict)) or "none before the first check"
        raise LearnError(f"{task.id}: there is no {name} now", look=f"help that can be asked for: {there}")
    assert verdict is not None
    return {"hint 1": verdict.hint, "hint 2": task.second_hint, ANSWER: task.model_answer}[name]


def wanted(hint: int, answer: bool) -> list[str]:
    """The names of the help that the arguments of a check ask for. Raises LearnError for a hint 3."""
    if hint not in range(len(HINTS) + 1):
        raise LearnError(f"there is no hint {hint}", look="hint=1, hint=2, or answer=True")
    return [*HINTS[hint - 1 : hint if hint else 0], *([ANSWER] if answer else [])]
