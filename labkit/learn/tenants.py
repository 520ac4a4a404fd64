"""Tenants in cgroups: the steps that put them there, and what facts tell of how they are held.

Both in the words of version 2, whatever this machine has: ``memory:/shop`` and ``/shop`` are one cgroup of the
landlord's plan, and ``memory.limit_in_bytes`` is its ``memory.max``.

See: `labkit.cgroups.hold` for what is written in which version, cgroups(7).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

from labkit.cgroups import from_v1
from labkit.cgroups.change import EnterCgroup, HandDown
from labkit.cgroups.hold import Held
from labkit.cgroups.limits import Limits
from labkit.cgroups.make import MakeCgroup, RemoveCgroup
from labkit.cgroups.places import ROOT, ROOT_V1, directory
from labkit.container.lacking import Lacking
from labkit.errors import SpecError
from labkit.learn import seen
from labkit.learn.judging import LabLike
from labkit.namespaces.processes import Kill
from labkit.namespaces.spawn import Spawn
from labkit.steps.cgroup_paths import relative
from labkit.steps.fact import Cgroup, CgroupMembership, Limit
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step
from labkit.steps.taking import StepFailed

_NO_MORE = float("inf")
#: a limit of each kind, to be taken away
_SOME: dict[str, Any] = {"cpu": 1.0, "cpu_weight": 100, "memory": "1M", "memory_high": "1M", "pids": 1, "swap": 0}


class Holding(LabLike, Protocol):
    """A lab that can hold somebody to limits."""

    lacking: Lacking

    def trees(self, held: Held) -> None:
        """Have the lab host see the trees of version 1."""


def needed(lab: Holding, limits: Limits) -> Held:
    """What it takes to hold somebody to these limits, without what would only be counted."""
    held = lab.lacking.hold(limits)
    tops = {top for top, _, _ in held.lines}
    controllers = {file.partition(".")[0] for top, file, _ in held.lines if top == ROOT}
    found = replace(
        held, controllers=tuple(name for name in held.controllers if name in controllers),
        trees=tuple(tree for tree in held.trees if f"{ROOT_V1}/{tree}" in tops),
    )  # fmt: skip
    lab.trees(found)
    return found


def place(lab: Holding, path: str, limits: Limits | None = None) -> list[Step]:
    """The steps that make the cgroup `path` (``shop/bakery``) and set its limits, in each tree that this takes here."""
    path, held = relative(path), needed(lab, limits or Limits())
    above = path.rpartition("/")[0]
    down = [HandDown(path=f"{ROOT}/{above}".rstrip("/"), controllers=held.controllers)] if held.controllers else []
    return [*down, *(MakeCgroup(path=each) for each in held.paths(path)), *held.setting(path)]


def enter(lab: Holding, who: str, path: str, limits: Limits | None = None) -> list[Step]:
    """The steps by which `who` enters the cgroup `path`, in each tree in which `place` has made it for these limits."""
    path, held = relative(path), needed(lab, limits or Limits())
    return [EnterCgroup(who=who, path=f"{ROOT}/{path}"), *held.joining(path, who)]


def tenant(lab: Holding, who: str, limits: Limits | None = None, *, below: str = "") -> list[Step]:
    """A cgroup of the tenant's name with these limits, and the tenant in it; `below` another cgroup, or at the top."""
    path = relative(f"{below}/{who}")
    return [*place(lab, path, limits), Spawn(child=who), *enter(lab, who, path, limits)]


def limit(lab: Holding, path: str, **changes: Any) -> list[Step]:
    """The steps that set other limits of the cgroup `path`, by the names of `Limits`; None takes one away.

    Raises SpecError for a name that is no limit.
    """
    odd = [name for name, value in changes.items() if value is None and name not in _SOME]
    if odd:
        raise SpecError(f"{odd[0]}= is no limit that can be taken away here", look=f"one of {', '.join(_SOME)}")
    gone = Limits(**{name: _SOME[name] for name, value in changes.items() if value is None})
    wanted = Limits(**{name: value for name, value in changes.items() if value is not None})
    return [*lab.lacking.change(gone, wanted).setting(relative(path))]


def clear(lab: Holding, *paths: str) -> None:
    """Kill who is in these cgroups, remove them (the lowest first), and hand nothing down any more: as before."""
    paths = tuple(map(relative, paths))
    while inside := _inside(lab.snapshot("cgroup"), paths):
        with contextlib.suppress(StepFailed):  # a killed one takes a moment to go
            lab.take_all([Kill(target=who) for who in inside])
    found = lab.snapshot("cgroup")
    for path in paths:
        there = [fact.path for fact in found.of_type(Cgroup) if fact.path.rpartition(":")[2] == f"/{path}"]
        lab.take_all([RemoveCgroup(path=directory(each)) for each in there])
    if down := seen.one(found, Limit, path="/", file="cgroup.subtree_control"):
        lab.take(HandDown(path=ROOT, controllers=tuple(down.value.split()), take_back=True))


def _inside(facts: Snapshot, paths: tuple[str, ...]) -> list[str]:
    return [each.process for each in facts.of_type(CgroupMembership) if each.path[1:] in paths]


def held(facts: Snapshot, who: str, file: str) -> float:
    """The limit that process `who` is held to by `file` of its cgroup or of one above, the lowest counts; else inf.

    Of `cpu.max` it is the CPUs' worth of time.
    """
    return min((number for _, number in chain(facts, who, file)), default=_NO_MORE)


def chain(facts: Snapshot, who: str, file: str) -> tuple[tuple[str, float], ...]:
    """(path, limit) of `file` for the cgroup of `who` and those above, as far as they limit it; the nearest first."""
    found: dict[str, float] = {}
    for membership in seen.every(facts, CgroupMembership, process=who):
        for path in _upwards(membership.path):
            said = {limit.file: limit.value for limit in seen.every(facts, Limit, path=path)}
            if (number := _number(file, said)) != _NO_MORE:
                found[path.rpartition(":")[2]] = number
    return tuple(found.items())


def home(facts: Snapshot, who: str) -> str:
    """The path of its own cgroup, as version 2 has it."""
    found = (each.path for each in seen.every(facts, CgroupMembership, process=who) if not each.tree)
    return next(found, "")


def weight(facts: Snapshot, who: str) -> float:
    """The cpu.weight of its own cgroup; 100 where nobody has said otherwise."""
    said = _said(facts, who)
    return min(_number("cpu.weight", said), 10_000) if {"cpu.weight", "cpu.shares"} & {*said} else 100


def cpus(facts: Snapshot, who: str) -> str:
    """The CPUs that its cgroup may use, as they were written; empty for all of them."""
    return _said(facts, who).get("cpuset.cpus", "")


def _said(facts: Snapshot, who: str) -> dict[str, str]:
    """What the files of its own cgroups say, by their names, whatever the version."""
    own = [membership.path for membership in seen.every(facts, CgroupMembership, process=who)]
    return {limit.file: limit.value for limit in facts.of_type(Limit) if limit.path in own}


def _upwards(path: str) -> Iterator[str]:
    """``memory:/a/b``, ``memory:/a``, ``memory:/``."""
    tree, _, inside = path.rpartition(":")
    start = f"{tree}:" if tree else ""
    while inside != "/":
        yield start + inside
        inside = inside.rpartition("/")[0] or "/"
    yield f"{start}/"


def _number(file: str, said: dict[str, str]) -> float:
    """What `file` says among these, of either version."""
    files = {"cpu.cfs_period_us": "100000", **said}
    text = said.get(file) or from_v1.limit(file, files) or "max"
    first, _, period = text.partition(" ")
    if first == "max":
        return _NO_MORE
    return int(first) / int(period) if period else float(first)
