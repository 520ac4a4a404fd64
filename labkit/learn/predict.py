"""A prediction: a question before the deciding step, whose right answer is read off the trace after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from labkit.errors import LearnError
from labkit.learn import answers
from labkit.steps.display import Shown
from labkit.steps.step import Step
from labkit.steps.trace import Taken

HIDEABLE = ("calls", "shell")
Where = type[Step] | int | Callable[[Step], bool]


@dataclass(frozen=True, kw_only=True)
class Predict(Shown):
    """Ask before a step; let the step answer.

    `before` names the step: its class (the first one of it in the plan), its number as the plan prints
    it (from 1), or a function that recognises it. `answer` gets the step as it was taken (`Taken`: its
    calls, diff, facts before and after, error) and returns the right choice; nothing written here says
    which that is. `choices` are texts, or ``"number"``, or ``"text"``; with none given, yes or no.
    `settled_by` names a later step if it takes until then to know. `hide` names what of the step is not shown while
    the question stands before it, because it would tell the answer: ``"calls"``, ``"shell"``.
    """

    id: str
    before: Where
    ask: str
    answer: Callable[[Taken], object]
    why: str
    choices: answers.Choices = ("yes", "no")
    settled_by: Where | None = None
    hide: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        answers.check_id(self.id, "prediction")
        answers.check_texts(f"prediction {self.id}", ask=self.ask, why=self.why)
        answers.check_choices(self.choices, f"prediction {self.id}")
        if not {*self.hide} <= {*HIDEABLE}:
            raise LearnError(f"prediction {self.id} hides {self.hide!r}", look=f"some of {answers.names(HIDEABLE)}")
        if not callable(self.answer):
            raise LearnError(
                f"prediction {self.id}: the answer is written down: {self.answer!r}",
                look="answer=lambda taken: … computes it from the trace",
            )

    def pick(self, said: object) -> str:
        """The choice that is meant. Raises LearnError if it is none."""
        return answers.pick(said, self.choices, self.ask)

    def truth(self, taken: Taken) -> str:
        """What the kernel did, as one of the choices. Raises LearnError if the declaration does not fit the trace."""
        try:
            value = self.answer(taken)
        except LearnError:
            raise
        except Exception as error:
            raise LearnError(
                f"prediction {self.id} cannot read its answer in step {taken.number}: {error!r}",
                likely="the step's probes do not cover what is asked, or the step failed",
                look="print(walk.last)",
            ) from error
        if value is None:
            raise LearnError(f"prediction {self.id} finds no answer in step {taken.number}", look="print(walk.last)")
        text = answers.as_text(value)
        if isinstance(self.choices, str):
            return text
        for choice in self.choices:
            if answers.same(choice, text):
                return choice
        raise LearnError(
            f"prediction {self.id}: the trace says {text!r}, which was not offered",
            look=f"choices: {answers.names(self.choices)}",
        )

    def place(self, steps: Iterable[Step]) -> int | None:
        """The index (from 0) of the step before which to ask; None if it is not there."""
        return find(self.before, steps)

    def settled_at(self, steps: Iterable[Step]) -> int | None:
        """The index of the step that decides."""
        steps = tuple(steps)
        asked = self.place(steps)
        if self.settled_by is None or asked is None:
            return asked
        rest = None if isinstance(self.settled_by, int) else find(self.settled_by, steps[asked:])
        return find(self.settled_by, steps) if rest is None else asked + rest

    def __str__(self) -> str:
        return f"before the next step: {self.ask}\n  {answers.offered(self.choices)}"


def find(where: Where, steps: Iterable[Step]) -> int | None:
    """The index of the step that `where` names."""
    steps = tuple(steps)
    if isinstance(where, int):
        return where - 1 if 1 <= where <= len(steps) else None
    if isinstance(where, type):
        return next((index for index, step in enumerate(steps) if isinstance(step, where)), None)
    recognise: Callable[[Step], Any] = where
    return next((index for index, step in enumerate(steps) if recognise(step)), None)


@dataclass(frozen=True)
class Feedback(Shown):
    """A prediction beside what happened. `said` is empty if nobody answered."""

    question: Predict
    said: str
    truth: str

    @property
    def right(self) -> bool:
        """Whether the kernel did what was said."""
        return bool(self.said) and answers.same(self.said, self.truth, self.question.choices)

    def __str__(self) -> str:
        verdict = "right" if self.right else "not so" if self.said else "not answered"
        said = f"you said:    {self.said}" if self.said else "you said:    nothing"
        lines = [self.question.ask, said, f"the kernel:  {self.truth}", f"why:         {self.question.why}"]
        return "\n  ".join([f"prediction: {verdict}", *lines])
