"""Cards: exercises, faults and quizzes with buttons; and the predictions, put into the step player.

The text of each is its own (`labkit.learn`); a card shows the same with radio buttons and a Check button,
and follows what cells do: a question answered by a cell is answered on the card. What the browser gets
is one JSON object, the *face*; what comes back are ``{op: "do"}`` and ``{op: "answer", number, value}``.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import anywidget
import traitlets

from labkit.errors import LabError
from labkit.learn.check import Posed, Verdict
from labkit.learn.fault import Planted
from labkit.learn.gating import Gate
from labkit.learn.predict import Feedback
from labkit.learn.quiz import Marked, Put, Sitting
from labkit.steps import display
from labkit.steps.walk import Walk
from labkit.view import assets, page, saved
from labkit.view import theme as themes
from labkit.view.player import STYLE, Player
from labkit.view.player import of as player_of
from labkit.view.turns import in_turn

Json = dict[str, Any]
Thing = Posed | Planted | Sitting


class Card(anywidget.AnyWidget):
    """The widget of one posed exercise, planted fault or quiz."""

    _esm = assets.module("parts.js", "question.js", "cards.js")
    _css = STYLE + assets.text("cards.css")

    face = traitlets.Dict().tag(sync=True)
    theme = traitlets.Unicode().tag(sync=True)
    identity = traitlets.Unicode().tag(sync=True)
    recorded = traitlets.Unicode().tag(sync=True)  # where and when; empty for a lab that is live

    def __init__(self, thing: Thing) -> None:
        super().__init__(face=face(thing), theme=themes.current().name, recorded=display.recorded())
        self.thing = thing
        self.identity = self.model_id
        self._copy = saved.Copy(self)
        thing.on_change(self._show)
        themes.follow(self._follow)
        self.on_msg(self._receive)

    def _show(self) -> None:
        self.face = face(self.thing)
        self._copy.changed()

    def static(self, last: bool) -> Json:
        """What is shown without a kernel: the same without buttons."""
        return {"text/plain": str(self.thing), "text/html": page.card(face(self.thing))}

    def _follow(self, chosen: themes.Theme) -> None:
        self.theme = chosen.name

    def _receive(self, _: object, content: Json, __: object) -> None:
        in_turn(lambda: self._act(content))

    def _act(self, content: Json) -> None:
        """Do it. What goes wrong is shown on the card; a traceback would be lost in a log."""
        try:
            if content.get("op") == "do" and not isinstance(self.thing, Sitting):
                self.thing.check()
            elif content.get("op") == "answer" and isinstance(self.thing, Sitting):
                self.thing.answer(int(content["number"]), content["value"])
        except BaseException as fault:  # a dead button explains nothing, so not even an interrupt passes
            text = str(fault) if isinstance(fault, LabError) else f"{type(fault).__name__}: {fault}"
            self.face = face(self.thing) | {"verdict": {"right": None, "text": text}}


def face(thing: Thing) -> Json:
    """What a card shows."""
    if isinstance(thing, Sitting):
        return _sitting(thing)
    if isinstance(thing, Posed):
        shown: Json = {"label": "Exercise", "title": _short(thing.task.id), "lines": [{"text": thing.task.task}]}
    else:
        fault = thing.fault
        tools = [{"text": tool, "code": True} for tool in fault.tools]
        lines = [{"text": fault.symptom}, {"text": "Look with:"}, *tools]
        shown = {"label": "Fault", "title": _short(fault.id), "lines": lines}
    return shown | {
        "questions": [],
        "button": "Check",
        "verdict": _verdict(thing.last) if thing.last is not None else None,
    }


def _short(identity: str) -> str:
    """The name under which the lesson knows it: ``own-name`` for ``nb03/own-name``."""
    return identity.partition("/")[2] or identity


def _verdict(verdict: Verdict) -> Json:
    text = verdict.way if verdict.solved else verdict.hint
    return {"right": verdict.solved, "text": f"{text} ({verdict.note})" if verdict.note else text}


def _sitting(sitting: Sitting) -> Json:
    questions = [_put(number, put, sitting.marked.get(number)) for number, put in enumerate(sitting.put, 1)]
    right, total = sitting.score
    done = {"right": right == total, "text": f"{right} of {total} are right."} if len(sitting.marked) == total else None
    shown = {"label": "Quiz", "title": f"{total} questions", "lines": [], "button": ""}
    return shown | {"questions": questions, "verdict": done}


def _put(number: int, put: Put, marked: Marked | None) -> Json:
    shown: Json = {"number": number, "ask": put.question.ask, "choices": put.choices, "said": "", "verdict": None}
    if marked is None:
        return shown
    truth = "" if marked.right else f"The kernel says {marked.truth}. "
    return shown | {"said": marked.said, "verdict": {"right": marked.right, "text": truth + marked.why}}


_cards: WeakKeyDictionary[Thing, Card] = WeakKeyDictionary()


def bundle(thing: Thing) -> Json:
    """The widget of `thing`, made when it is first shown."""
    if thing not in _cards:
        _cards[thing] = Card(thing)
    return saved.bundle(_cards[thing])


_connected: WeakKeyDictionary[Gate, Player] = WeakKeyDictionary()


def connect(walk: Walk) -> None:
    """Let the walk's step player ask the questions of its gate, and show what came of the answers."""
    gate, player = walk.gate, player_of(walk)
    if not isinstance(gate, Gate) or _connected.get(gate) is player:
        return
    _connected[gate] = player

    def show() -> None:
        player.set_trait("question", question(gate))

    def answer(identity: str, value: Any) -> None:
        gate.answer(identity, value)

    player.on_answer(answer)
    gate.on_change(show)
    show()


def question(gate: Gate) -> Json | None:
    """What the player's question panel shows where the walk stands: a question, an answer, or how it turned out."""
    judged = gate.feedback
    waiting = gate.question()
    if waiting is not None:
        before = f"{_told(judged[-1])} Next: " if judged else ""
        return {"id": waiting.id, "text": before + waiting.ask, "choices": _offered(waiting.choices), "answered": False}
    answered = gate.questions(gate.walk.position)
    if judged:
        last = judged[-1]
        return _answered(last.question.id, last.question.ask, last.question.choices, last.said) | {
            "right": last.right if last.said else None, "feedback": f"{_told(last)} {last.question.why}",
        }  # fmt: skip
    if answered:
        asked = answered[-1]
        return _answered(asked.id, asked.ask, asked.choices, gate.said(asked)) | {"feedback": "Now press Next and see."}
    return None


def _answered(identity: str, ask: str, choices: Any, said: str) -> Json:
    return {"id": identity, "text": ask, "choices": _offered(choices), "answered": True, "answer": said}


def _told(feedback: Feedback) -> str:
    said = f"You said {feedback.said}" if feedback.said else "You made no prediction"
    return f"{said}; the kernel: {feedback.truth}."


def _offered(choices: Any) -> list[str] | None:
    return None if isinstance(choices, str) else list(choices)
