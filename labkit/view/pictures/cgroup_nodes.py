"""The cgroups of each tree in order, with what a picture says of each; and what of it is other than before.

A path of version 1 has its controller before it, as libcgroup's tools write it: ``memory:/c1``. There each
controller has a tree of its own; version 2 has one for all, ``/c1``, and hands controllers down in it: a cgroup
has those that its parent's ``cgroup.subtree_control`` names.

See: cgroups(7), cgexec(1) "-g controllers:path".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from labkit.linux.cgroup_units import beside
from labkit.steps.fact import Cgroup, CgroupMembership, Limit
from labkit.steps.snapshot import Snapshot
from labkit.view.pictures.scene import lead

_DOWN = "cgroup.subtree_control"


@dataclass(frozen=True)
class Mark:
    """A word with its sign: empty where it is as it was, ``+`` new, ``-`` gone, ``~`` changed."""

    text: str
    sign: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {self.text}" if self.sign == "~" else f"{self.sign}{self.text}"


@dataclass(frozen=True)
class Node:
    """A cgroup. `has` are the controllers it may use, `down` those that its children get, as far as facts tell."""

    tree: str
    path: str
    step: str
    lasts: tuple[bool, ...]
    sign: str
    has: tuple[Mark, ...]
    down: tuple[Mark, ...]
    limits: tuple[Mark, ...]
    people: tuple[Mark, ...]

    @property
    def depth(self) -> int:
        """0 for the top of its tree."""
        return len(self.lasts)

    @property
    def lead(self) -> str:
        """The lines of the tree before its name."""
        return lead(self.lasts)

    @property
    def name(self) -> str:
        """As facts call it: with its tree before it, if that is one of version 1."""
        return f"{self.tree}:{self.path}" if self.tree else self.path


@dataclass
class _State:
    """What facts of one moment say of one cgroup."""

    limits: dict[str, str] = field(default_factory=dict)
    people: list[str] = field(default_factory=list)

    @property
    def down(self) -> list[str]:
        return self.limits.get(_DOWN, "").split()


def nodes(now: Snapshot, before: Snapshot | None = None) -> dict[str, list[Node]]:
    """The cgroups by tree ("" is version 2, first), each after its parent. With `before`, signs say what is new."""
    new, old = _states(now), _states(now if before is None else before)
    found: dict[str, list[Node]] = {}
    for tree in sorted({tree for tree, _ in (*new, *old)}):
        paths = sorted({path for where, path in (*new, *old) if where == tree}, key=_parts)
        found[tree] = [_node(tree, path, above, lasts, new, old) for path, above, lasts in _ordered(paths)]
    return found


def _states(shot: Snapshot) -> dict[tuple[str, str], _State]:
    found: dict[tuple[str, str], _State] = {}
    for fact in shot:
        if isinstance(fact, Cgroup | Limit | CgroupMembership) and fact.path:
            state = found.setdefault(_place(fact.path), _State())
            if isinstance(fact, Limit):
                state.limits[fact.file] = fact.value
            elif isinstance(fact, CgroupMembership):
                state.people.append(fact.process)
    return found


def _place(path: str) -> tuple[str, str]:
    """The tree and the path in it; a cgroup of version 2 may have a colon in its name, but begins with ``/``."""
    if path.startswith("/"):
        return "", path
    tree, _, inside = path.partition(":")
    return tree, inside or "/"


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def _ordered(paths: list[str]) -> Iterator[tuple[str, str, tuple[bool, ...]]]:
    """Each path with the nearest one above it ("" if none), and for each level whether it is the last there."""
    known, below = set(paths), dict[str, list[str]]()
    for path in paths:
        below.setdefault(next((above for above in _up(path) if above in known), ""), []).append(path)
    stack: list[tuple[str, str, tuple[bool, ...]]] = [(path, "", ()) for path in reversed(below.get("", []))]
    while stack:
        path, above_it, lasts = stack.pop()
        yield path, above_it, lasts
        children = below.get(path, [])
        stack += [(child, path, (*lasts, child == children[-1])) for child in reversed(children)]


def _up(path: str) -> Iterator[str]:
    """The paths above this one, the nearest first: ``/a``, then ``/``, of ``/a/b``."""
    while path.strip("/"):
        path = path.rpartition("/")[0] or "/"
        yield path


def _node(
    tree: str, path: str, above: str, lasts: tuple[bool, ...],
    new: dict[tuple[str, str], _State], old: dict[tuple[str, str], _State],
) -> Node:  # fmt: skip
    here, there = new.get((tree, path)), old.get((tree, path))
    mine, was = here or _State(), there or _State()
    step = "/".join(_parts(path)[len(_parts(above)) :]) if above else path
    parent, parent_was = new.get((tree, above), _State()), old.get((tree, above), _State())
    limits = tuple(_limits(was.limits, mine.limits))
    people, down = marks(was.people, mine.people), marks(was.down, mine.down)
    changed = any(mark.sign for mark in (*limits, *people, *down))
    return Node(
        tree, path, step, lasts, "+" if there is None else "-" if here is None else "~" * changed,
        marks(parent_was.down if there else (), parent.down if here else ()), down, limits, people,
    )  # fmt: skip


def marks(old: Iterable[str], new: Iterable[str]) -> tuple[Mark, ...]:
    """The words of both, in order, each with its sign."""
    before, after = list(old), list(new)
    kept = [Mark(word, "" if word in before else "+") for word in after]
    return (*kept, *(Mark(word, "-") for word in before if word not in after))


def _limits(old: dict[str, str], new: dict[str, str]) -> Iterator[Mark]:
    for file in sorted({*old, *new} - {_DOWN}):
        was, now = old.get(file, ""), new.get(file, "")
        if was == now:
            yield Mark(f"{file} {beside(file, now)}")
        elif was and now:
            yield Mark(f"{file} {was} -> {beside(file, now)}", "~")
        else:
            yield Mark(f"{file} {beside(file, now or was)}", "+" if now else "-")
