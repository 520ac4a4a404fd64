"""A cell that says that the machine is too busy is skipped with that reason; any other difference still fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat

from labkit.learn.measured import TOO_BUSY

ROOT = Path(__file__).resolve().parents[2]


def cell(source: str, stored: str) -> nbformat.NotebookNode:
    output = nbformat.v4.new_output("stream", name="stdout", text=stored)
    return nbformat.v4.new_code_cell(source, execution_count=1, outputs=[output])


def test_a_cell_that_could_not_be_measured_is_skipped(tmp_path: Path) -> None:
    said = f"it is slower: {TOO_BUSY} (about 3 times)"
    cells = [
        cell("print('it is slower: True')", "it is slower: True\n"),
        cell(f"print({said!r})", "it is slower: True\n"),
        cell("print('it is slower: False')", "it is slower: True\n"),
        cell(f"print({said!r}); 1 / 0", "it is slower: True\n"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "busy.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-q", "-p", "no:cacheprovider", "--nbval",
         "--nbval-current-env", "tests/time_limits.py", tmp_path / "busy.ipynb"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "2 failed, 1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    assert f"{TOO_BUSY}: Cell 1" in done.stdout, "the reason, and where"
