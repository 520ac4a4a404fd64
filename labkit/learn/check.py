"""An exercise: a task, several right ways to do it, a hint for each usual wrong one, and a model answer.

What counts is the state of the kernel, not the code that led there: the predicates of a check get a
`Snapshot` of facts that the supervisor read. `labkit.learn.seen` holds what predicates are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.errors import LearnError
from labkit.learn import answers, solution
from labkit.learn.progress import Book, book
from labkit.learn.trial import Trial
from labkit.learn.verdict import Verdict
from labkit.steps.display import Shown
from labkit.steps.fact import PROBES
from labkit.steps.snapshot import Snapshot

if TYPE_CHECKING:
    from labkit.learn.judging import LabLike

Predicate = Callable[[Snapshot], bool]


@dataclass(frozen=True, kw_only=True)
class Check(Shown):
    """A task that the kernel marks.

    `accept` holds ``(name of the way, predicate)``, at least two; the first that is true has solved it.
    `hints` holds ``(predicate, hint)``, at least three; the first that is true is hint 1, else `otherwise`.
    `second_hint` says more, whatever the state. `model` is one right way, as Python that the student could have
    typed: with its own imports, and from a fresh lab host on. `probes` are the facts that are read (all of them
    unless said).
    """

    id: str
    task: str
    accept: Sequence[tuple[str, Predicate]]
    hints: Sequence[tuple[Predicate, str]]
    otherwise: str = "nothing that this task asks for is there yet; read the task again and look at lab.facts(…)"
    probes: Sequence[str] = PROBES
    second_hint: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        subject = f"check {self.id}"
        answers.check_id(self.id, "check")
        answers.check_texts(subject, task=self.task, otherwise=self.otherwise)
        if len(self.accept) < 2 or len({name for name, _ in self.accept}) < len(self.accept):
            raise LearnError(
                f"{subject} accepts {len(self.accept)} way(s)",
                look="accept=[(name, predicate), …]: two different ones or more",
            )
        if len(self.hints) < 3 or len({hint for _, hint in self.hints}) < len(self.hints):
            raise LearnError(
                f"{subject} has {len(self.hints)} hint(s)",
                look="hints=[(predicate, hint), …]: three different ones or more",
            )
        check_probes(subject, self.probes)
        if self.model:
            solution.check_code(f"{subject}: model", self.model)

    @property
    def model_answer(self) -> str:
        """The model, as it is shown."""
        return solution.tidy(self.model)

    def judge(self, facts: Snapshot) -> Verdict:
        """The verdict on a snapshot: pure, the same wherever it is computed."""
        for way, right in self.accept:
            if holds(self.id, way, right, facts):
                return Verdict(self.id, True, way=way)
        for wrong, hint in self.hints:
            if holds(self.id, hint, wrong, facts):
                return Verdict(self.id, False, hint=hint)
        return Verdict(self.id, False, hint=self.otherwise)

    def pose(self, lab: LabLike, *, hint: int = 0, answer: bool = False, book: Book = book) -> Posed:
        """Set the exercise in this lab and grade it at once; in a notebook a card with buttons.

        The verdict comes without help. ``hint=1`` adds the hint for the state that was seen, ``hint=2`` the one that
        says more, ``answer=True`` the model answer.
        """
        posed = Posed(self, lab, book)
        posed.check(hint=hint, answer=answer)
        return posed

    def run(self, lab: LabLike, *, hint: int = 0, answer: bool = False, book: Book = book) -> Verdict:
        """The same, and only the verdict."""
        return Posed(self, lab, book).check(hint=hint, answer=answer)

    def solve(self, lab: LabLike) -> None:
        """Take the model way. For CI, and for a student who has tried."""
        if not self.model:
            raise LearnError(f"check {self.id} declares no model answer", look='model="""…"""')
        solution.run(self.model_answer, lab, self.id)

    def __str__(self) -> str:
        return f"exercise {self.id}: {self.task}"


class Posed(Trial):
    """An exercise that a lab is asked to solve."""

    def __init__(self, check: Check, lab: LabLike, book: Book) -> None:
        super().__init__(check, lab, book)
        self.exercise = check

    def __str__(self) -> str:
        lines = [f"exercise {self.exercise.id}: {self.state}", f"task: {self.exercise.task}", *self.details()]
        return "\n  ".join(lines)


def check_probes(subject: str, probes: Sequence[str]) -> None:
    """Raise LearnError for a probe that does not exist."""
    unknown = [] if isinstance(probes, str) else [probe for probe in probes if probe not in PROBES]
    if unknown or not probes or isinstance(probes, str):
        raise LearnError(
            f"{subject}: no probe called {answers.names(unknown)}" if unknown else f"{subject}: probes is {probes!r}",
            look=f"a tuple of some of {answers.names(PROBES)}",
        )


def holds(identity: str, name: str, predicate: Predicate, facts: Snapshot) -> bool:
    """The predicate's answer. Raises LearnError if it breaks: that is the lesson's mistake, not the student's."""
    try:
        return bool(predicate(facts))
    except Exception as error:
        raise LearnError(
            f"{identity} cannot judge this state: {name!r}: {type(error).__name__}: {error}",
            likely="the predicate takes for granted that something is there",
            look="labkit.learn.seen has questions that never fail",
        ) from error
