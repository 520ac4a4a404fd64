"""A plan: steps in an order, with named sub-goals. Pure data; making and printing one asks the kernel nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from labkit.errors import PlanError
from labkit.steps import shell
from labkit.steps.backends.base import Part
from labkit.steps.display import Shown
from labkit.steps.step import Step


@dataclass(frozen=True)
class Plan(Shown):
    """Steps and goals. `goals` holds pairs (name, number of steps), which together cover `steps`."""

    name: str
    steps: tuple[Step, ...] = ()
    goals: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, name: str, *goals: tuple[str, Iterable[Step]]) -> Plan:
        """A plan from named groups of steps: ``Plan.of("a box", ("its own root", [Chroot(path="/x")]))``."""
        groups = [(goal, tuple(steps)) for goal, steps in goals]
        groups = [(goal, steps) for goal, steps in groups if steps]
        return cls(name, tuple(s for _, group in groups for s in group), tuple((goal, len(g)) for goal, g in groups))

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, index: int) -> Step:
        return self.steps[index]

    def __add__(self, other: Plan | Step) -> Plan:
        """One after the other."""
        more = other if isinstance(other, Plan) else Plan.of(other.title, (other.title, [other]))
        return Plan(self.name, self.steps + more.steps, self.goals + more.goals)

    def without(self, *kinds: type[Step]) -> Plan:
        """The plan with all steps of these kinds left out: what breaks then is the lesson."""
        if not any(isinstance(step, kinds) for step in self.steps):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise PlanError(f"there is no step {names} in {self.name!r} to leave out", look="print(plan)")
        return self._filter(lambda step: not isinstance(step, kinds))

    def only_until(self, kind: type[Step]) -> Plan:
        """The steps up to the last one of `kind`, that one included."""
        last = max((i for i, step in enumerate(self.steps) if isinstance(step, kind)), default=-1)
        if last < 0:
            raise PlanError(f"there is no step {kind.__name__} in {self.name!r}", look="print(plan)")
        kept = set(map(id, self.steps[: last + 1]))
        return self._filter(lambda step: id(step) in kept)

    def _filter(self, keep: object) -> Plan:
        groups = [(goal, [s for s in steps if keep(s)]) for goal, steps in self.by_goal()]  # type: ignore[operator]  # a predicate
        return replace(Plan.of(self.name, *groups))

    def by_goal(self) -> list[tuple[str, tuple[Step, ...]]]:
        """The goals with their steps."""
        found, start = [], 0
        for goal, count in self.goals:
            found.append((goal, self.steps[start : start + count]))
            start += count
        return found

    def goal_of(self, index: int) -> str:
        """The goal to which step `index` (from 0) belongs."""
        for goal, count in self.goals:
            if index < count:
                return goal
            index -= count
        return ""

    def needs(self) -> tuple[str, ...]:
        """What must be there before it can be carried out, in a fixed order."""
        return tuple(sorted({need for step in self.steps for need in step.needs()}))

    def children(self) -> tuple[str, ...]:
        """Names of all processes that it spawns."""
        return tuple(child for step in self.steps for child in step.children)

    def as_shell(self) -> str:
        """The whole plan as a script for ``bash -eu`` in a fresh lab host."""
        return shell.script(self.name, self.steps)

    def parts(self) -> tuple[Part, ...]:
        """The plan's calls, grouped by the process that makes them: what is sent when nobody looks."""
        return parts(self.steps)

    def __str__(self) -> str:
        width = max((len(step.who) for step in self.steps), default=3)
        lines = [f"{self.name}: {len(self)} steps"]
        number = 0
        for goal, steps in self.by_goal():
            lines.append(f"  {goal}")
            for step in steps:
                number += 1
                lines.append(f"  {number:3}  {step.who:<{width}}  {step.title}")
                lines.append(f"       {'':<{width}}    $ {shell.first_line(step.shell())}")
        return "\n".join(lines)


def parts(steps: Iterable[Step]) -> tuple[Part, ...]:
    """The calls of `steps`, grouped by the process that makes them; a spawn ends its part."""
    from labkit.steps.merge import shifted

    groups: list[tuple[str, list[Step]]] = []
    for step in steps:
        if not groups or groups[-1][0] != step.who or groups[-1][1][-1].children or groups[-1][1][-1].init:
            groups.append((step.who, []))
        groups[-1][1].append(step)
    return tuple(
        Part(
            who, shifted([tuple(s.calls()) for s in group]), tuple(c for s in group for c in s.children), group[-1].init
        )
        for who, group in groups
    )
