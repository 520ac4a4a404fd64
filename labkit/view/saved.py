"""What a saved notebook shows of a widget when the widget's kernel no longer runs.

A widget needs its kernel. The HTML beside it in the output of a cell does not, but it is made when the cell runs, and
a walk goes on afterwards. So every widget keeps a file with its newest HTML in the directory that ``LABKIT_SAVED``
names, as `./lab up` does; the server (`labkit.contents`) puts that HTML into the notebook whenever the notebook is
saved, and in place of the widget when the notebook is opened and the kernel has gone. Without that directory nothing
is kept.

See: docs/adr/0014-what-is-left-of-a-widget.md.
"""

from __future__ import annotations

import atexit
import json
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from labkit.steps import display
from labkit.view import turns
from labkit.view.markup import Markup, tag

Json = dict[str, Any]
VIEW = "application/vnd.jupyter.widget-view+json"
VARIABLE = "LABKIT_SAVED"
PAUSE = 0.5  # seconds: changes that follow each other faster are written once
AGAIN = "This is a saved picture, nothing in it is live. Run the cell again to go on."
_CLASS = "lk-saved"
_STYLE = f"""<style>
.{_CLASS}{{line-height:1.45;max-width:64em}} .{_CLASS} :is(p,h4,div,details){{margin:.3em 0;font-size:1em}}
.{_CLASS} pre{{white-space:pre-wrap;overflow-wrap:anywhere;margin:0 0 .5em;padding-left:1.2em}}
.{_CLASS} h4{{margin-top:1em}} .{_CLASS} details :is(p,pre){{margin-left:1.2em}} .{_CLASS} img{{max-width:100%}}
.{_CLASS} .lk-again{{border-left:3px solid #d55e00;padding:.2em .8em}}
</style>"""


def frame(title: str, *content: object) -> str:
    """A piece of HTML that stands for a widget, with the line that says how to go on."""
    head = tag("p", tag("strong", title)), tag("p", AGAIN, css="lk-again")
    return tag("div", Markup(_STYLE), *head, *content, css=_CLASS)


class Saved(Protocol):
    """A widget that can be shown without its kernel."""

    @property
    def model_id(self) -> str:
        """Its name in the messages between kernel and browser."""

    def static(self, last: bool) -> Json:
        """Its text/plain and text/html, without a kernel. `last`: the kernel is about to end; a second is no matter."""


def bundle(widget: Saved) -> Json:
    """What a cell shows of a widget: the widget, and text and HTML for where it cannot be shown.

    A front end that has no user (nbconvert --execute, papermill) gets no widget. It would store the widget's state, and
    the page that is made from it asks the network for the code that shows it: an empty frame, without a network.
    """
    static = widget.static(last=False)
    if not turns.attended():
        return static
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}, **static}


class Copy:
    """The file of one widget, written on the main thread, between cells."""

    def __init__(self, widget: Saved) -> None:
        directory = os.environ.get(VARIABLE)
        self._path = Path(directory) / f"{widget.model_id}.json" if directory else None
        self._widget = weakref.ref(widget)
        self._waiting = False
        if self._path:
            _copies.add(self)
            self.changed()

    def changed(self) -> None:
        """The widget shows something else now. Any thread may call it."""
        if self._path and not self._waiting:
            self._waiting = True
            turns.later(PAUSE, self.write)

    def write(self, *, last: bool = False) -> None:
        """Write the file. Raises OSError if that is not possible."""
        self._waiting = False
        widget = self._widget()
        if self._path is None or widget is None:
            return
        data = widget.static(last)
        data["text/html"] = display.badge() + data["text/html"]
        kept = {"processes": [os.getpid(), os.getppid()], "data": data}
        fresh = self._path.with_suffix(".new")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_text(json.dumps(kept), encoding="utf-8")
        fresh.replace(self._path)


_copies: weakref.WeakSet[Copy] = weakref.WeakSet()


@atexit.register
def _write_all() -> None:
    """Whatever waits, at once; then what takes longer, for a kernel that does not end is killed after five seconds."""
    for last in (False, True):
        for copy in list(_copies):
            copy.write(last=last)


# for the server


def kept(directory: Path, model_id: str) -> Json | None:
    """The file of a widget: {"processes": numbers of the kernel and of its parent, "data": MIME type → data}."""
    if not model_id.isalnum():  # it is the name of a file, and comes out of a notebook that anybody may have written
        return None
    try:
        return dict(json.loads((directory / f"{model_id}.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def refresh(notebook: Mapping[str, Any], directory: Path) -> None:
    """Put the newest HTML of each widget beside the widget."""
    for data in _views(notebook):
        if known := kept(directory, data[VIEW].get("model_id", "")):
            data.update(known["data"])


def replace_dead(notebook: Mapping[str, Any], directory: Path, running: Iterable[int]) -> None:
    """Put the newest HTML of each widget in its place, if no kernel among the processes `running` is its own.

    The widgets of others stay as they are.
    """
    alive = set(running)
    for data in _views(notebook):
        known = kept(directory, data[VIEW].get("model_id", ""))
        if known and alive.intersection(known["processes"]):
            continue
        if known or f'class="{_CLASS}"' in "".join(data.get("text/html", "")):
            data.update(known["data"] if known else {})
            del data[VIEW]


def _views(notebook: Mapping[str, Any]) -> Iterator[Json]:
    """The data of all outputs that show a widget."""
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if isinstance(data.get(VIEW), dict):
                yield data
