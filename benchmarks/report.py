"""What the parts hand back, and how it is printed: Markdown whose columns line up in a terminal too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.measure import Timing


@dataclass(frozen=True)
class Goal:
    """One promise and what became of it. `bound` and `figure` share `unit`; smaller is better.

    A figure of None: it could not be measured here, and the note says why.
    """

    work: str
    bound: float
    unit: str
    figure: float | None
    note: str = ""

    def row(self) -> tuple[str, str, str, str]:
        """Work, reach, measured, reached; a promise that is missed says by how much."""
        reach = f"≤ {self.bound:g} {self.unit}"
        if self.figure is None:
            return self.work, reach, f"not measured: {self.note}", "unknown"
        measured = f"{number(self.figure)} {self.unit}" + (f" ({self.note})" if self.note else "")
        verdict = "yes" if self.figure <= self.bound else f"no, {self.figure / self.bound - 1:.0%} over"
        return self.work, reach, measured, verdict


@dataclass(frozen=True)
class Part:
    """The result of one part: a table of all that was timed, remarks, and the goals it answers."""

    title: str
    lines: Sequence[str] = ()
    goals: Sequence[Goal] = field(default_factory=tuple)


def number(value: float) -> str:
    """Three digits that count: 0.071, 1.02, 35.4, 174."""
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(0, 3 - whole)}f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns line up."""
    body = [tuple(head), *map(tuple, rows)]
    widths = [max(len(row[column]) for row in body) for column in range(len(head))]
    body.insert(1, tuple("-" * width for width in widths))
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in body]
    return [f"| {line} |" for line in lines]


def timings(measured: Mapping[str, Timing], *, against: str | None = None) -> list[str]:
    """Median, best and p95 of each in milliseconds; with `against`, how the medians compare to that one's."""
    against = against if against in measured else None
    rows = []
    for name, timing in measured.items():
        cells = [name, *(number(1000 * value) for value in (timing.median, timing.best, timing.p95))]
        if against is not None:
            cells.append(number(timing.median / measured[against].median))
        rows.append(cells)
    head = ["", "median ms", "best ms", "p95 ms"] + ([f"× {against}"] if against is not None else [])
    return table(head, rows)
