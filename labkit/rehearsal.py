"""A lesson without Jupyter: its cells run in this Python, one after the other, and show themselves as text.

    python -m labkit.rehearsal NOTEBOOK

With ``LABKIT_BACKEND=record`` that makes the lesson's recording, with ``replay`` it shows whether the recording
still fits. Besides the cells it takes the ways that a student has without writing any: through each walk with Next
and Back, and to the model answer of each exercise and fault. The exit status is 1 where a cell shows another
text than the one that is stored in the notebook.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.steps.walk import Walk

IGNORED = "nbval-ignore-output"  # the tag of a cell whose text is of the machine that it runs on


@dataclass(frozen=True)
class Cell:
    """A code cell: its number among them, what is in it, and the text that is stored below it (None: any)."""

    number: int
    source: str
    stored: str | None


def cells(notebook: Path) -> list[Cell]:
    """The code cells of a notebook."""
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in found if cell["cell_type"] == "code"]
    return [
        Cell(number, "".join(cell["source"]), None if IGNORED in cell["metadata"].get("tags", ()) else _stored(cell))
        for number, cell in enumerate(code)
    ]


def _stored(cell: dict[str, Any]) -> str:
    texts = (output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"])
    return _joined(["".join(text) for text in texts])


def _joined(texts: Sequence[str]) -> str:
    return "\n".join(text.rstrip("\n") for text in texts if text)


class Rehearsal:
    """One run of a lesson. `walks` are those that the student gets to see, in their order."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.walks: list[Walk] = []

    def run(self, cell: Cell) -> str:
        """Run one cell; returns the text that it shows. Raises what it raises."""
        tree = ast.parse(cell.source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        where, value = f"<cell {cell.number}>", None
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(tree, where, "exec"), self.names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), where, "eval"), self.names)
        self.walks += [each for each in self.names.values() if isinstance(each, Walk) and each not in self.walks]
        return _joined([printed.getvalue(), "" if value is None else text_of(value)])

    def wander(self) -> None:
        """Take the ways that nobody has to write a cell for."""
        lab, lesson = self.names["lab"], self.names["lesson"]
        for walk in self.walks:
            through(walk)
        for check in lesson.checks:
            lab.reset()
            with contextlib.suppress(LabError):  # a check may have no model answer
                check.solve(lab)
                check.run(lab)
        for fault in lesson.faults:
            lab.reset()
            planted = fault.plant(lab)
            planted.repair()
            planted.check()


def text_of(value: Any) -> str:
    """What a notebook shows of a value where it cannot draw."""
    bundle = value._repr_mimebundle_() if hasattr(value, "_repr_mimebundle_") else {}
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    return str(data.get("text/plain") or repr(value))


def through(walk: Walk) -> None:
    """From the beginning to the end, or to a step that fails; back from each step, and on again."""
    walk.reset()
    while walk.position < len(walk.plan):
        if walk.next(check=False).error:
            walk.next(check=False)  # who does not believe it presses again
            walk.goto(walk.position)
            break
        walk.back()
        walk.next(check=False)
    while walk.position:
        walk.back()


def rehearse(notebook: Path) -> Iterator[tuple[Cell, str]]:
    """Run a lesson; yields each cell with the text that it shows. The last one closes the lab."""
    rehearsal = Rehearsal()
    *most, last = cells(notebook)
    for cell in most:
        yield cell, rehearsal.run(cell)
    rehearsal.wander()
    yield last, rehearsal.run(last)


def main(path: str) -> int:
    """Run it and say what is not as it is stored."""
    status = 0
    for cell, text in rehearse(Path(path)):
        if cell.stored is not None and text != cell.stored:
            print(f"cell {cell.number} shows\n{text}\ninstead of\n{cell.stored}\n", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
