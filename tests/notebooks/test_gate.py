"""Restart and run all: to the end with the gate off (the notebook ring does that), else to the first open question."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def test_with_the_gate_on_it_stops_at_the_first_question_and_shows_it(tmp_path: Path) -> None:
    [path] = NOTEBOOKS.glob("03-*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs = []
    here = {"metadata": {"path": str(NOTEBOOKS)}}
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", resources=here)
    with pytest.raises(CellExecutionError) as stopped:
        client.execute(env={"LABKIT_GATE": "on", "LABKIT_PROGRESS": str(tmp_path / "progress.jsonl")})
    assert stopped.value.ename == "QuestionOpen"
    last = next(cell for cell in code if "walk.goto(2)" in cell.source)
    [shown] = last.outputs
    assert shown.output_type == "display_data", "a card, no error"
    assert shown.data["text/plain"].split("\n") == [
        "step 2 waits for your prediction: The bakery asks the kernel for its own pid. What is the answer?",
        "  a) 0   b) 1   c) 3   d) 4",
        "  walk.answer(…), then run this cell again",
    ]
    below = code[code.index(last) + 1 :]
    assert below and not any(cell.outputs for cell in below)
