"""Making the recordings of the lessons anew: `labkit record`.

Each lesson is run live in a Python of its own (`labkit.rehearsal`), then once more from what was recorded. Only a
recording from which the lesson shows the text that is stored in its notebook takes the place of the old one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit.errors import LabError
from labkit.steps.backends import recordings

NOTEBOOKS = recordings.PLACES[0].parent
LARGEST = 250_000  # bytes: a recording is read, and kept in git


def notebooks(numbers: Sequence[str] = ()) -> list[Path]:
    """The notebooks of the lessons with these numbers (``03``); without numbers all. Raises LabError."""
    found = {path.name[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]-*.ipynb"))}
    if unknown := [number for number in numbers if number not in found]:
        raise LabError(f"there is no lesson {', '.join(unknown)}", look=f"lessons: {', '.join(found) or 'none here'}")
    return [found[number] for number in numbers or found]


def recording_of(notebook: Path) -> Path:
    """Where the recording of a notebook is kept."""
    return recordings.PLACES[0] / f"{notebook.stem}.jsonl"


def record(notebook: Path) -> int:
    """Record one lesson; returns the size in bytes. Raises LabError where it cannot be, and leaves the old one then."""
    with tempfile.TemporaryDirectory(prefix="labkit-record-") as scratch:
        fresh = Path(scratch, "recording.jsonl")
        for backend in ("record", "replay"):
            _run(notebook, backend, fresh)
        size = fresh.stat().st_size
        if size >= LARGEST:
            raise LabError(f"{notebook.name}: the recording has {size} bytes", likely=f"at most {LARGEST} are kept")
        recording_of(notebook).parent.mkdir(exist_ok=True)
        recording_of(notebook).write_bytes(fresh.read_bytes())
    return size


def _run(notebook: Path, backend: str, recording: Path) -> None:
    own = {"LABKIT_BACKEND": backend, "LABKIT_TRACE": str(recording), "LABKIT_GATE": "off"}
    own["LABKIT_PROGRESS"] = str(recording.with_name(f"{backend}-progress.jsonl"))  # each run begins as a new student
    done = subprocess.run(
        [sys.executable, "-m", "labkit.rehearsal", notebook], env=os.environ | own, cwd=notebook.parent,
        stderr=subprocess.PIPE, encoding="utf-8", check=False,
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"{notebook.name}: {'live' if backend == 'record' else 'replayed'}, {done.stderr.strip()}")


def main(numbers: Sequence[str]) -> int:
    """Record each, and say so."""
    for notebook in notebooks(numbers):
        print(f"{recording_of(notebook).name}: {record(notebook)} bytes", flush=True)
    return 0
