"""Who is whose child and who is in which namespace: what several pictures are drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labkit.steps.fact import Namespace, Process
from labkit.steps.snapshot import Snapshot
from labkit.view.palette import place

#: in the order of the course
KINDS = ("uts", "ipc", "pid", "mnt", "net", "user", "cgroup", "time")


@dataclass(frozen=True)
class Branch:
    """A process in its family: `lasts` says for each level below the top whether it is the last child there."""

    process: Process
    lasts: tuple[bool, ...] = ()

    @property
    def depth(self) -> int:
        """0 for one without a parent here."""
        return len(self.lasts)

    @property
    def lead(self) -> str:
        """The lines of the tree before the name: ``│  └─ ``."""
        return lead(self.lasts)


def lead(lasts: tuple[bool, ...]) -> str:
    """The lines before something in a tree: for each level, whether what stands there is the last of its family."""
    if not lasts:
        return ""
    return "".join("   " if last else "│  " for last in lasts[:-1]) + ("└─ " if lasts[-1] else "├─ ")


def family(snapshot: Snapshot) -> list[Branch]:
    """All processes, each before its children, siblings by pid. Whoever has no parent here stands at the top."""
    everyone = sorted(snapshot.of_type(Process), key=lambda p: (p.pids, p.name))
    names = {process.name for process in everyone}
    children: dict[str, list[Process]] = {}
    for process in everyone:
        known = process.parent in names and process.parent != process.name
        children.setdefault(process.parent if known else "", []).append(process)
    found: list[Branch] = []
    seen: set[Process] = set()
    for start in (*children.get("", ()), *everyone):  # everyone: facts by hand may say that two are each other's child
        stack = [Branch(start)]
        while stack:
            branch = stack.pop()
            if branch.process in seen:
                continue
            seen.add(branch.process)
            found.append(branch)
            below = children.get(branch.process.name, [])
            stack += [Branch(p, (*branch.lasts, p is below[-1])) for p in reversed(below)]
    return found


def kinds(namespaces: Iterable[Namespace]) -> list[str]:
    """The kinds that occur, in the order of the course."""
    there = {namespace.kind for namespace in namespaces}
    return [kind for kind in KINDS if kind in there] + sorted(there - set(KINDS))


def memberships(snapshot: Snapshot) -> dict[str, dict[str, Namespace]]:
    """For each process, its namespace of each kind."""
    found: dict[str, dict[str, Namespace]] = {}
    for namespace in snapshot.of_type(Namespace):
        for member in namespace.members:
            found.setdefault(member, {})[namespace.kind] = namespace
    return found


def ancestors(name: str, parents: dict[str, str]) -> list[str]:
    """The namespaces around `name`, outermost first, itself last."""
    chain = [name]
    while (above := parents.get(chain[0], "")) in parents and above not in chain:
        chain.insert(0, above)
    return chain


def by_number(names: Iterable[str]) -> list[str]:
    """``net#2`` before ``net#10``."""
    return sorted(names, key=lambda name: (place(name), name))
