"""A lesson: the predictions, checks, faults and the quiz of one notebook, in one module ``lessons/nbNN.py``.

The module's `LESSON` is read from disk by the notebook, by the referee and by the tests alike.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from labkit.errors import LearnError
from labkit.learn import answers
from labkit.learn.check import Check
from labkit.learn.fault import Fault
from labkit.learn.needs import EVERY_LESSON, Need
from labkit.learn.predict import Predict
from labkit.learn.quiz import Question, Quiz
from labkit.steps.display import Shown

if TYPE_CHECKING:
    from labkit.learn.standing import Standing

T = TypeVar("T", Predict, Check, Fault)
_ROOM = "labkit.learn.lessons"


@dataclass(frozen=True)
class Lesson(Shown):
    """What a notebook asks, and what it needs. Things are found by their id or by the part after the slash."""

    id: str
    title: str
    predictions: tuple[Predict, ...] = ()
    checks: tuple[Check, ...] = ()
    faults: tuple[Fault, ...] = ()
    quiz: Quiz | None = None
    needs: tuple[Need, ...] = EVERY_LESSON

    def __post_init__(self) -> None:
        ids = [item.id for item in self.items]
        for identity in ids:
            if answers.lesson_of(identity) != self.id:
                raise LearnError(f"{identity} stands in lesson {self.id}", look=f'id="{self.id}/…"')
        if len(set(ids)) < len(ids):
            twice = sorted({identity for identity in ids if ids.count(identity) > 1})
            raise LearnError(f"lesson {self.id} has ids twice", look=answers.names(twice))

    @property
    def items(self) -> tuple[Predict | Check | Fault | Question, ...]:
        """All there is, in order."""
        return (*self.predictions, *self.checks, *self.faults, *(self.quiz.own if self.quiz else ()))

    @property
    def progress(self) -> Standing:
        """What of it this student has done, and what is open."""
        from labkit.learn.standing import standing

        return standing(self.id)

    def prediction(self, name: str) -> Predict:
        """One prediction."""
        return _named(self, self.predictions, name)

    def predict(self, *names: str) -> list[Predict]:
        """Some predictions (all of them without names), for ``lab.walk(plan, predict=…)``."""
        return [self.prediction(name) for name in names] or list(self.predictions)

    def check(self, name: str) -> Check:
        """One exercise."""
        return _named(self, self.checks, name)

    def fault(self, name: str) -> Fault:
        """One fault."""
        return _named(self, self.faults, name)

    def lacks(self) -> tuple[str, ...]:
        """What a lesson of this course should have and this one has not; a test wants it empty."""
        lacking = []
        if not 2 <= len(self.predictions) <= 4:
            lacking.append(f"two to four predictions (it has {len(self.predictions)})")
        if len(self.checks) < 2:
            lacking.append(f"two exercises (it has {len(self.checks)})")
        if not self.faults:
            lacking.append("a planted fault")
        if self.quiz is None:
            lacking.append("a quiz")
        tasks: tuple[Check | Fault, ...] = (*self.checks, *self.faults)
        for task in tasks:
            lacking += [f"a second hint for {task.id}"] * (not task.second_hint)
            lacking += [f"a model answer to {task.id}"] * (not task.model_answer)
        return tuple(lacking)

    def __str__(self) -> str:
        counts = f"{len(self.predictions)} predictions, {len(self.checks)} exercises, {len(self.faults)} faults"
        return f"{self.id}  {self.title}: {counts}, {'a quiz' if self.quiz else 'no quiz'}"


def _named(lesson: Lesson, items: tuple[T, ...], name: str) -> T:
    full = name if "/" in name else f"{lesson.id}/{name}"
    for item in items:
        if item.id == full:
            return item
    raise LearnError(f"lesson {lesson.id} has no {name!r}", look=f"it has {answers.names([item.id for item in items])}")


def load(name: str) -> Lesson:
    """The lesson with this id, from its module. Raises LearnError if there is none."""
    if name not in written():
        raise LearnError(f"there is no lesson {name!r}", look=f"lessons: {answers.names(written())}")
    found = importlib.import_module(f"{_ROOM}.{name}").LESSON
    if not isinstance(found, Lesson) or found.id != name:
        raise LearnError(f"lessons/{name}.py has no LESSON with the id {name!r}")
    return found


def written() -> tuple[str, ...]:
    """The ids of all lessons that have a module."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(_ROOM).__path__)))


def find(identity: str) -> Check | Fault:
    """The check or fault with this full id. Raises LearnError."""
    for item in load(answers.lesson_of(identity)).items:
        if item.id == identity and isinstance(item, (Check, Fault)):
            return item
    raise LearnError(f"no lesson has a check or fault {identity!r}")


def question(identity: str) -> Question:
    """The quiz question with this full id. Raises LearnError."""
    for item in load(answers.lesson_of(identity)).items:
        if item.id == identity and isinstance(item, Question):
            return item
    raise LearnError(f"no lesson has a question {identity!r}")


def declares(task: object) -> bool:
    """Whether `task` is the very object that a lesson's module declares."""
    lesson = answers.lesson_of(str(getattr(task, "id", "")))
    return lesson in written() and any(item is task for item in load(lesson).items)
