"""Facts: frozen values read from the kernel, with names that are the same in every run.

A fact has a *subject* (what it is about: the same before and after) and the rest, which may change.
Two facts with one subject are one thing in two states; that is how a diff tells a change from a loss
and a gain. Inode numbers, pids, mount ids and peer groups never appear as they are: they are renamed
in order of first appearance (`labkit.steps.naming`), ``net#2``, ``c1``.

Units: uids and pids are numbers as the kernel gives them; sizes in bytes; offsets in seconds.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from labkit.steps.fact.base import Fact
from labkit.steps.fact.files import FILE_TYPES, File, Mount
from labkit.steps.fact.namespaces import Cgroup, IdMap, Limit, Namespace, SysvObject, TimeOffsets, Uts
from labkit.steps.fact.network import Address, Link, Port, Qdisc, Route, TrafficClass
from labkit.steps.fact.processes import CAPABILITY_SETS, CgroupMembership, Credentials, Process, Root

__all__ = [
    "CAPABILITY_SETS", "FILE_TYPES", "PROBES", "TYPES", "Address", "Cgroup", "CgroupMembership", "Credentials", "Fact",
    "File", "IdMap", "Limit", "Link", "Mount", "Namespace", "Port", "Process", "Qdisc", "Root", "Route",
    "SysvObject", "TimeOffsets", "TrafficClass", "Uts", "from_json", "to_json",
]  # fmt: skip

TYPES: dict[str, type[Fact]] = {
    t.__name__: t
    for t in (Process, Namespace, Mount, Uts, SysvObject, Link, Address, Route, Port, Qdisc, TrafficClass, IdMap,
              Credentials, Root, TimeOffsets, CgroupMembership, Cgroup, Limit, File)
}  # fmt: skip

#: every probe there is, in the order in which they are shown
PROBES = tuple(dict.fromkeys(t.probe for t in TYPES.values()))


def to_json(fact: Fact) -> dict[str, Any]:
    """A fact as JSON can carry it."""
    return {"fact": type(fact).__name__, **{f.name: getattr(fact, f.name) for f in fields(fact)}}


def from_json(row: dict[str, Any]) -> Fact:
    """The fact that `to_json` wrote."""
    kind = TYPES[row["fact"]]
    return kind(**{key: _frozen(value) for key, value in row.items() if key != "fact"})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
