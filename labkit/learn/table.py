"""The progress as a table: for each lesson what is answered, solved and found."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.errors import LearnError
from labkit.learn import answers
from labkit.learn.course import Lesson, load, written
from labkit.learn.progress import Book, Record, book
from labkit.steps.display import Shown

KINDS = ("predict", "check", "fault", "quiz")
HEADS = ("predictions", "exercises", "faults", "quiz", "help")


@dataclass(frozen=True)
class Cell:
    """`right` of `answered` of `total`; what was wrong can be tried `again`, unless the first answer counts."""

    right: int
    answered: int
    total: int
    again: bool = True

    def __str__(self) -> str:
        if not self.total:
            return "-"
        wrong = self.answered - self.right
        word = "to try again" if self.again else "surprise" if wrong == 1 else "surprises"
        return f"{self.right} of {self.total}" + f" ({wrong} {word})" * (wrong > 0)


@dataclass(frozen=True)
class Table(Shown):
    """One row a lesson: id, title, a cell for each of `KINDS`, and how often a hint or a model answer was asked for."""

    rows: tuple[tuple[str, str, tuple[Cell, ...], int], ...]

    def __str__(self) -> str:
        rows = ((name, *map(str, cells), str(asked or "-")) for name, _, cells, asked in self.rows)
        lines = [("lesson", *HEADS), *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )


def table(book: Book = book) -> Table:
    """The progress of whoever runs this. A prediction counts as it was first made, all else as it stands."""
    records = book.records()
    names = sorted({*written(), *(answers.lesson_of(record["id"]) for record in records if record["kind"] in KINDS)})
    rows = []
    for name in names:
        lesson = _lesson(name)
        mine = [record for record in records if answers.lesson_of(record["id"]) == name]
        cells = tuple(_cell([r for r in mine if r["kind"] == kind], kind, lesson) for kind in KINDS)
        asked = sum(record["kind"] == "help" for record in mine)
        rows.append((name, lesson.title if lesson else "", cells, asked))
    return Table(tuple(rows))


def _lesson(name: str) -> Lesson | None:
    try:
        return load(name)
    except LearnError:
        return None


def _cell(records: list[Record], kind: str, lesson: Lesson | None) -> Cell:
    outcome: dict[str, bool] = {}
    answered = {record["id"] for record in records}
    for record in records:
        if "right" not in record:
            continue
        right = bool(record["right"])
        if kind == "predict":
            outcome.setdefault(record["id"], right)
        else:
            outcome[record["id"]] = right or (kind != "quiz" and outcome.get(record["id"], False))
    total = len(_declared(lesson, kind) if lesson else answered)
    return Cell(sum(outcome.values()), len(answered), max(total, len(answered)), again=kind != "predict")


def _declared(lesson: Lesson, kind: str) -> tuple[object, ...]:
    own = lesson.quiz.own if lesson.quiz else ()
    return {"predict": lesson.predictions, "check": lesson.checks, "fault": lesson.faults, "quiz": own}[kind]
