"""The live panel: what up to ten containers use at this moment, and sliders that change what they may use.

    Panel(web, db)                      # of containers, each watched from now on
    Panel(web.watch(hz=20), minutes=1)  # of watches that somebody has already: no sliders

What the browser gets ten times a second is one message for all (`labkit.view.feed`); what comes back are

    {op: "hello", have}         a page is there that knows, by container, what came until these times
    {op: "here", have}          it is still there: every few seconds
    {op: "bye"}                 nobody looks any more
    {op: "limit", of, name, value, id}    a slider was moved; answered by {done: id, error}

In JupyterLab these are heard while a cell runs (kernel subshells, JEP 91), and a slider acts at once; a front end
without subshells delivers them when the cell has ended.

A panel lives until its cell is run again, until `end`, until all it watches has ended, or until nobody has looked
at it for as long as it shows: then there is nothing left to be shown.

See: https://github.com/leeoniya/uPlot, whose version 1.6.32 lies unchanged in `static/uplot` (MIT licence).
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import anywidget
import traitlets

from labkit.cgroups.limits import Limits
from labkit.errors import LabError
from labkit.steps import display
from labkit.view import assets, describe, knobs, page, saved, still, watched
from labkit.view import theme as themes
from labkit.view.feed import Feed, Json
from labkit.view.turns import Replaced, cell, in_turn, later
from labkit.view.watched import Kept, Limited

_CHANGES = 300  # of limits that are remembered: a slider that is pulled makes many
_WORTH_DRAWING = 2.0  # seconds: less than that is a figure of nothing
_LOOK = 0.5  # seconds between two looks at the limits, which a cell may change
_STYLE = "".join(assets.text(name) for name in ("uplot/uPlot.min.css", "player.css", "controls.css", "livepanel.css"))
_SCRIPTS = ("parts", "meters", "units", "marks", "chart", "knobs", "readings", "source", "livepanel")


class Panel(anywidget.AnyWidget):
    """The widget of some containers. Its text says whom it shows, and what they may use.

    `show` names charts (`still.CHARTS`); `minutes` are kept, and shown when one zooms out. Raises SpecError for what
    cannot be shown.
    """

    _esm = ""
    _css = ""

    names: traitlets.List[Any] = traitlets.List().tag(sync=True)
    #: by container: [{at, and what knobs.lines says}, …], oldest first
    limits: traitlets.List[Any] = traitlets.List().tag(sync=True)
    knobs: traitlets.List[Any] = traitlets.List().tag(sync=True)  # by container; none for a watch
    charts: traitlets.List[Any] = traitlets.List().tag(sync=True)
    minutes = traitlets.Float().tag(sync=True)
    hz: traitlets.List[Any] = traitlets.List().tag(sync=True)  # by container
    ended = traitlets.Bool(False).tag(sync=True)
    theme = traitlets.Unicode().tag(sync=True)
    identity = traitlets.Unicode().tag(sync=True)
    recorded = traitlets.Unicode().tag(sync=True)  # where and when; empty for a lab that is live

    def __init__(
        self, *of: Kept | Limited, minutes: float = 10, hz: float = 10, show: Sequence[str] = (), sliders: bool = True
    ) -> None:
        watched.check(of, minutes, show)
        _panels.add(self, cell())
        self._watches = [watched.watch(thing, hz) for thing in of]
        self._own = [watch for watch, thing in zip(self._watches, of, strict=True) if watch is not thing]
        self._limited: list[Limited | None] = [cast(Limited, t) if watched.limits(t) is not None else None for t in of]
        self._feed: Feed | None = None
        self._guard = threading.Lock()
        self._looked = 0.0
        self._alone: object = None  # since when nobody looks
        self._output: Any = None
        in_force = [watched.limits(thing) for thing in of]
        super().__init__(
            names=[thing.name for thing in of], minutes=float(minutes), hz=[float(watch.hz) for watch in self._watches],
            charts=list(show or still.CHARTS),
            limits=[[_told(limits or Limits())] for limits in in_force], theme=themes.current().name,
            recorded=display.recorded(),
            knobs=[
                [asdict(knob) for knob in knobs.knobs(limits)] if limits is not None and sliders else []
                for limits in in_force
            ],
            # read when a panel is wanted, not when this module is imported
            _esm=assets.text("uplot/uPlot.iife.min.js") + "\n" + assets.module(*(f"{name}.js" for name in _SCRIPTS)),
            _css=_STYLE,
        )  # fmt: skip
        self.identity = self.model_id
        self._copy = saved.Copy(self)
        self.on_msg(self._receive)
        themes.follow(self._follow)
        self._wait_for_somebody()

    def end(self) -> None:
        """Watch no longer. What was seen stays, and can still be looked at. Safe to call twice."""
        if self._stop() and self._output:
            self._output.update(saved.bundle(self), raw=True)
            self._copy.write()

    def replaced(self) -> None:
        """End it, and take it off the page."""
        self._stop()
        self.close()

    def _stop(self) -> bool:
        """Whether this was the first time."""
        with self._guard:
            first, self.ended = not self.ended, True
            if self._feed:
                self._feed.stop()
        if first:
            for watch in self._own:
                watch.close()
        return first

    def figure(self) -> still.Still:
        """What it shows now as a figure that stays, and as text."""
        stories = [
            still.Story(name, watch.samples, watch.events, limits[-1])
            for name, watch, limits in zip(self.names, self._watches, self.limits, strict=True)
        ]
        return still.Still(stories, minutes=self.minutes, charts=tuple(self.charts))

    # in the thread of the feed

    def _pass_on(self, message: Json, rows: bytes) -> None:
        now = time.monotonic()
        if now - self._looked > _LOOK:
            self._looked = now
            self._look()
        self.send(message, buffers=[rows])

    def _over(self, ended: bool) -> None:
        """The feed has come to its end: with those whom it watched, or because nobody looks."""
        with self._guard:
            self._feed = None
        if ended:
            in_turn(self.end)
        else:
            self._copy.changed()
            in_turn(lambda: self.send({}))  # a page that comes is heard by the main loop, whatever became of the other
            self._wait_for_somebody()

    def _wait_for_somebody(self) -> None:
        self._alone = now = object()
        later(60 * self.minutes, lambda: self.end() if self._alone is now else None)

    def _look(self) -> None:
        """Have the limits been changed?"""
        for number, container in enumerate(self._limited):
            limits = watched.limits(container)
            told = _told(limits) if limits is not None else None
            known = self.limits[number]
            if told and told | {"at": 0} != known[-1] | {"at": 0}:
                changed = [*known, told][-_CHANGES:]
                self.limits = [*self.limits[:number], changed, *self.limits[number + 1 :]]

    # from the browser

    def _receive(self, _: object, content: Json, __: object) -> None:
        match content:
            case {"op": "hello", "have": list(have)}:
                self._attend(have)
            case {"op": "here", "have": list(have)}:
                if feed := self._feed:
                    feed.heard()
                elif not self.ended:  # else the page has all that there ever was
                    self._attend(have)
            case {"op": "bye"} if self._feed:
                self._feed.stop()
            case {"op": "limit", "of": int(number), "name": str(name), "value": value, "id": ident}:
                self.send({"done": ident, "error": self._change(number, name, value)})
                self._look()

    def _attend(self, have: list[float]) -> None:
        """Somebody looks."""
        self._alone = None
        with self._guard:
            if not self._feed:
                self._feed = Feed(self._watches, send=self._pass_on, turn=in_turn, end=self._over)
                self._feed.start()
            self._feed.rewind(have)

    def _change(self, number: int, name: str, value: float | None) -> Json | None:
        """Set a limit; what goes wrong is shown beside the slider, where a traceback would be lost in a log."""
        container = self._limited[number]
        try:
            if container:
                container.limits(**knobs.change(container.limits(), name, value))
            return None
        except LabError as fault:
            return describe.error(fault)
        except Exception as fault:
            return {"message": f"{type(fault).__name__}: {fault}", "likely": "this is a mistake in labkit", "look": ""}

    def _follow(self, chosen: themes.Theme) -> None:
        self.theme = chosen.name

    def __str__(self) -> str:
        whom = " and ".join(filter(None, (", ".join(self.names[:-1]), self.names[-1])))
        lines = [f"live panel of {whom}: {', '.join(self.charts)}; the last {self.minutes:g} minutes"]
        wide = max(map(len, self.names))
        for name, container, limits in zip(self.names, self._limited, self.limits, strict=True):
            if container:
                lines.append(f"  {name:<{wide}}  {still.limits_text(limits[-1])}")
        return "\n".join(lines)

    def static(self, last: bool) -> Json:
        """What is shown without a kernel: text; and when all is over, or nobody looks, a figure of what was seen."""
        figure = self.figure()
        idle = last or self.ended or (self._looked and not self._feed)
        image = figure.png() if idle and figure.seconds >= _WORTH_DRAWING else b""
        text = f"{self}\n{figure}" if figure.seconds else str(self)
        shown = {"text/plain": str(self), "text/html": page.panel(text, image)}
        return shown | ({"image/png": b64encode(image).decode()} if image else {})

    def _ipython_display_(self) -> None:
        """As output with a name, so that the figure can be put there when all is over."""
        from IPython.display import display as show

        self._output = show(saved.bundle(self), raw=True, display_id=True)  # type: ignore[no-untyped-call]


_panels = Replaced(Panel.replaced)


def _told(limits: Limits) -> Json:
    return {"at": time.time(), **knobs.lines(limits)}
