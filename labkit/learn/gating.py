"""The gate of a walk: Next waits until the question before it is answered.

`attach` puts a gate on a walk. The gate reads the walk's plan to know where its questions stand and
the walk's trace to know what was right, so a walk that goes back and on again is judged again. A
question that was answered stays answered, also in tomorrow's walk; `Gate.ask_again` asks it once more.

An instructor opens all gates with ``learn.gate(False)``, a machine with ``LABKIT_GATE=off``: questions
can still be answered then, and are answered by the trace, but nothing waits.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable
from typing import Protocol

from labkit.errors import LearnError, QuestionOpen
from labkit.learn import answers
from labkit.learn.predict import Feedback, Predict
from labkit.learn.progress import Book, book
from labkit.steps.display import Shown
from labkit.steps.plan import Plan
from labkit.steps.trace import Trace
from labkit.steps.walk import Gate as Asks

_OFF = ("off", "0", "no", "false")
_instructor: list[bool] = []
_gates: weakref.WeakSet[Gate] = weakref.WeakSet()


def gate(closed: bool | None = None) -> bool:
    """Whether Next waits for predictions here. ``gate(False)`` opens all gates, ``gate(True)`` closes them again."""
    if closed is not None:
        _instructor[:] = [closed]
        for each in list(_gates):
            each.changed()
    return _instructor[0] if _instructor else os.environ.get("LABKIT_GATE", "on").strip().casefold() not in _OFF


class Walking(Protocol):
    """What a gate needs of a walk."""

    plan: Plan
    trace: Trace
    position: int
    gate: Asks | None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when position or trace have changed."""

    def goto(self, position: int, /) -> object:
        """Go to where `position` steps have been taken."""


def attach(walk: Walking, predictions: Iterable[Predict], *, book: Book = book) -> Gate:
    """Put the questions before the walk's steps; returns the gate, which is also ``walk.gate``."""
    made = Gate(walk, predictions, book=book)
    walk.gate = made
    walk.on_change(made.settle)
    return made


class Gate(Shown):
    """The predictions of one walk. Called with a position, it refuses (QuestionOpen) while a question there is open."""

    def __init__(self, walk: Walking, predictions: Iterable[Predict], *, book: Book = book) -> None:
        self.walk, self.book = walk, book
        self.predictions = tuple(predictions)
        self._listeners: list[Callable[[], None]] = []
        for prediction in self.predictions:
            self._check(prediction)
        if len({p.id for p in self.predictions}) < len(self.predictions):
            raise LearnError(
                "two predictions of this walk have the same id", look=answers.names([p.id for p in self.predictions])
            )
        _gates.add(self)

    def _check(self, prediction: Predict) -> None:
        asked, settled = prediction.place(self.walk.plan), prediction.settled_at(self.walk.plan)
        if asked is None or settled is None:
            missing = prediction.before if asked is None else prediction.settled_by
            name = getattr(missing, "__name__", missing)
            raise LearnError(
                f"prediction {prediction.id}: no step {name} in {self.walk.plan.name!r}", look="print(walk.plan)"
            )
        if settled < asked:
            raise LearnError(
                f"prediction {prediction.id} is settled by step {settled + 1}, before it is asked",
                look="print(walk.plan)",
            )

    def __call__(self, position: int) -> None:
        """Refuse while a question before the step at `position` is open. Raises QuestionOpen with the question."""
        question = self.question(position)
        if question is not None and gate():
            asked = Asked(self, question)
            raise QuestionOpen(
                asked.title, look=f"walk.answer(…) with {answers.offered(question.choices)}", asked=asked
            )

    def questions(self, position: int) -> tuple[Predict, ...]:
        """All questions before the step at `position`, answered or not."""
        return tuple(p for p in self.predictions if p.place(self.walk.plan) == position)

    def question(self, position: int | None = None) -> Predict | None:
        """The first open question before the step at `position` (None: where the walk stands)."""
        where = self.walk.position if position is None else position
        if position is None and len(self.walk.trace) > where:
            return None
        return next((p for p in self.questions(where) if not self.said(p)), None)

    def said(self, question: Predict) -> str:
        """What was last answered, in this walk or before a restart; empty if nothing fitting."""
        record = self.book.current(question.id, "predict")
        try:
            return question.pick(record["said"]) if record else ""
        except (LearnError, KeyError):  # the lesson was edited since
            return ""

    def answer(self, where: int | str | None, value: object) -> str:
        """Answer the question before the step at position `where` (or with that id); returns the choice taken.

        Raises LearnError for what is not among the choices, and where the kernel has answered already.
        """
        question = self._asked(where)
        if self._taken(question) is not None:
            raise LearnError(f"the kernel has answered already: {question.ask}", look="walk.back(), then predict")
        choice = question.pick(value)
        self.book.add("predict", question.id, said=choice)
        self.changed()
        return choice

    def ask_again(self, identity: str) -> None:
        """Ask the question with this id once more: the walk goes back to before its step, the answer counts no longer.

        What was written down stays: the progress counts a prediction as it was first made. Raises LearnError.
        """
        question = self._asked(identity)
        place = question.place(self.walk.plan)
        self.book.add("again", question.id)
        if place is not None and len(self.walk.trace) > place:
            self.walk.goto(place)
        self.changed()

    def _asked(self, where: int | str | None) -> Predict:
        if isinstance(where, str):
            found = next((p for p in self.predictions if p.id == where), None)
        else:
            position = self.walk.position if where is None else where
            found = self.question(position) or next(iter(self.questions(position)), None)
        if found is None:
            places = sorted({index + 1 for p in self.predictions if (index := p.place(self.walk.plan)) is not None})
            raise LearnError("there is no question here", look=f"questions stand before step {answers.names(places)}")
        return found

    def _taken(self, question: Predict) -> int | None:
        """The index of the deciding step in the trace, once it was taken or tried."""
        index = question.settled_at(self.walk.plan)
        return index if index is not None and index < len(self.walk.trace) else None

    def judged(self, question: Predict) -> Feedback | None:
        """The answer beside the truth, once the deciding step is in the trace."""
        index = self._taken(question)
        if index is None:
            return None
        return Feedback(question, self.said(question), question.truth(self.walk.trace.taken[index]))

    def outcome(self, question: Predict) -> Feedback | None:
        """How it turned out in this walk; before its step, how it turned out when it was answered, if it was."""
        record = self.book.current(question.id, "predict") or {}
        said = self.said(question)
        before = Feedback(question, said, str(record["truth"])) if said and "truth" in record else None
        return self.judged(question) or before

    @property
    def feedback(self) -> tuple[Feedback, ...]:
        """What the step taken last says to the predictions about it."""
        last = len(self.walk.trace) - 1
        judged = [self.judged(p) for p in self.predictions if last >= 0 and self._taken(p) == last]
        return tuple(each for each in judged if each is not None)

    def settle(self) -> None:
        """Write down how the answers to the step just taken turned out; the walk calls this when it changes."""
        for each in self.feedback:
            last = self.book.current(each.question.id, "predict") or {}
            if each.said and "right" not in last:
                self.book.add("predict", each.question.id, said=each.said, truth=each.truth, right=each.right)
        self.changed()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when a question was answered or judged."""
        self._listeners.append(listener)

    def changed(self) -> None:
        """Tell the listeners."""
        for listener in self._listeners:
            listener()

    def __str__(self) -> str:
        lines = [f"{len(self.predictions)} prediction{'s' * (len(self.predictions) != 1)} in this walk"]
        for prediction in self.predictions:
            index, judged = prediction.place(self.walk.plan), self.judged(prediction)
            state = f"you said {self.said(prediction)}" if self.said(prediction) else "open"
            if judged:
                state = f"{state}; the kernel: {judged.truth}" if judged.said else f"the kernel: {judged.truth}"
            place = f"before step {index + 1:2}" if index is not None else "not in this plan"
            lines.append(f"  {place}  {prediction.ask}  ({state})")
        return "\n".join(lines)


class Asked(Shown):
    """A question that has stopped a cell, to be answered below it."""

    def __init__(self, gate: Gate, question: Predict) -> None:
        self.gate, self.question = gate, question
        self.place = question.place(gate.walk.plan) or 0

    @property
    def title(self) -> str:
        """What waits for what, in a line."""
        return f"step {self.place + 1} waits for your prediction: {self.question.ask}"

    @property
    def said(self) -> str:
        """What was answered; empty while the question is open."""
        return self.gate.said(self.question)

    def answer(self, value: object) -> str:
        """Answer it; returns the choice taken. Raises LearnError for none of the choices."""
        return self.gate.answer(self.question.id, value)

    def ask_again(self) -> None:
        """Ask it once more."""
        self.gate.ask_again(self.question.id)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when it was answered, or its step was taken."""
        self.gate.on_change(listener)

    def __str__(self) -> str:
        answer = "walk.answer(…), then run this cell again"
        return "\n  ".join([self.title, answers.offered(self.question.choices), answer])
