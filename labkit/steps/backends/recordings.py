"""Where the recordings of the course are: a file for each lesson, named after its notebook."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2]
PLACES = (_PACKAGE.parent / "notebooks" / "traces", _PACKAGE / "traces")
"""In a checkout beside the notebooks; in the package where it was installed from a wheel."""


def of(lesson: str) -> Path | None:
    """The recording of a lesson by its id (``nb03``), or the one that LABKIT_TRACE names; None if there is none."""
    if given := os.environ.get("LABKIT_TRACE"):
        return Path(given)
    number = lesson.removeprefix("nb")
    found = (path for place in PLACES for path in sorted(place.glob(f"{number}-*.jsonl")))
    return next(found, None) if number else None
