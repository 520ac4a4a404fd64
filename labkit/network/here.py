"""Which facts are about the network namespace of a process: two containers may both have an eth0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from labkit.steps.fact import Address, Link, Namespace, Qdisc, TrafficClass
from labkit.steps.snapshot import Snapshot

F = TypeVar("F", Address, Link, Qdisc, TrafficClass)

#: what a step looks at that wants to know this before it can be undone
PROBES = ("net", "namespaces")


def here(shot: Snapshot, who: str, kind: type[F]) -> Iterator[F]:
    """The facts of `kind` that are about the network namespace in which process `who` is."""
    mine = {space.name for space in shot.of_type(Namespace) if space.kind == "net" and who in space.members}
    return (fact for fact in shot.of_type(kind) if fact.ns in mine)
