"""A kernel that has just started, as ./lab up starts it: what is not there yet is answered with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from labkit import jupyter

Run = Callable[[str], str]
FIRST = "run the first cell again"


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a kernel of the course."""
    for name, place in {"STATE": "", "TOKEN": "token", "CONFIG": "jupyter/config"}.items():
        monkeypatch.setattr(jupyter, name, tmp_path / "state" / place)
    return {**jupyter.surroundings(), "LABKIT_BACKEND": "dry"}


def kernel(variables: dict[str, str]) -> Iterator[Run]:
    client = NotebookClient(nbformat.v4.new_notebook(), timeout=60, kernel_name="python3")
    with client.setup_kernel(env=variables):

        def run(source: str) -> str:
            cell: Any = nbformat.v4.new_code_cell(source)
            client.nb.cells.append(cell)
            try:
                client.execute_cell(cell, len(client.nb.cells) - 1)
            except CellExecutionError:
                return "\n".join(cell.outputs[-1].traceback)
            return "".join(output.get("text", "") for output in cell.outputs)

        yield run


@pytest.fixture
def ours(course: dict[str, str]) -> Iterator[Run]:
    yield from kernel(course)


@pytest.fixture
def another(course: dict[str, str], tmp_path: Path) -> Iterator[Run]:
    yield from kernel({**course, "IPYTHONDIR": str(tmp_path / "of-the-users-own")})


def test_a_lab_that_is_not_there_is_answered_with_the_first_cell(ours: Run) -> None:
    assert ours("import sys; print('labkit' in sys.modules)") == "False\n", "a kernel starts as quickly as before"
    assert ours("walk.next()").splitlines() == [
        "NameError: name 'walk' is not defined",
        "  likely: this kernel has just started: nothing of the lesson has run in it",
        f"  look:   {FIRST}, then this one (menu Run: Run All Above Selected Cell)",
    ]
    assert ours("print('_first_cell' in globals())") == "False\n"
    ours("import labkit")
    assert "has not run to its end" in ours("lab.reset()")
    assert FIRST not in ours("nonsense"), "a slip of the fingers is none of its business"
    assert "Traceback" in ours("1 / 0")


def test_so_is_one_that_is_closed(ours: Run) -> None:
    ours("from labkit import Lab\nlab = Lab()\nwalk = lab.walk(lab.plans.container('busybox'))\nlab.close()")
    for use in ("lab.run('busybox', 'true')", "walk.next()", "lab.snapshot()", "lab.reset()"):
        assert ours(use).splitlines() == [
            "ClosedError: this lab is closed",
            f"  look:   {FIRST}: lab = Lab() opens a new one",
        ]
    assert FIRST in ours("print(lab)")


def test_other_kernels_of_the_same_user_are_left_alone(another: Run) -> None:
    assert FIRST not in another("lab.reset()")
