"""How far a student is in one lesson: what is done, and what is open. It stands at the lesson's top and in the index.

A prediction is done when it has been made; an exercise, a fault and a question of the quiz when they are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.learn import table
from labkit.learn.progress import Book, book
from labkit.steps.display import Shown

#: of what is counted, one and several
WORDS = {
    "predict": ("prediction", "predictions"), "check": ("exercise", "exercises"), "fault": ("fault", "faults"),
    "quiz": ("quiz question", "quiz questions"),
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """`done` of `total` things of one of the kinds of `WORDS`."""

    kind: str
    done: int
    total: int


@dataclass(frozen=True)
class Standing(Shown):
    """The parts of the lesson `id` of which it has any, in the order of `WORDS`."""

    id: str
    parts: tuple[Part, ...]

    @property
    def done(self) -> int:
        """How many things are done."""
        return sum(part.done for part in self.parts)

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(part.total for part in self.parts)

    @property
    def title(self) -> str:
        """``lesson 03``."""
        return f"lesson {self.id.removeprefix('nb')}"

    @property
    def open(self) -> str:
        """What is not done, as words; empty where all is."""
        return _counted([(part.kind, part.total - part.done) for part in self.parts])

    def __str__(self) -> str:
        done = _counted([(part.kind, part.done) for part in self.parts])
        if not done:
            return f"{self.title}, not begun: {self.open}"
        return f"{self.title}, done: {done}; open: {self.open or 'nothing'}"


def standing(lesson: str, book: Book = book) -> Standing:
    """How far this student is in the lesson with this id. Raises LearnError if there is none."""
    return next(each for each in standings(book) if each.id == lesson)


def standings(book: Book = book) -> list[Standing]:
    """The same for all lessons, in their order."""
    found = []
    for name, _, cells, _asked in table.table(book).rows:
        parts = (
            Part(kind, cell.answered if kind == "predict" else cell.right, cell.total)
            for kind, cell in zip(table.KINDS, cells, strict=True)
        )
        found.append(Standing(name, tuple(part for part in parts if part.total)))
    return found


def _counted(numbers: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {WORDS[kind][number != 1]}" for kind, number in numbers if number)
