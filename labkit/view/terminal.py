"""A terminal in a container, as a widget: xterm.js in the browser, a shell with a terminal of its own in the lab.

    container.shell()

What is typed comes as messages, what the shell writes goes back as messages (`labkit.view.flow`):

    {op: "hello", view}            a view is there: answered by {again: view, total} with the last lines
    {op: "type", text}             {op: "size", rows, columns}
    {op: "drawn", total}           so many bytes are on the screen
    {total} and a buffer           what the shell wrote; total: bytes up to its end

All keys are the shell's, Ctrl+S too, which stops the terminal's output until Ctrl+Q (termios(3), IXON). Shift+Esc
leaves the terminal, and keys with Meta (Cmd on a Mac) are JupyterLab's.

A container has one shell of this kind: the cell that is run again shows the same one again. Where there is no
notebook, or no xterm.js, the command for any other terminal is what remains.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import anywidget
import traitlets

from labkit.container.container import Container
from labkit.container.terminal import Terminal
from labkit.steps.display import Shown
from labkit.view import assets, page, saved, xterm
from labkit.view import theme as themes
from labkit.view.flow import Flow
from labkit.view.turns import in_turn

_LINES = 60  # that a saved notebook shows
#: ECMA-48: control sequences, operating system commands, other escapes, control characters
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f]"
)
_MOST = 500  # rows and columns; a terminal stores them in 16 bits


class Ground(Protocol):
    """What a shell stands on: a lab."""

    def terminal(self, container: Container) -> Terminal:
        """A shell with a terminal of its own."""


class Shell(anywidget.AnyWidget):
    """The widget of one shell. Its text is the command that opens another one in any terminal."""

    _esm = ""
    _css = ""

    where = traitlets.Unicode().tag(sync=True)
    command = traitlets.Unicode().tag(sync=True)
    ended = traitlets.Bool(False).tag(sync=True)
    theme = traitlets.Unicode().tag(sync=True)
    identity = traitlets.Unicode().tag(sync=True)

    def __init__(self, lab: Ground, container: Container) -> None:
        command = container.shell_command
        self._terminal = lab.terminal(container)
        # xterm.js is read when a terminal is wanted, not when this module is imported
        super().__init__(
            where=container.name, command=command, theme=themes.current().name,
            _esm=xterm.module() + assets.module("parts.js", "terminal.js"),
            _css=xterm.css() + assets.text("terminal.css"),
        )  # fmt: skip
        self.identity = self.model_id
        self._copy = saved.Copy(self)
        self._flow = Flow(os.dup(self._terminal.fd), out=self._wrote, end=self._over)
        self.on_msg(self._receive)
        themes.follow(self._follow)
        self._flow.start()

    def hang_up(self) -> None:
        """End the shell. Safe to call twice."""
        self._flow.stop()
        self._terminal.close()

    def _follow(self, chosen: themes.Theme) -> None:
        self.theme = chosen.name

    # in the thread of the flow, which may use nothing of the lab

    def _wrote(self, data: bytes, total: int) -> None:
        self.send({"total": total}, buffers=[data])
        self._copy.changed()

    def _over(self) -> None:
        self.ended = True
        in_turn(self._terminal.close)

    # from the browser

    def _receive(self, _: object, content: dict[str, Any], __: object) -> None:
        match content:
            case {"op": "hello", "view": view}:
                data, total = self._flow.again()
                self.send({"again": view, "total": total}, buffers=[data])
            case {"op": "type", "text": str(text)}:
                self._flow.write(text.encode())
            case {"op": "drawn", "total": int(total)}:
                self._flow.drawn(total)
            case {"op": "size", "rows": int(rows), "columns": int(columns)}:
                with contextlib.suppress(OSError):  # it may have ended meanwhile
                    self._terminal.resize(min(max(rows, 1), _MOST), min(max(columns, 1), _MOST))

    def __str__(self) -> str:
        return self.command

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        return saved.bundle(self), {}

    def static(self, last: bool) -> dict[str, Any]:
        """What is shown without a kernel: the last lines, and the command for another shell."""
        written = _CONTROL.sub("", self._flow.kept().decode(errors="replace").replace("\r\n", "\n"))
        lines = written.splitlines()[-_LINES:]
        return {"text/plain": str(self), "text/html": page.terminal(self.where, self.command, "\n".join(lines))}


class Command(Shown):
    """The command, where a terminal cannot be shown, and why it cannot."""

    def __init__(self, command: str, remark: str = "") -> None:
        self.command, self.remark = command, remark

    def __str__(self) -> str:
        return f"{self.command}\n{self.remark}" if self.remark else self.command


_shells: WeakKeyDictionary[Container, Shell] = WeakKeyDictionary()


def shell(lab: Ground, container: Container) -> Shell | Command:
    """A terminal in `container`, or the command for one. Raises SpecError if the container has ended."""
    if not _in_notebook():
        return Command(container.shell_command)
    if not xterm.installed():
        return Command(container.shell_command, f"(for a terminal in the notebook: apt install {xterm.PACKAGE})")
    known = _shells.get(container)
    if known is None or known.ended:
        known = _shells[container] = Shell(lab, container)
    return known


def _in_notebook() -> bool:
    """Whether a kernel runs here that can speak to a browser."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython(), "kernel") if ipython else False
