"""A snapshot is a set of facts at one moment; a diff is what two of them differ in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from labkit.steps.display import Shown
from labkit.steps.fact import PROBES, Fact

F = TypeVar("F", bound=Fact)
_ORDER = {probe: number for number, probe in enumerate(PROBES)}


def _key(fact: Fact) -> tuple[int, str]:
    return _ORDER[fact.probe], repr(fact.subject)


@dataclass(frozen=True, slots=True)
class Snapshot(Shown):
    """Facts of the probes in `probes`, in a fixed order."""

    probes: tuple[str, ...]
    facts: tuple[Fact, ...]

    @classmethod
    def of(cls, probes: Iterable[str], facts: Iterable[Fact]) -> Snapshot:
        """The snapshot of `facts`, sorted."""
        return cls(tuple(sorted(set(probes), key=PROBES.index)), tuple(sorted(facts, key=_key)))

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)

    def of_type(self, kind: type[F]) -> tuple[F, ...]:
        """The facts of one type."""
        return tuple(fact for fact in self.facts if isinstance(fact, kind))

    def only(self, probes: Iterable[str]) -> Snapshot:
        """This snapshot without the facts of other probes."""
        kept = set(probes)
        return Snapshot.of(kept & set(self.probes), (fact for fact in self.facts if fact.probe in kept))

    def __str__(self) -> str:
        return "\n".join(str(fact) for fact in self.facts) or "(no facts)"


@dataclass(frozen=True, slots=True)
class Change(Shown):
    """One thing that is not as it was: `before` is None for what is new, `after` is None for what is gone."""

    before: Fact | None
    after: Fact | None

    @property
    def sign(self) -> str:
        """``+`` new, ``-`` gone, ``~`` changed."""
        return "+" if self.before is None else "-" if self.after is None else "~"

    @property
    def fact(self) -> Fact:
        """The fact as it is now, or as it last was."""
        fact = self.after or self.before
        assert fact is not None
        return fact

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"{self.sign} {self.fact}"
        return f"~ {self.fact.title}: {self.detail}"

    @property
    def detail(self) -> str:
        """For ``~``: each field that has changed; of lists of names who has come (+) and who has gone (-)."""
        if self.before is None or self.after is None:
            return ""
        old, new = self.before.state, self.after.state
        return ", ".join(self._moved(name, old[name], new[name]) for name in new if old[name] != new[name])

    def _moved(self, name: str, old: object, new: object) -> str:
        label = self.fact.label(name)
        if isinstance(old, tuple) and isinstance(new, tuple) and all(isinstance(item, str) for item in (*old, *new)):
            return " ".join([label, *(f"-{i}" for i in old if i not in new), *(f"+{i}" for i in new if i not in old)])
        return f"{label} {self.fact.shown(name, old)} -> {self.fact.shown(name, new)}"


@dataclass(frozen=True, slots=True)
class Diff(Shown):
    """The changes between two snapshots, in the order of the facts."""

    changes: tuple[Change, ...]

    @classmethod
    def between(cls, before: Snapshot, after: Snapshot) -> Diff:
        """What `after` has that `before` has not, and the other way round."""
        old = {fact.subject: fact for fact in before}
        new = {fact.subject: fact for fact in after}
        subjects = sorted({*old, *new}, key=lambda s: _key(new.get(s) or old[s]))
        pairs = ((old.get(subject), new.get(subject)) for subject in subjects)
        return cls(tuple(Change(a, b) for a, b in pairs if a != b))

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def only(self, *probes: str) -> Diff:
        """The changes of facts of these probes."""
        return Diff(tuple(change for change in self.changes if change.fact.probe in probes))

    def groups(self) -> Iterator[tuple[str, tuple[Change, ...]]]:
        """The changes with a title; neighbours of one kind to which the same has happened stand together."""
        for (_, _, detail), group in groupby(self.changes, key=lambda c: (c.sign, c.fact.subject[0], c.detail)):
            same = tuple(group)
            if len(same) == 1 or not detail:
                yield from ((change.fact.title, (change,)) for change in same)
            else:
                kind = same[0].fact.title.split()[0]
                names = ", ".join(change.fact.title.removeprefix(f"{kind} ") for change in same)
                yield f"{kind} {names}", same

    def __str__(self) -> str:
        """A line a group."""
        lines = [f"~ {title}: {same[0].detail}" if len(same) > 1 else str(same[0]) for title, same in self.groups()]
        return "\n".join(lines) or "(nothing that a probe of this step can see)"
