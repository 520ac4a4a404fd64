"""The rows of `labkit top` in order, as texts for a terminal, and as data for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from labkit.top.rates import Row
from labkit.view.lettering import grid

HEADS = ("LAB", "CONTAINER", "CPU", "THROTTLED", "MEMORY", "READ/s", "WRITE/s", "PROCESSES", "WAITING cpu  mem   io")
#: by what rows can be sorted, the key `s` goes from one to the next; names up, all else down
ORDERS: dict[str, Callable[[Row], float]] = {
    "name": lambda row: 0.0,
    "cpu": lambda row: row.cpu_percent or 0.0,
    "memory": lambda row: row.memory or 0,
    "disk": lambda row: (row.read_a_second or 0.0) + (row.written_a_second or 0.0),
    "processes": lambda row: row.processes or 0,
}
NOBODY = "nothing runs in the labs of this user"
NO_LABS = "no lab of this user is running"


def ordered(rows: Sequence[Row], order: str) -> list[Row]:
    """Sorted; equals by name."""
    return sorted(rows, key=lambda row: (-ORDERS[order](row), row.lab, row.container))


def cells(row: Row) -> list[str]:
    """A row as texts, one for each of `HEADS`."""
    waiting = [_percent(row.waiting_percent.get(kind)).rjust(4) for kind in ("cpu", "memory", "io")]
    return [
        row.lab, row.container + " (frozen)" * row.frozen,
        _percent(row.cpu_percent, 1), _percent(row.throttled_percent),
        _of(_bytes(row.memory), _bytes(row.memory_max)), _bytes(row.read_a_second), _bytes(row.written_a_second),
        _of(_number(row.processes), _number(row.processes_max)),
        " ".join(waiting).rjust(len(HEADS[-1])) if row.waiting_percent else "-",
    ]  # fmt: skip


def text(rows: Sequence[Row], labs: int, order: str) -> str:
    """One table, as it is printed once."""
    if not rows:
        return NOBODY if labs else NO_LABS
    return "\n".join(grid([list(HEADS), *(cells(row) for row in ordered(rows, order))]))


def data(rows: Sequence[Row], labs: Sequence[str]) -> str:
    """The same as JSON: names and units as `labkit.top.rates.Row` has them, null for what nobody counts."""
    found = {"version": 1, "labs": list(labs), "containers": [asdict(row) for row in ordered(rows, "name")]}
    return json.dumps(found, indent=1)


def _percent(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}%"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _of(value: str, most: str) -> str:
    return value if most == "-" else f"{value} of {most}"


def _bytes(value: float | None) -> str:
    if value is None:
        return "-"
    for unit in ("B", "K", "M", "G"):
        if value < 1024 or unit == "G":
            break
        value /= 1024
    return f"{value:.0f}{unit}" if unit == "B" or value >= 100 else f"{value:.1f}{unit}"
