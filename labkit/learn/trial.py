"""A task in a lab: a posed exercise, a planted fault. What both of them share: verdict, help, and the lab's reset.

    open      nothing was graded in this lab host yet
    not yet   graded, and not right; hints and the model answer can be asked for
    solved

A trial follows its lab: a verdict speaks of one lab host, so with a fresh one the state is open again. It holds the
lab weakly: a card that still stands in the notebook keeps no lab alive.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from labkit.errors import LearnError
from labkit.learn.progress import Book
from labkit.learn.verdict import Task, Verdict, help_text, offered, on_request, wanted
from labkit.steps.display import Shown

if TYPE_CHECKING:
    from labkit.learn.judging import LabLike


class Trial(Shown):
    """`last` is the verdict on this lab host, `solved` whether any lab host was right since the task was set."""

    kind = "check"  #: of its records in the progress

    def __init__(self, task: Task, lab: LabLike, book: Book) -> None:
        self.task, self.book, self._lab = task, book, weakref.ref(lab)
        self.generation = lab.generation
        self.last: Verdict | None = None
        self.solved = False
        self._listeners: list[Callable[[], None]] = []
        lab.on_reset(self._reset)

    @property
    def lab(self) -> LabLike:
        """The lab that it is in. Raises LearnError when that is gone."""
        lab = self._lab()
        if lab is None:
            raise LearnError(f"the lab in which {self.task.id} was set is gone", look="run the first cell again")
        return lab

    @property
    def was_reset(self) -> bool:
        """Whether the lab has another lab host by now, or is gone."""
        lab = self._lab()
        return lab is None or lab.generation != self.generation

    @property
    def state(self) -> str:
        """``open``, ``not yet`` or ``solved``: of the lab host that the lab has now."""
        if self.last is None or self.was_reset:
            return "open"
        return "solved" if self.last.solved else "not yet"

    @property
    def help(self) -> tuple[str, ...]:
        """The names of the help that can be asked for now."""
        return offered(self.task, self.last)

    def check(self, *, hint: int = 0, answer: bool = False) -> Verdict:
        """Grade the lab as it is now, write down the outcome, and give the help that is asked for."""
        names = wanted(hint, answer)
        verdict = self._verdict()
        verdict = replace(verdict, requests=on_request(self.task, verdict))
        self.last, self.solved = verdict, self.solved or verdict.solved
        try:
            for name in names:
                if name in self.help or not verdict.solved:  # a hint for what is solved already is no mistake
                    self._give(name)
        finally:
            self._changed()
        return verdict if self.last is None else self.last  # an unsolved one is false

    def ask(self, name: str) -> str:
        """Give ``hint 1``, ``hint 2`` or ``model answer``. Raises LearnError before the first check."""
        text = self._give(name)
        self._changed()
        return text

    def ask_again(self) -> None:
        """Forget verdict and help, so that the task is open once more; what was written down stays."""
        self.last = None
        self.book.add("again", self.task.id)
        self._changed()

    def _verdict(self) -> Verdict:
        from labkit.learn.judging import judge  # brings subprocess along, which only grading needs

        verdict = judge(self.task, self.lab, kind=self.kind, book=self.book)
        self.generation = self.lab.generation
        return verdict

    def _give(self, name: str) -> str:
        text = help_text(self.task, self.last, name)
        if self.last is not None and name not in dict(self.last.given):
            more = replace(self.last, given=(*self.last.given, (name, text)))
            self.last = replace(more, requests=on_request(self.task, more))
            self.book.add("help", self.task.id, what=name)
        return text

    def _reset(self) -> None:
        """The lab has a fresh lab host."""
        self.last = None
        self._changed()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the state has changed, or help was given."""
        self._listeners.append(listener)

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    def details(self) -> list[str]:
        """The state in lines of text: what the verdict says, and how to ask for help."""
        if self.last is None:
            return ["state: open; the lab was reset since"] if self.was_reset else []
        return self.last.details()
