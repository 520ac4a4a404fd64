"""What the browser asks for is done where cells run, one thing after the other.

Some kernels hand a widget's messages to a thread of their own (kernel subshells), so that a click is heard
while a cell runs. Then a click could take a step in the middle of another one; so it waits for its turn.

See: Jupyter Enhancement Proposal 91, "Kernel subshells".
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


def in_turn(act: Callable[[], None]) -> None:
    """Do it now on the main thread, else as soon as the cell that runs there has ended; in the order of asking."""
    if threading.current_thread() is threading.main_thread():
        act()
    else:
        from ipykernel.kernelbase import Kernel

        Kernel.instance().io_loop.add_callback(act)


def later(seconds: float, act: Callable[[], None]) -> None:
    """Do it on the main thread after so many seconds, between cells. Where no kernel runs nothing happens."""
    kernel = _kernel()
    if getattr(kernel, "io_loop", None):  # it has one from when it runs
        kernel.io_loop.add_callback(kernel.io_loop.call_later, seconds, act)


def attended() -> bool:
    """Whether the front end that runs this cell has a user: nbclient (nbconvert, papermill) takes no input."""
    parent = kernel.get_parent() if (kernel := _kernel()) else {}
    return bool(parent.get("content", {}).get("allow_stdin", True))


class Cell(NamedTuple):
    """A cell of a notebook, and which run of it this is."""

    id: str
    run: str


def cell() -> Cell | None:
    """The cell that runs, where the front end names its cells: JupyterLab, Notebook and VS Code do."""
    parent = kernel.get_parent() if (kernel := _kernel()) else {}
    known = parent.get("metadata", {}).get("cellId")
    return Cell(known, parent["header"]["msg_id"]) if known else None


class Replaced(Generic[T]):
    """What cells have made: a cell that is run again has what its run before made let go of by `let_go`."""

    def __init__(self, let_go: Callable[[T], None]) -> None:
        self._let_go = let_go
        self._by_cell: dict[str, tuple[str, list[weakref.ref[T]]]] = {}

    def clear(self, where: Cell | None) -> None:
        """Let go of what an earlier run of this cell has made; nothing outside of a notebook."""
        if where is None or self._by_cell.get(where.id, (where.run, []))[0] == where.run:
            return
        for earlier in self._by_cell.pop(where.id)[1]:
            if (known := earlier()) is not None:
                self._let_go(known)

    def add(self, thing: T, where: Cell | None) -> None:
        """`thing` was made by this run of a cell: what was made by an earlier one is let go of."""
        self.clear(where)
        if where is not None:
            made = self._by_cell.setdefault(where.id, (where.run, []))[1]
            made.append(weakref.ref(thing))


def _kernel() -> Any:
    ipython = sys.modules.get("IPython")
    return getattr(ipython.get_ipython(), "kernel", None) if ipython else None
