"""Execute notebooks and store what they show: ``python tests/notebooks/execute.py notebooks/03-*.ipynb``.

What is stored is what a reader of the file, an exported page and the notebook ring need: text and pictures.
Widgets live only as long as their kernel and are left out; so are times. A second execution changes nothing
in the file. Predictions do not wait here (``LABKIT_GATE=off``), and no
student's progress is read or written.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

WIDGET = "application/vnd.jupyter.widget-view+json"
IGNORED = "nbval-ignore-output"  # not compared because it is of the machine it runs on; so it is not stored either
TIMEOUT = 120  # seconds for one cell


def environment(scratch: str) -> dict[str, str]:
    """The variables for a kernel that is nobody's own: gates open, progress in a file of `scratch`."""
    return {**os.environ, "LABKIT_GATE": "off", "LABKIT_PROGRESS": f"{scratch}/progress.jsonl"}


def execute(notebook: Any, directory: Path, variables: dict[str, str]) -> None:
    """Run all cells in a fresh kernel; their outputs are in `notebook` afterwards. Raises where a cell fails."""
    here = {"metadata": {"path": str(directory)}}
    client = NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3", record_timing=False, resources=here)
    client.execute(env=variables)


def tidy(notebook: Any) -> None:
    """Drop what differs from run to run and what only a live kernel can show."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            kept = () if IGNORED in cell.metadata.get("tags", ()) else cell.outputs
            cell.outputs = list(joined(kept))
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)


def joined(outputs: Sequence[Any]) -> Iterator[Any]:
    """The outputs, a stream that came in several pieces as one."""
    for (kind, name), pieces in groupby(outputs, key=lambda output: (output.output_type, output.get("name"))):
        if kind == "stream":
            yield nbformat.v4.new_output("stream", name=name, text="".join(piece.text for piece in pieces))
        else:
            yield from pieces


def main(paths: Sequence[str]) -> int:
    """Execute and store each; the exit status says whether all could be."""
    failed = 0
    for path in map(Path, paths):
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as scratch:
            try:
                execute(notebook, path.parent, environment(scratch))
            except Exception as error:  # whatever a cell raises: the next notebook has its turn all the same
                print(f"{path.name}: {error}", file=sys.stderr)
                failed = 1
                continue
        tidy(notebook)
        nbformat.write(notebook, path)
        print(f"{path.name}: stored")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
