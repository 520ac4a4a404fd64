"""For all rings: how Ctrl-C is taken, and what nbval compares of a cell's output."""

from __future__ import annotations

import signal
from typing import Any

# Started in the background (`./lab test &`), we inherit that SIGINT is ignored, and every exec would hand it on: to
# the scripts whose Ctrl-C is tested, and to containers that should find all signals as a fresh program does.
signal.signal(signal.SIGINT, signal.default_int_handler)

#: pictures are extra, and drawn from the same facts as the text
PICTURES = ("text/html", "image/svg+xml")


def pytest_collectstart(collector: Any) -> None:
    """nbval, "Skipping certain output types"."""
    if getattr(collector, "path", None) and collector.path.suffix == ".ipynb":
        collector.skip_compare += PICTURES
