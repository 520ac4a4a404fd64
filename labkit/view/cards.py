"""Cards: exercises, faults, quizzes, a question that stopped a cell; and the predictions, put into the step player.

The text of each is its own (`labkit.learn`); a card shows the same with radio buttons and a Check button,
and follows what cells do: a question answered by a cell is answered on the card. What the browser gets
is one JSON object, the *face*, in which nothing stands that was not asked for. What comes back:

    {op: "do"}                        check
    {op: "help", name}                "hint 1", "hint 2", "model answer"
    {op: "plant"}                     the fault, once more
    {op: "answer", number, value}     to a question
    {op: "again", number}             ask that question, or set this task, once more
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import anywidget
import traitlets

from labkit.errors import LabError
from labkit.learn.check import Posed
from labkit.learn.fault import Planted
from labkit.learn.gating import Asked, Gate
from labkit.learn.gating import gate as is_closed
from labkit.learn.predict import Feedback
from labkit.learn.quiz import Marked, Put, Sitting
from labkit.learn.trial import Trial
from labkit.learn.verdict import ANSWER, Verdict
from labkit.steps import display
from labkit.steps.walk import Walk
from labkit.view import assets, page, saved
from labkit.view import theme as themes
from labkit.view.player import STYLE, Player
from labkit.view.player import of as player_of
from labkit.view.turns import in_turn

Json = dict[str, Any]
Thing = Posed | Planted | Sitting | Asked


class Card(anywidget.AnyWidget):
    """The widget of one posed exercise, planted fault, quiz or question."""

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
            self._do(content)
        except BaseException as fault:  # a dead button explains nothing, so not even an interrupt passes
            text = str(fault) if isinstance(fault, LabError) else f"{type(fault).__name__}: {fault}"
            self.face = face(self.thing) | {"verdict": {"right": None, "text": text}}

    def _do(self, content: Json) -> None:
        match self.thing, content:
            case Trial() as trial, {"op": "do"}:
                trial.check()
            case Trial() as trial, {"op": "help", "name": str(name)}:
                trial.ask(name)
            case (Trial() | Asked()) as thing, {"op": "again"}:
                thing.ask_again()
            case Planted() as planted, {"op": "plant"}:
                planted.plant_again()
            case Asked() as asked, {"op": "answer", "value": value}:
                asked.answer(value)
            case Sitting() as sitting, {"op": "answer", "number": number, "value": value}:
                sitting.answer(int(number), value)
            case Sitting() as sitting, {"op": "again", "number": number}:
                sitting.ask_again(int(number))


def face(thing: Thing) -> Json:
    """What a card shows. Nothing is in it that was not asked for: no hint, and no answer."""
    if isinstance(thing, Sitting):
        return _BARE | _sitting(thing)
    if isinstance(thing, Asked):
        return _BARE | _asked(thing)
    shown = _BARE | (_exercise(thing) if isinstance(thing, Posed) else _fault(thing))
    if thing.last is None or thing.was_reset:
        return shown
    given = [{"name": name.capitalize(), "text": text, "code": name == ANSWER} for name, text in thing.last.given]
    more = [_button("help", name.capitalize(), name) for name in thing.help if name not in dict(thing.last.given)]
    buttons = [_button("do", "Check again"), *more, _button("again", "Ask again")]
    return shown | {"verdict": _verdict(thing.last), "given": given, "buttons": buttons}


_BARE: Json = {"lines": [], "questions": [], "state": "", "verdict": None, "given": [], "buttons": []}


def _exercise(posed: Posed) -> Json:
    state = "The lab was reset since the last check." if posed.was_reset else ""
    if posed.solved and (posed.was_reset or posed.last is None):
        state = f"✓ Solved before. {state}"
    return {"label": "Exercise", "title": _short(posed.exercise.id), "lines": [{"text": posed.exercise.task}],
            "state": state, "buttons": [_button("do", "Check")]}  # fmt: skip


def _fault(planted: Planted) -> Json:
    fault = planted.fault
    lines = [{"text": fault.symptom}, {"text": "Look with:"}, *({"text": tool, "code": True} for tool in fault.tools)]
    shown: Json = {"label": "Fault", "title": _short(fault.id), "lines": lines}
    if not planted.was_reset:
        return shown | {"buttons": [_button("do", "Check")]}
    state = "✓ Repaired before. " * planted.solved + "Not planted any more: the lab was reset."
    return shown | {"state": state, "buttons": [_button("plant", "Plant again")]}


def _button(op: str, text: str, name: str = "") -> Json:
    return {"op": op, "text": text, "name": name}


def _asked(asked: Asked) -> Json:
    step, judged = asked.gate.walk.plan[asked.place], asked.gate.judged(asked.question)
    verdict = None
    if judged:
        verdict = {"right": judged.right if judged.said else None, "text": f"{_told(judged)} {judged.question.why}"}
    elif asked.said:
        verdict = {"right": None, "text": f"You said {asked.said}. Now run this cell again: it goes on from here."}
    shell = [] if "shell" in asked.question.hide else [{"text": f"$ {step.shell()}", "code": True}]
    put = {"number": 1, "ask": asked.question.ask, "choices": _offered(asked.question.choices), "said": asked.said}
    return {"label": "Predict", "title": f"before step {asked.place + 1}: {step.title}", "lines": shell,
            "questions": [put | {"verdict": verdict}]}  # fmt: skip


def _short(identity: str) -> str:
    """The name under which the lesson knows it: ``own-name`` for ``nb03/own-name``."""
    return identity.partition("/")[2] or identity


def _verdict(verdict: Verdict) -> Json:
    parts = [verdict.way, f"({verdict.note})" if verdict.note else ""]
    return {"right": verdict.solved, "text": " ".join(part for part in parts if part)}


def _sitting(sitting: Sitting) -> Json:
    questions = [_put(number, put, sitting.marked.get(number)) for number, put in enumerate(sitting.put, 1)]
    right, total = sitting.score
    done = {"right": right == total, "text": f"{right} of {total} are right."} if len(sitting.marked) == total else None
    return {"label": "Quiz", "title": f"{total} questions", "questions": questions, "verdict": done}


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
        player.ask(question(gate), said(gate), hide=hidden(gate))

    def answer(identity: str, value: Any) -> None:
        gate.answer(identity, value)

    player.on_answer(answer)
    player.on_again(gate.ask_again)
    gate.on_change(show)
    show()


def question(gate: Gate) -> Json | None:
    """The open question before the step at which the walk stands."""
    open_ = gate.question()
    if open_ is None:
        return None
    return {"id": open_.id, "text": open_.ask, "choices": _offered(open_.choices), "waits": is_closed()}


def said(gate: Gate) -> list[Json]:
    """All that was answered or has turned out, in the order of the steps. None of it is ever left out."""
    fresh = [each.question for each in gate.feedback]
    entries = []
    for asked in sorted(gate.predictions, key=lambda p: p.place(gate.walk.plan) or 0):
        place = asked.place(gate.walk.plan) or 0
        waiting = bool(gate.said(asked)) and place == gate.walk.position and gate.judged(asked) is None
        outcome = None if waiting else gate.outcome(asked)
        if outcome is None and not gate.said(asked):
            continue
        entry: Json = {"id": asked.id, "step": place + 1, "text": asked.ask, "now": waiting or asked in fresh}
        if outcome:
            entry |= {"right": outcome.right if outcome.said else None, "told": f"{_told(outcome)} {asked.why}"}
        else:
            entry |= {"right": None, "told": f"You said {gate.said(asked)}. Now press Next and see."}
        entries.append(entry)
    return entries


def hidden(gate: Gate) -> list[str] | None:
    """What is not shown of the step at which the walk stands; None where no question stands before it."""
    asked = gate.questions(gate.walk.position)
    return sorted({name for each in asked for name in each.hide}) if asked else None


def _told(feedback: Feedback) -> str:
    said = f"You said {feedback.said}" if feedback.said else "You made no prediction"
    return f"{said}; the kernel: {feedback.truth}."


def _offered(choices: Any) -> list[str] | None:
    return None if isinstance(choices, str) else list(choices)
