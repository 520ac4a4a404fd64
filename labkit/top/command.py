"""The command `labkit top`: the screen, or one table as text or as data."""

from __future__ import annotations

import os
import sys
import time

from labkit.errors import LabError
from labkit.top import table
from labkit.top.meter import Meter

_BETWEEN = 0.5  # seconds between the two looks that a rate takes


def main(*, once: bool = False, as_json: bool = False, order: str = "name") -> int:
    """Show what the containers of all labs use; where there is no screen, once and as text. Raises LabError."""
    if order not in table.ORDERS:
        raise LabError(f"rows are not sorted by {order!r}", look=f"one of {', '.join(table.ORDERS)}")
    meter = Meter()
    if once or as_json or not _screen():
        if meter.look():
            time.sleep(_BETWEEN)
        rows = meter.look()
        print(table.data(rows, meter.labs) if as_json else table.text(rows, len(meter.labs), order))
        return 0
    from labkit.top import screen

    screen.run(lambda: (meter.look(), len(meter.labs)), order)
    return 0


def _screen() -> bool:
    """Whether there is a terminal that can be drawn on, and keys to be pressed."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
