"""For all rings: how signals are taken, and what nbval compares of a cell's output."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

import pytest

from labkit.agent import start
from labkit.doctor import notice

# Started in the background (`./lab test &`) we inherit that SIGINT is ignored, and every exec would hand it on to the
# scripts whose Ctrl-C is tested.
signal.signal(signal.SIGINT, signal.default_int_handler)


# The same examples in every run of a ring: one that fails here fails again. `./lab test long` looks for new ones.
with contextlib.suppress(ImportError):  # a machine that only runs notebooks does without it
    from hypothesis import settings

    settings.register_profile("ring", derandomize=True)
    settings.register_profile("long", print_blob=True)
    settings.load_profile("long" if os.environ.get("LABKIT_LONG") else "ring")

#: how a test that takes too long is ended; which cells could not be measured; what a ring reports
pytest_plugins = ("time_limits", "too_busy", "ringreport.plugin")

#: pictures are extra, and drawn from the same facts as the text
PICTURES = ("text/html", "image/svg+xml")


def pytest_collectstart(collector: Any) -> None:
    """nbval, "Skipping certain output types"."""
    if getattr(collector, "path", None) and collector.path.suffix == ".ipynb":
        collector.skip_compare += PICTURES


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Hold lessons to what the way into the lab lets them do.

    A rootless lab shows other mounts, other numbers outside and other cgroups than those stored in the notebooks:
    there cells are run, not compared. A lesson that lacks something is not run: its recording is, in tests/notebooks.
    """
    cells = [item for item in items if getattr(item, "path", None) and item.path.suffix == ".ipynb"]
    if not cells or os.environ.get("LABKIT_BACKEND") == "replay" or start.choose() != "rootless":
        return
    for cell in cells:
        lacking = notice.of(f"nb{cell.path.name[:2]}").lacking or cell.cell.metadata.get("needs_root", "")
        if lacking:
            cell.add_marker(pytest.mark.skip(reason=f"this rootless lab cannot: {lacking}"))
        cell.options["check"] = False
