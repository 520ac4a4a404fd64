"""Walking through a plan: next, back, go to, run; every step with its calls, its shell line and its difference.

Back has two ways. Where the kernel has an inverse (umount for mount, the old name for a new one) that
step is taken. Where it has none, the lab host is thrown away, which takes some 10 ms, and the steps up
to the wanted position are taken again in a fresh one. `way_back` says which it was and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from labkit.errors import LabError, ReplayError, StepError, WalkError
from labkit.steps.call import Call
from labkit.steps.display import Shown
from labkit.steps.explain import explain
from labkit.steps.naming import Naming
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Diff, Snapshot
from labkit.steps.step import Step
from labkit.steps.trace import Taken, Trace


class Ground(Protocol):
    """What a walk stands on: a lab."""

    naming: Naming
    generation: int

    def ready(self, plan: Plan) -> None:
        """Provide what the plan needs."""

    def take(self, step: Step) -> tuple[Call, ...]:
        """Take one step; raises StepError if a call of it fails."""

    def take_all(self, steps: Sequence[Step]) -> None:
        """Take steps without looking."""

    def snapshot(self, *probes: str) -> Snapshot:
        """Look."""

    def fresh(self) -> None:
        """A fresh lab host."""

    def moment(self) -> str:
        """Where the recording stands, if anything is recorded."""

    def returned(self, moment: str) -> None:
        """All that was done since is undone."""

    def machine(self) -> dict[str, object]:
        """What a trace says of the machine."""


class Gate(Protocol):
    """What stands between a walk and its next step: predictions that want an answer first."""

    def __call__(self, position: int, /) -> None:
        """Refuse with a LabError, or let the step at `position` be taken."""

    def answer(self, where: int | str | None, value: object, /) -> str:
        """Take an answer; returns the choice that was meant."""


class Walk(Shown):
    """A plan, a lab and a position: `position` steps have been taken.

    `gate` is asked before each step and may refuse with a LabError (a prediction not yet made).
    """

    def __init__(self, lab: Ground, plan: Plan, *, gate: Gate | None = None) -> None:
        self.lab, self.plan, self.gate = lab, plan, gate
        self.position = 0
        self.way_back = ""
        self.error: LabError | None = None
        self.trace = Trace(plan.name, machine=dict(lab.machine()))
        self._extra: list[Step] = []
        self._names: list[Naming] = []  # of each position up to this one; so are the moments
        self._moments: list[str] = []
        self._generation = -1
        self._halfway = False  # in the middle of a change; still so afterwards if it was interrupted
        self._listeners: list[Callable[[], None]] = []
        self._begin()

    def _begin(self) -> None:
        self.lab.fresh()
        self.lab.ready(self.plan)
        self.lab.snapshot()  # names the namespaces of the lab host first
        self._generation = self.lab.generation
        self._names = [self.lab.naming.copy()]
        self._moments = [self.lab.moment()]

    # what was last seen

    @property
    def last(self) -> Taken:
        """The step taken last. Raises WalkError at the beginning."""
        if not self.position:
            raise WalkError("no step has been taken yet", look="walk.next()")
        return self.trace.taken[self.position - 1]

    @property
    def diff(self) -> Diff:
        """What the last step changed."""
        return self.last.diff

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls of the last step."""
        return self.last.calls

    @property
    def steps(self) -> tuple[Step, ...]:
        """The plan's steps, and those taken besides it."""
        return (*self.plan.steps, *self._extra)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever position, trace or error have changed."""
        self._listeners.append(listener)

    def answer(self, value: object, *, where: int | str | None = None) -> str:
        """Answer the prediction that is asked here, or at `where` (a position, an id); returns the choice taken.

        Raises LearnError for what is not among the choices, WalkError where nothing is asked.
        """
        if self.gate is None:
            raise WalkError("this walk asks nothing", look="lab.walk(plan, predict=…) puts questions before its steps")
        return self.gate.answer(where, value)

    # moving

    def next(self, *, check: bool = True) -> Taken:
        """Take the next step and look. With `check=False` a failure is returned as `taken.error`, not raised."""
        if self.position >= len(self.plan):
            taken = len(self.plan)
            raise WalkError(f"the plan ends here: all {taken} steps are taken", look="walk.back() or walk.reset()")
        if self.gate:
            self.gate(self.position)
        return self._take(self.plan[self.position], check=check)

    def take(self, step: Step, *, check: bool = True) -> Taken:
        """Take a step of your own, after the plan's end or in place of what is left of the plan.

        It becomes part of the walk: the rest of the plan is dropped, and Back undoes it like any other.
        """
        self.plan = Plan.of(self.plan.name, *_cut(self.plan, self.position), (f"and then: {step.title}", [step]))
        return self._take(step, check=check)

    def _take(self, step: Step, *, check: bool) -> Taken:
        self._catch_up()
        before = self.lab.snapshot(*step.probes)
        self._halfway = True
        calls: tuple[Call, ...] = ()
        error: LabError | None = None
        try:
            calls = self.lab.take(step)
        except StepError as fault:
            error = fault
            calls = getattr(fault, "made", ())
            explain(fault, step, self.position + 1, len(self.plan))
        after = self.lab.snapshot(*step.probes)
        taken = Taken(self.position + 1, step, calls, before, after, error)
        self.error = error
        del self.trace.taken[self.position :]
        self.trace.taken.append(taken)
        if error is None:
            self.position += 1
            self.way_back = ""  # whoever goes on has not just come back
            del self._names[self.position :]
            self._names.append(self.lab.naming.copy())
            self._moments[self.position :] = [self.lab.moment()]
        self._halfway = False
        self._changed()
        if error and check:
            raise error
        return taken

    def run(self) -> Walk:
        """Take all remaining steps, looking at each."""
        while self.position < len(self.plan):
            self.next()
        return self

    def back(self) -> Walk:
        """Undo the last step. Raises WalkError at the beginning."""
        if self.position == 0:
            raise WalkError("this is the beginning: there is no step to take back", look="walk.next()")
        return self.goto(self.position - 1)

    def goto(self, position: int) -> Walk:
        """Go to where `position` steps have been taken (0: the beginning). Raises WalkError outside the plan."""
        if not 0 <= position <= len(self.plan):
            raise WalkError(
                f"there is no position {position}: this plan has {len(self.plan)} steps",
                look=f"walk.goto(n) with n from 0 to {len(self.plan)}",
            )
        self._catch_up()
        self.error = None
        if position > self.position:
            while self.position < position:
                self.next()
            return self
        self._halfway = True
        ways = []
        failed_here = len(self.trace.taken) > self.position
        while self.position > position:
            inverse = None if failed_here else self._inverse()
            if inverse is None:
                ways.append(self._rebuild(position, failed=failed_here))
                break
            ways.append(f"step {self.position + 1} undone by: {inverse.title}")
        if failed_here and position == self.position and not ways:
            ways.append(self._rebuild(position, failed=True))
        self.way_back = "; ".join(ways)
        del self.trace.taken[position:]
        self._halfway = False
        self._changed()
        return self

    def _inverse(self) -> Step | None:
        """Take the inverse of the last step, if it has one and it works; position and names go back by one."""
        taken = self.trace.taken[self.position - 1]
        inverse = taken.step.undo(taken.before)
        if inverse is None:
            return None
        try:
            self.lab.take(inverse)
        except (StepError, ReplayError):
            return None
        self.position -= 1
        self.lab.returned(self._moments[self.position])
        del self._names[self.position + 1 :]
        self.lab.naming = self._names[self.position].copy()
        return inverse

    def _rebuild(self, position: int, *, failed: bool) -> str:
        undone = self.steps[self.position - 1] if self.position else None
        if failed or undone is None:
            why = f"step {self.position + 1} failed, and may have done half of what it should"
        else:
            why = f"step {self.position} ({undone.title}): {undone.no_way_back}"
        self._begin()
        self.position = 0
        self._replay(position)
        return f"rebuilt to {position} in a fresh lab host, because {why}"

    def _replay(self, position: int) -> None:
        """Take the first `position` steps again, looking only where names are given; a recording wants each step."""
        pending: list[Step] = []
        self._moments = self._moments[:1] * (position + 1)
        for number, step in enumerate(self.plan.steps[:position], 1):
            pending.append(step)
            if step.names_new_things or self._moments[0]:
                self.lab.take_all(pending)
                self._moments[number], pending = self.lab.moment(), []
            if step.names_new_things:
                self.lab.snapshot()
        self.lab.take_all(pending)
        self.position = position
        self._names = [*self._names[:1], *(self.lab.naming.copy() for _ in range(position))]

    def reset(self) -> Walk:
        """Back to the beginning, in a fresh lab host."""
        self._halfway = True
        self._begin()
        self.position, self.error = 0, None
        self.way_back = "started again in a fresh lab host"
        self.trace.taken.clear()
        self._halfway = False
        self._changed()
        return self

    def _catch_up(self) -> None:
        """Somebody took another lab host, or a step was interrupted: walk to where we were, in a fresh one."""
        if self.lab.generation != self._generation or self._halfway:
            position, self._halfway = self.position, True
            del self.trace.taken[position:]
            self._begin()
            self._replay(position)
            self._halfway = False

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    def __str__(self) -> str:
        lines = [f"{self.plan.name}: {self.position} of {len(self.plan)} steps taken"]
        for index, step in enumerate(self.plan):
            mark = "✓" if index < self.position else "→" if index == self.position else " "
            lines.append(f" {mark} {index + 1:3}  {step.title}")
        return "\n".join(lines)


def _cut(plan: Plan, position: int) -> Iterable[tuple[str, tuple[Step, ...]]]:
    """The goals of the first `position` steps."""
    left = position
    for goal, steps in plan.by_goal():
        if left > 0:
            yield goal, steps[:left]
        left -= len(steps)
