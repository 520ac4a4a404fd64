"""An exercise: a task, several right ways to do it, and a hint for each usual wrong one.

What counts is the state of the kernel, not the code that led there: the predicates of a check get a
`Snapshot` of facts that the supervisor read. `labkit.learn.seen` holds what predicates are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.errors import LearnError
from labkit.learn import answers
from labkit.learn.progress import Book, book
from labkit.steps.display import Shown
from labkit.steps.fact import PROBES
from labkit.steps.snapshot import Snapshot

if TYPE_CHECKING:
    from labkit.learn.judging import LabLike

Predicate = Callable[[Snapshot], bool]


@dataclass(frozen=True)
class Verdict(Shown):
    """What the judge says. `way` names the right way that was recognised; `judge` is who looked."""

    id: str
    solved: bool
    way: str = ""
    hint: str = ""
    judge: str = "notebook"
    note: str = ""

    def __bool__(self) -> bool:
        return self.solved

    def __str__(self) -> str:
        second = f"  your way: {self.way}" if self.solved else f"  hint: {self.hint}"
        lines = [f"{self.id}: {'solved' if self.solved else 'not yet'}", second]
        return "\n".join([*lines, f"  note: {self.note}"] if self.note else lines)


@dataclass(frozen=True, kw_only=True)
class Check(Shown):
    """A task that the kernel marks.

    `accept` holds ``(name of the way, predicate)``, at least two; the first that is true has solved it.
    `hints` holds ``(predicate, hint)``, at least three; the first that is true is shown, else `otherwise`.
    `probes` are the facts that are read (all of them unless said). `model` is one right way, for CI.
    """

    id: str
    task: str
    accept: Sequence[tuple[str, Predicate]]
    hints: Sequence[tuple[Predicate, str]]
    otherwise: str = "nothing that this task asks for is there yet; read the task again and look at lab.facts(…)"
    probes: Sequence[str] = PROBES
    model: Callable[[Any], object] | None = None

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

    def judge(self, facts: Snapshot) -> Verdict:
        """The verdict on a snapshot: pure, the same wherever it is computed."""
        for way, right in self.accept:
            if holds(self.id, way, right, facts):
                return Verdict(self.id, True, way=way)
        for wrong, hint in self.hints:
            if holds(self.id, hint, wrong, facts):
                return Verdict(self.id, False, hint=hint)
        return Verdict(self.id, False, hint=self.otherwise)

    def run(self, lab: LabLike, *, book: Book = book) -> Verdict:
        """Have the lab judged as it is now, and write down the outcome."""
        from labkit.learn.judging import judge

        return judge(self, lab, kind="check", book=book)

    def pose(self, lab: LabLike, *, book: Book = book) -> Posed:
        """The exercise in this lab, to be shown: the task, and in a notebook a Check button."""
        return Posed(self, lab, book)

    def solve(self, lab: LabLike) -> None:
        """Take the model way. For CI, and for who has tried."""
        if self.model is None:
            raise LearnError(f"check {self.id} declares no model solution", look="model=lambda lab: …")
        self.model(lab)

    def __str__(self) -> str:
        return f"exercise {self.id}: {self.task}"


class Posed(Shown):
    """An exercise that a lab is asked to solve. `last` is the latest verdict."""

    def __init__(self, task: Check, lab: LabLike, book: Book) -> None:
        self.task, self.lab, self._book = task, lab, book
        self.last: Verdict | None = None
        self._listeners: list[Callable[[], None]] = []

    def check(self) -> Verdict:
        """Have the lab judged as it is now."""
        self.last = self.task.run(self.lab, book=self._book)
        for listener in self._listeners:
            listener()
        return self.last

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when there is a new verdict."""
        self._listeners.append(listener)

    def __str__(self) -> str:
        return f"{self.task}\n  {self.last}" if self.last else str(self.task)


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
