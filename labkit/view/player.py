"""The step player: a walk with buttons.

Displaying a Walk shows it. What the browser gets is JSON (`labkit.view.describe`), and what comes
back are small messages, so that every act on the walk happens here, where cells run, one after the other:

    {op: "next" | "back" | "run" | "reset", id, seen}      id: answered in moment.done
    {op: "goto", position, id, seen}                       seen: the last moment.beat that was on the screen
    {op: "man", page}                                      answered by a message {man, runs | error}
    {op: "answer", value, id}                              to the question that is open
    {op: "again", question, id}                            ask this question once more

**Questions.** The module that asks (`labkit.view.cards`) calls `player.ask` and registers with `player.on_answer` and
`player.on_again`; the walk's gate decides whether Next may pass. The open question is a dict, or None:

    {"id": "q1", "text": "Which hostname will the lab host have?", "choices": ["lab", "c1"] or None,  # None: a line
     "waits": True}                                         # whether Next waits for the answer

What was answered is a list, in the order of the steps: how it turned out, or that Next will tell.

    {"id": "q1", "step": 3, "text": "Which …?", "right": True | False | None, "told": "You said …", "now": True}

`now`: it is about the step that is shown. While a question stands before a step, that step is shown, without changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import anywidget
import traitlets

from labkit.errors import LabError, QuestionOpen, StepError
from labkit.linux import rtnl
from labkit.steps import display
from labkit.steps.walk import Walk
from labkit.view import assets, describe, man, page, saved
from labkit.view import theme as themes
from labkit.view.turns import in_turn

Bundle = dict[str, Any]

_SCRIPTS = ("parts", "columns", "step", "question", "steplist", "manual", "controls", "player")
STYLE = "".join(assets.text(name) for name in ("player.css", "controls.css", "step.css", "panels.css", "question.css"))


class Player(anywidget.AnyWidget):
    """The widget of one walk. Several cells may show it; it follows the walk whoever moves it."""

    _esm = assets.module(*(f"{name}.js" for name in _SCRIPTS))
    _css = STYLE

    plan = traitlets.Dict().tag(sync=True)
    moment = traitlets.Dict().tag(sync=True)
    question = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    said: traitlets.List[describe.Json] = traitlets.List().tag(sync=True)
    theme = traitlets.Unicode().tag(sync=True)
    identity = traitlets.Unicode().tag(sync=True)
    recorded = traitlets.Unicode().tag(sync=True)  # where and when; empty for a lab that is live

    def __init__(self, walk: Walk) -> None:
        super().__init__(plan=describe.plan(walk.plan), theme=themes.current().name, recorded=display.recorded())
        self.walk = walk
        self.identity = self.model_id
        self._copy = saved.Copy(self)
        self._answering: list[Callable[[str, Any], None]] = []
        self._asking_again: list[Callable[[str], None]] = []
        self._hide: Sequence[str] | None = None
        self._stopped = False
        self._beat = self._refused_at = 0
        self._acting = ""
        self._notice: describe.Json | None = None
        self._show()
        walk.on_change(self._moved)
        themes.follow(self._follow)
        self.on_msg(self._receive)
        if not self.recorded and any("net" in step.probes for step in walk.plan):
            rtnl.warm()  # else the first Next that looks at a network waits for it

    def on_answer(self, listener: Callable[[str, Any], None]) -> None:
        """Call `listener` with the question's id and the answer whenever one is given."""
        self._answering.append(listener)

    def on_again(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with a question's id when it is to be asked once more."""
        self._asking_again.append(listener)

    def ask(
        self, question: describe.Json | None, said: list[describe.Json], *, hide: Sequence[str] | None = None
    ) -> None:
        """Show this question and what was answered; `hide` as in `describe.moment`, None where no question stands."""
        if (question, said, hide) == (self.question, self.said, self._hide):
            return
        with self.hold_sync():
            self.set_trait("question", question)
            self.said, self._hide = said, hide
            if not self._acting:
                self._show()

    # to the browser

    def _show(self, *, done: str = "") -> None:
        """Send where the walk stands now."""
        self._beat += 1
        moment = describe.moment(self.walk, hide=self._hide)
        moment |= {"beat": self._beat, "done": done, "notice": self._notice, "stopped": self._stopped}
        with self.hold_sync():
            self.plan = describe.plan(self.walk.plan)
            self.moment = moment
        self._copy.changed()

    def _moved(self) -> None:
        """The walk has moved: by a cell, or by one step of many."""
        self._notice, self._stopped = None, False
        if self._acting in ("", "run", "goto"):
            self._show()

    def _follow(self, chosen: themes.Theme) -> None:
        self.theme = chosen.name

    # from the browser

    def _receive(self, _: object, content: Bundle, __: object) -> None:
        """A message. Nothing that goes wrong may leave here as a traceback: it would be lost in a log."""
        op = content.get("op")
        if op == "man":
            self.send(self._page(str(content.get("page"))))
        elif op in ("next", "back", "goto", "run", "reset", "answer", "again"):
            in_turn(lambda: self._act(op, content))

    def _act(self, op: str, content: Bundle) -> None:
        """Do it, and tell how it went, whatever happens."""
        self._acting = op
        try:
            # two quick clicks, and the first failed: the second was made without knowing that
            if op not in ("next", "run") or content.get("seen", self._beat) >= self._refused_at:
                self._notice, self._stopped = None, False
                self._do(op, content)
        except QuestionOpen:  # nothing went wrong: the form is what is to be seen
            self._refused_at, self._stopped = self._beat + 1, True
        except BaseException as fault:  # a dead button explains nothing, so not even an interrupt passes
            self._refused_at = self._beat + 1
            self._notice = self._told(fault)
        finally:
            self._acting = ""
            self._show(done=str(content.get("id", "")))

    def _told(self, fault: BaseException) -> describe.Json | None:
        """What went wrong, unless the step itself tells it."""
        if isinstance(fault, LabError):
            told = isinstance(fault, StepError) and self.walk.error is fault
            return None if told else describe.error(fault) | {"is": "refused"}
        again = "Reset starts again in a fresh lab host"
        if isinstance(fault, KeyboardInterrupt):
            return {"is": "interrupted", "message": "interrupted in the middle of it", "likely": "", "look": again}
        what = f"{type(fault).__name__}: {fault}"
        return {"is": "broken", "message": what, "likely": "this is a mistake in labkit, not yours", "look": again}

    def _do(self, op: str, content: Bundle) -> None:
        walk = self.walk
        if op == "next":
            walk.next()
        elif op == "back" and len(walk.trace.taken) > walk.position:
            walk.goto(walk.position)  # the step that failed half-way is what is taken back
        elif op == "back":
            walk.back()
        elif op == "run":
            walk.run()
        elif op == "reset":
            walk.reset()
        elif op == "goto":
            walk.goto(int(content["position"]))
        elif op == "again":
            for again in self._asking_again:
                again(str(content.get("question")))
        elif self.question:
            for listener in self._answering:
                listener(str(self.question.get("id", "")), content.get("value"))

    def _page(self, name: str) -> Bundle:
        """The manual page, if this plan speaks of it."""
        try:
            if name not in self._pages():
                raise LabError(f"no step of this plan speaks of {name!r}", look="the pages beside the step's title")
            return {"man": name, "runs": man.page(name)}
        except LabError as fault:
            return {"man": name, "error": describe.error(fault)}

    def _pages(self) -> set[str]:
        steps = self.walk.steps
        return {p for step in steps for p in step.man()} | {f"{i.name}(2)" for step in steps for i in step.calls()}

    def static(self, last: bool) -> Bundle:
        """What is shown without a kernel: all steps that were taken, open, and the list of the others."""
        return {"text/plain": str(self.walk), "text/html": page.html(self.walk)}

    def _repr_mimebundle_(self, **_: object) -> tuple[Bundle, Bundle]:
        """As a cell's result: the same as the walk itself."""
        return saved.bundle(self), {}


_players: WeakKeyDictionary[Walk, Player] = WeakKeyDictionary()


def of(walk: Walk) -> Player:
    """The player of a walk, made when it is first asked for."""
    if walk not in _players:
        _players[walk] = Player(walk)
    return _players[walk]
