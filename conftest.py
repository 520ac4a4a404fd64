"""What nbval compares of a cell's output: its text. Pictures are extra, and drawn from the same facts."""

from __future__ import annotations

from typing import Any

PICTURES = ("text/html", "image/svg+xml")


def pytest_collectstart(collector: Any) -> None:
    """nbval, "Skipping certain output types"."""
    if getattr(collector, "path", None) and collector.path.suffix == ".ipynb":
        collector.skip_compare += PICTURES
