"""The screen of `labkit top`: a table that is drawn anew each second, and three keys.

The terminal is read letter by letter and without echo, as editors do, and given back as it was, whatever ends this.

See: termios(3) "Canonical and noncanonical mode", console_codes(4).
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from labkit.top import table
from labkit.top.rates import Row
from labkit.view.lettering import cells, clean

EVERY = 1.0  # seconds from one look to the next
_NUMBERS = range(2, len(table.HEADS))  # columns that are set flush right
_FIRST_TO_GO = (8, 6, 5, 7, 3, 0)  # columns that a narrow terminal does without

Look = Callable[[], tuple[list[Row], int]]


class State:
    """What keys have changed so far."""

    def __init__(self, order: str) -> None:
        self.order, self.paused, self.over = order, False, False
        self.aside = False  # somebody wants the terminal for a while

    def press(self, key: str) -> None:
        """q and Ctrl-D end it, p holds the picture, s sorts by the next column; all others do nothing."""
        orders = list(table.ORDERS)
        if key in ("q", "Q", "\x04"):
            self.over = True
        elif key in ("p", "P", " "):
            self.paused = not self.paused
        elif key in ("s", "S"):
            self.order = orders[(orders.index(self.order) + 1) % len(orders)]


def run(look: Look, order: str) -> None:
    """Show what `look` sees (rows, and how many labs there are) until somebody presses q."""
    state = State(order)
    console = Console()
    terminal = sys.stdin.fileno()
    usual = termios.tcgetattr(terminal)
    live = Live(console=console, screen=True, auto_refresh=False)
    with _letters(terminal, usual, state) as wait, live as shown:
        rows, labs = look()
        due = time.monotonic() + EVERY
        while not state.over:
            shown.update(page(rows, labs, state, *console.size), refresh=True)
            for key in wait(max(0.0, due - time.monotonic())):
                state.press(key)
            if state.aside:
                state.aside = False
                _stand_aside(terminal, usual, shown)
            if time.monotonic() >= due:
                due = time.monotonic() + EVERY
                rows, labs = (rows, labs) if state.paused else look()


def page(rows: Sequence[Row], labs: int, state: State, width: int, height: int) -> Table:
    """One picture: a line about it all, and the rows and columns for which the terminal has room."""
    there = f"{labs} lab{'s' * (labs != 1)}, {len(rows)} container{'s' * (len(rows) != 1)}"
    held = "  PAUSED" * state.paused
    title = f"labkit top: {there}, by {state.order}{held}   q quit  p pause  s sort"
    made = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="reverse", expand=True,
                 pad_edge=False, padding=(0, 2, 0, 0))  # fmt: skip
    if not rows:
        made.add_column(table.NOBODY if labs else table.NO_LABS)
        return made
    lines = [table.cells(row) for row in table.ordered(rows, state.order)[: max(1, height - 3)]]
    shown = _columns([list(table.HEADS), *lines], width)
    for number in shown:
        made.add_column(table.HEADS[number], justify="right" if number in _NUMBERS else "left", no_wrap=True)
    for line in lines:
        made.add_row(*(Text(clean(line[number])) for number in shown))
    return made


def _columns(lines: Sequence[Sequence[str]], width: int) -> list[int]:
    """The numbers of the columns that fit side by side; those that are needed least go first."""
    long = [max(map(cells, column)) + 2 for column in zip(*lines, strict=True)]
    shown = list(range(len(long)))
    for number in _FIRST_TO_GO:
        if sum(long[each] for each in shown) <= width:
            break
        shown.remove(number)
    return shown


def _stand_aside(terminal: int, usual: list[Any], shown: Live) -> None:
    """Ctrl-Z: the shell gets its screen back as it was, and ``fg`` brings ours."""
    ours = termios.tcgetattr(terminal)
    shown.stop()
    termios.tcsetattr(terminal, termios.TCSADRAIN, usual)
    os.kill(os.getpid(), signal.SIGSTOP)  # and here it goes on
    termios.tcsetattr(terminal, termios.TCSADRAIN, ours)
    shown.start(refresh=True)


@contextmanager
def _letters(terminal: int, usual: list[Any], state: State) -> Iterator[Callable[[float], str]]:
    """Gives a function that waits for so many seconds, and returns the keys that were pressed.

    A signal may come in the middle of a letter that is written, so what it asks for is only noted; a byte in a pipe
    ends the waiting. See: signal-safety(7).
    """
    bell, rope = os.pipe()

    def note(*_: object) -> None:
        state.aside = True
        os.write(rope, b"z")

    handlers: dict[int, Any] = {
        signal.SIGTERM: lambda *_: sys.exit(128 + signal.SIGTERM),  # so that all of this is undone
        signal.SIGTSTP: note,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    tty.setcbreak(terminal)

    def wait(seconds: float) -> str:
        ready = select.select([terminal, bell], [], [], seconds)[0]
        if bell in ready:
            os.read(bell, 64)
        pressed = os.read(terminal, 64) if terminal in ready else b""
        return "\x04" if terminal in ready and not pressed else pressed.decode("ascii", "replace")  # it was hung up

    try:
        yield wait
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, usual)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(bell)
        os.close(rope)
