"""Asking a snapshot the questions that lessons ask: what a predicate of a check is made of.

Every function here is total: for a process that is not there the answer is empty, zero or False, never
an error, because a student's lab can be in any state. Ask by process and by *sameness*: which number a
namespace has (``uts#2``) depends on who looked first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from labkit.steps.fact import Credentials, Fact, IdMap, Mount, Namespace, Process, Root, Uts
from labkit.steps.naming import HOST, INIT

F = TypeVar("F", bound=Fact)
Facts = Iterable[Fact]


def every(facts: Facts, kind: type[F], /, **fields: object) -> tuple[F, ...]:
    """The facts of `kind` whose fields have these values: ``every(facts, Mount, type="tmpfs")``."""
    found = (fact for fact in facts if isinstance(fact, kind))
    return tuple(fact for fact in found if all(getattr(fact, name) == value for name, value in fields.items()))


def one(facts: Facts, kind: type[F], /, **fields: object) -> F | None:
    """The first of `every`, or None."""
    return next(iter(every(facts, kind, **fields)), None)


def guests(facts: Facts, program: str = "") -> tuple[str, ...]:
    """The processes that are not the lab host's own two; with `program` only those that run it."""
    found = every(facts, Process)
    return tuple(p.name for p in found if p.name not in (INIT, HOST) and program in ("", p.comm))


def namespace(facts: Facts, who: str, kind: str) -> str:
    """The namespace of `kind` that process `who` is in; empty if it is not there (or a zombie)."""
    return next((n.name for n in every(facts, Namespace, kind=kind) if who in n.members), "")


def apart(facts: Facts, who: str, kind: str, other: str = HOST) -> bool:
    """Whether both processes are there and in different namespaces of `kind`."""
    facts = tuple(facts)
    mine, theirs = namespace(facts, who, kind), namespace(facts, other, kind)
    return bool(mine and theirs and mine != theirs)


def together(facts: Facts, who: str, kind: str, other: str = HOST) -> bool:
    """Whether both processes are there and in the same namespace of `kind`."""
    facts = tuple(facts)
    return namespace(facts, who, kind) == namespace(facts, other, kind) != ""


def held(facts: Facts, kind: str) -> tuple[str, ...]:
    """The namespaces of `kind` that no process is in and that something else keeps open."""
    return tuple(n.name for n in every(facts, Namespace, kind=kind) if n.held_by and not n.members)


def pids(facts: Facts, who: str) -> tuple[int, ...]:
    """The pids of `who`, the lab host's first, its own last."""
    process = one(facts, Process, name=who)
    return process.pids if process else ()


def own_pid(facts: Facts, who: str) -> int:
    """The pid that `who` sees when it asks for its own; 0 if it is not there."""
    return pids(facts, who)[-1] if pids(facts, who) else 0


def life(facts: Facts, who: str) -> str:
    """``runs``, ``zombie``, ``stopped``; empty if there is no such process."""
    process = one(facts, Process, name=who)
    return (process.state_of_life or "runs") if process else ""


def hostname(facts: Facts, who: str = HOST) -> str:
    """The host name that `who` sees."""
    facts = tuple(facts)
    names = one(facts, Uts, ns=namespace(facts, who, "uts"))
    return names.hostname if names else ""


def mounts(facts: Facts, who: str = HOST) -> tuple[Mount, ...]:
    """The mounts in the mount namespace of `who`."""
    facts = tuple(facts)
    return every(facts, Mount, ns=namespace(facts, who, "mnt"))


def root(facts: Facts, who: str) -> str:
    """Where the / of `who` is, as a path of its mount namespace."""
    view = one(facts, Root, process=who)
    return view.root if view else ""


def id_map(facts: Facts, who: str) -> tuple[tuple[int, int, int], ...]:
    """The uid map of the user namespace of `who`, rows ``(inside, outside, count)``."""
    facts = tuple(facts)
    maps = one(facts, IdMap, ns=namespace(facts, who, "user"))
    return maps.uid_map if maps else ()


def can(facts: Facts, who: str, capability: int) -> bool:
    """Whether the capability (its number, ``CAP_SYS_ADMIN``) is in the effective set of `who`."""
    credentials = one(facts, Credentials, process=who)
    return bool(credentials and credentials.effective >> capability & 1)


def mounted(facts: Facts, where: str, ns: str = "mnt#1") -> Mount | None:
    """The mount at `where` in a mount namespace, by default the lab host's."""
    return one(facts, Mount, mountpoint=where, ns=ns)


def uid(facts: Facts, who: str) -> int:
    """The real uid of `who` as the machine sees it; -1 if it is not there."""
    found = one(facts, Credentials, process=who)
    return found.uids[0] if found and found.uids else -1
