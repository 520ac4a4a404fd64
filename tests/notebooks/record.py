"""Record what the labs of lessons answer: ``python tests/notebooks/record.py notebooks/03-*.ipynb``.

The lesson is executed live; what its labs were asked and answered lands in ``notebooks/traces``, one file for
each lesson, named after it. ``LABKIT_BACKEND=replay LABKIT_TRACE=notebooks/traces/NAME.jsonl`` then gives the
same lesson on a machine without privileges. The notebook itself is left as it is.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from execute import environment, execute


def trace_of(notebook: Path) -> Path:
    """Where the recording of a notebook is kept."""
    return notebook.parent / "traces" / f"{notebook.stem}.jsonl"


def main(paths: Sequence[str]) -> int:
    """Record each. Raises where a cell fails."""
    for path in map(Path, paths):
        trace = trace_of(path)
        trace.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            recorded = Path(scratch) / trace.name
            variables = environment(scratch) | {"LABKIT_BACKEND": "record", "LABKIT_TRACE": str(recorded)}
            execute(nbformat.read(path, as_version=4), path.parent, variables)
            trace.write_bytes(recorded.read_bytes())
        print(f"{trace.name}: {trace.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
