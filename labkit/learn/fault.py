"""A planted fault: something is wrong in the lab; find it with the tools of the lesson, repair it.

A fault is planted with steps, so it can be taken back with their inverses: after `repair` the lab is
as before, fact for fact. Which way the student repairs it is free; `repaired` looks at the kernel.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.errors import LearnError
from labkit.learn import answers, solution
from labkit.learn.check import Predicate, check_probes, holds
from labkit.learn.progress import Book, book
from labkit.learn.trial import Trial
from labkit.learn.verdict import Verdict
from labkit.steps.display import Shown
from labkit.steps.fact import PROBES
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

if TYPE_CHECKING:
    from labkit.learn.judging import LabLike

    Act = Plan | Sequence[Step] | Callable[[Any], object]


@dataclass(frozen=True, kw_only=True)
class Fault(Shown):
    """Break something; say only what it looks like.

    `breaks` is a plan, steps, or a function of the lab. `mends` is the model answer, as Python that the student could
    have typed; without it there is none, and `repair` takes the planted steps back one by one. Where a scene stays
    after the repair, `clears` takes it away. `tools` are the lines to look with, `hints` ``(predicate, hint)`` for
    usual wrong repairs, `hint` what helps when nothing of that fits, `second_hint` what says more.
    """

    id: str
    symptom: str
    breaks: Act
    repaired: Predicate
    tools: Sequence[str]
    hint: str
    hints: Sequence[tuple[Predicate, str]] = ()
    second_hint: str = ""
    mends: str = ""
    clears: Act | None = None
    why: str = ""
    probes: Sequence[str] = PROBES

    def __post_init__(self) -> None:
        subject = f"fault {self.id}"
        answers.check_id(self.id, "fault")
        answers.check_texts(
            subject, symptom=self.symptom, hint=self.hint, **{f"tools[{n}]": t for n, t in enumerate(self.tools)}
        )
        check_probes(subject, self.probes)
        if not self.tools:
            raise LearnError(f"{subject} names no tools to find it with", look="tools=[\"print(lab.facts('mounts'))\"]")
        if callable(self.breaks) and not self.mends:
            raise LearnError(f"{subject} is planted by a function and has no model repair", look='mends="""…"""')
        if self.mends:
            solution.check_code(f"{subject}: mends", self.mends)

    @property
    def model_answer(self) -> str:
        """The model repair, as it is shown."""
        return solution.tidy(self.mends)

    def plant(self, lab: LabLike, *, book: Book = book) -> Planted:
        """Plant it. Raises LearnError if it is planted in this lab already, or could not be taken back."""
        known = _planted.setdefault(lab, {})
        old = known.get(self.id)
        if old is not None and old.open:
            raise LearnError(f"{self.id} is planted in this lab already", look="lab.reset(), then plant it again")
        known[self.id] = made = Planted(self, lab, _act(self, lab), book)
        return made

    def check(self, lab: LabLike, *, hint: int = 0, answer: bool = False) -> Verdict:
        """Is it repaired? Raises LearnError if it was never planted in this lab."""
        return self._in(lab).check(hint=hint, answer=answer)

    def repair(self, lab: LabLike) -> None:
        """The model repair; with `clear` the lab is as before planting. For CI, and for a student who has tried."""
        self._in(lab).repair()

    def clear(self, lab: LabLike) -> None:
        """Take away what stays after the repair. For CI."""
        if self.clears is not None:
            _run(self.clears, lab)

    def _in(self, lab: LabLike) -> Planted:
        planted = _planted.get(lab, {}).get(self.id)
        if planted is None:
            raise LearnError(f"{self.id} is not planted in this lab", look="fault.plant(lab)")
        return planted

    def judge(self, facts: Snapshot) -> Verdict:
        """The verdict on a snapshot in which the fault was planted once."""
        if holds(self.id, "repaired", self.repaired, facts):
            return Verdict(self.id, True, way=self.why or "what was wrong is right again")
        for wrong, hint in self.hints:
            if holds(self.id, hint, wrong, facts):
                return Verdict(self.id, False, hint=hint)
        return Verdict(self.id, False, hint=self.hint)

    def __str__(self) -> str:
        tools = [f"    {tool}" for tool in self.tools]
        return "\n".join([f"{self.id}: something is wrong", f"  symptom: {self.symptom}", "  look with:", *tools])


class Planted(Trial):
    """A fault in a lab. Shows the symptom; checks and repairs."""

    kind = "fault"

    def __init__(self, fault: Fault, lab: LabLike, inverses: tuple[Step, ...], book: Book) -> None:
        super().__init__(fault, lab, book)
        self.fault, self._inverses = fault, inverses
        self.repaired = False

    @property
    def open(self) -> bool:
        """Whether it is still there to be found: neither repaired nor thrown away with its lab host."""
        return not self.was_reset and not self.repaired

    def _verdict(self) -> Verdict:
        if self.was_reset:
            note = "the lab was reset: a fresh lab host has no fault, and nobody has found it; plant it again"
            return Verdict(self.fault.id, False, note=note)
        verdict = super()._verdict()
        self.repaired = self.repaired or verdict.solved
        return verdict

    def repair(self) -> None:
        """The model repair; with `clear` the lab is as it was before planting."""
        if not self.open:
            raise LearnError(f"{self.fault.id} is not there any more", look="fault.plant(lab)")
        if self.fault.mends:
            solution.run(self.fault.model_answer, self.lab, self.fault.id)
        else:
            for step in self._inverses:
                self.lab.take(step)

    def plant_again(self) -> None:
        """Plant it once more, in a fresh lab host."""
        lab = self.lab
        lab.fresh()
        self._inverses = _act(self.fault, lab)
        self.generation, self.repaired, self.last = lab.generation, False, None
        _planted.setdefault(lab, {})[self.fault.id] = self
        self._changed()

    def __str__(self) -> str:
        then = "plant it again" if self.was_reset else "fault.check(lab)"
        return "\n  ".join([str(self.fault), *self.details(), f"then: {then}"])


_planted: weakref.WeakKeyDictionary[LabLike, dict[str, Planted]] = weakref.WeakKeyDictionary()


def _act(fault: Fault, lab: LabLike) -> tuple[Step, ...]:
    """Plant; returns the steps that take it back, in the order in which they are to be taken."""
    if callable(fault.breaks):
        fault.breaks(lab)
        return ()
    inverses: list[Step] = []
    try:
        for step in _steps(fault.breaks, lab):
            inverse = step.undo(lab.snapshot(*step.probes))
            if inverse is None and not fault.mends:
                raise LearnError(
                    f"fault {fault.id}: {step.title} cannot be taken back: {step.no_way_back}",
                    look="give the fault a mends=",
                )
            lab.take(step)
            inverses[:0] = [inverse] if inverse else []
    except BaseException:
        for inverse in inverses:
            lab.take(inverse)
        raise
    return tuple(inverses)


def _steps(act: Plan | Sequence[Step], lab: LabLike) -> tuple[Step, ...]:
    if isinstance(act, Plan):
        lab.ready(act)
        return act.steps
    return tuple(act)


def _run(act: Act, lab: LabLike) -> None:
    if callable(act):
        act(lab)
    else:
        for step in _steps(act, lab):
            lab.take(step)
