"""The form of a lesson: what the style asks of a notebook, whatever it teaches."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from labkit import learn
from labkit.learn import course
from labkit.linux import machine

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LINES, WORDS = 12, 120  # the most in a cell of code, in a cell of text
#: tags with which nbval leaves an output out of the comparison, or a cell alone
UNCOMPARED = {"nbval-ignore-output", "nbval-skip"}

lessons = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[tuple[int, Any]]:
    notebook = nbformat.read(path, as_version=4)
    return [(number, cell) for number, cell in enumerate(notebook.cells) if cell.cell_type == kind]


def lesson(path: Path) -> str:
    return f"nb{path.name[:2]}"


def shown(cell: Any) -> str:
    """All that is stored as output of a code cell."""
    return "".join(str(output.get("text", "")) + str(output.get("data", "")) for output in cell.outputs)


def test_there_is_a_notebook_for_each_lesson_that_is_written() -> None:
    assert [lesson(path) for path in NOTEBOOKS] == list(course.written())


@lessons
def test_a_cell_fits_on_a_screen(path: Path) -> None:
    long = [number for number, cell in cells(path, "code") if len(cell.source.splitlines()) > LINES]
    wordy = [number for number, cell in cells(path, "markdown") if len(cell.source.split()) > WORDS]
    assert (long, wordy) == ([], [])


@lessons
def test_every_cell_that_is_not_compared_says_why(path: Path) -> None:
    silent = []
    for number, cell in cells(path, "code"):
        if UNCOMPARED & {*cell.metadata.get("tags", ())} and len(cell.metadata.get("not_compared", "")) < 10:
            silent.append(number)
        assert "nbval-skip" not in cell.metadata.get("tags", ()), f"cell {number} is not even run"
        assert "NBVAL" not in cell.source, f"cell {number} has its mark in the student's sight"
    assert silent == []


@lessons
def test_most_of_what_is_shown_is_compared(path: Path) -> None:
    told = [cell for _, cell in cells(path, "code") if cell.outputs]
    left_out = [cell for cell in told if "nbval-ignore-output" in cell.metadata.get("tags", ())]
    assert len(told) > 8 and len(left_out) <= len(told) / 5


@lessons
def test_no_output_names_the_machine_or_shows_a_traceback(path: Path) -> None:
    for number, cell in cells(path, "code"):
        text = shown(cell)
        assert all(output.output_type != "error" for output in cell.outputs), f"cell {number} stores an error"
        for trace in (str(ROOT), "Traceback (most recent", "site-packages", sys.prefix, "judged in the notebook"):
            assert trace not in text, f"cell {number} shows {trace!r}"
        assert not re.search(r"<[\w.]+ object at 0x", text), f"cell {number} shows an address"


@lessons
def test_it_was_stored_as_executed_from_first_to_last_cell(path: Path) -> None:
    assert [cell.execution_count for _, cell in cells(path, "code")] == [*range(1, len(cells(path, "code")) + 1)]
    for number, cell in cells(path, "code"):
        assert "model_id" not in shown(cell), f"cell {number} stores a widget, which died with its kernel"


@lessons
def test_it_runs_in_the_labs_kernel(path: Path) -> None:
    assert nbformat.read(path, as_version=4).metadata.kernelspec.name == "python3"


@lessons
def test_it_begins_with_a_title_and_ends_with_closing_its_lab(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    number = path.name[:2]
    assert re.match(rf"# {number}\b", notebook.cells[0].source), notebook.cells[0].source[:60]
    assert cells(path, "code")[-1][1].source == "lab.close()"


@lessons
def test_a_lesson_has_all_that_a_lesson_has(path: Path) -> None:
    assert learn.lesson(lesson(path)).lacks() == ()


def test_lesson_01_teaches_the_four_jobs_of_the_lecture() -> None:
    """Its table, its headings and what remains of it name the same four, in the lecture's words."""
    jobs = ("memory management", "process management", "device drivers", "system calls and security")
    assert tuple(machine.jobs({})) == jobs
    [path] = [path for path in NOTEBOOKS if lesson(path) == "nb01"]
    texts = [cell.source for _, cell in cells(path, "markdown")]
    headings = re.findall(r"^## \d+\. (.*)$", "\n".join(texts), re.MULTILINE)
    assert headings[0] == "Four jobs"
    assert sorted(heading.partition(":")[0].lower() for heading in headings[1:5]) == sorted(jobs)
    for text in (next(t for t in texts if "## 1. Four jobs" in t), texts[-1]):
        assert [job for job in jobs if job not in text.replace("**", "")] == []


@lessons
def test_all_that_a_lesson_declares_is_used_in_its_notebook(path: Path) -> None:
    text = "\n".join(cell.source for _, cell in cells(path, "code"))
    declared = learn.lesson(lesson(path))
    items = (*declared.predictions, *declared.checks, *declared.faults)
    if "lesson.predict()" in text:  # all of them
        items = (*declared.checks, *declared.faults)
    assert [item.id for item in items if f'"{item.id.partition("/")[2]}"' not in text] == []
    assert "quiz" in text
