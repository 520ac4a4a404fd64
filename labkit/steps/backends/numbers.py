"""Small numbers for the kernel's big ones, the same in every recording of the same steps.

A process is called by its pid in the lab host, a namespace by the first process that was seen in it: neither
depends on when somebody looked, so what was seen on one visit can go on with what was seen on another.
What only holds one look together (mount ids, peer groups) is counted anew in each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
_KINDS = ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")
_PER_KIND, _PER_PROCESS = 1_000_000, 100
#: the kind of namespace that a row is of
_SPACE = {"mounts": "mnt", "uts": "uts", "ipc": "ipc", "net": "net", "users": "user", "time": "time"}


class Numbers:
    """The numbers of one lab host."""

    def __init__(self) -> None:
        self.depth = 1
        self._pids: dict[int, int] = {}
        self._namespaces: dict[tuple[str, int], int] = {}
        self._used: set[int] = set()
        self._held: set[tuple[str, int]] = set()  # seen without a process in it

    def see(self, processes: list[Row], namespaces: list[Row] | None, depth: int) -> None:
        """Meet the processes of a look, and the namespaces if they were asked for. What is gone is forgotten."""
        self.depth = depth
        self._pids = {row["pid"]: row["nspid"][depth] for row in processes if len(row["nspid"]) > depth}
        there = {(_kind(link), inode) for row in processes for link, inode in row["ns"].items()}
        if namespaces is not None:
            self._held = {(row["kind"], row["inode"]) for row in namespaces} - there
        self._namespaces = {key: n for key, n in self._namespaces.items() if key in there | self._held}
        for row in processes:
            for link, inode in row["ns"].items():
                self.namespace(_kind(link), inode, self.pid(row["pid"]))

    def pid(self, pid: int) -> int:
        """The number of a process; 0 for one outside the lab."""
        return self._pids.get(pid, 0)

    def namespace(self, kind: str, inode: Any, first: int = 0) -> Any:
        """The number of a namespace in which process number `first` was seen first. 0, -1 and None stay."""
        if not inode or inode < 0:
            return inode
        if (kind, inode) not in self._namespaces:
            number = _KINDS.index(kind) * _PER_KIND + first * _PER_PROCESS + 1
            while number in self._used:
                number += 1
            self._used.add(number)
            self._namespaces[kind, inode] = number
        return self._namespaces[kind, inode]


def _kind(link: str) -> str:
    return link.removesuffix("_for_children")


def renumber(facts: dict[str, Any], numbers: Numbers) -> dict[str, Any]:
    """The raw facts of one look, with such numbers."""
    numbers.see(facts["processes"], facts.get("namespaces"), facts.get("depth", 1))
    count = _counter()
    result = dict(facts)
    for probe, rows in facts.items():
        if isinstance(rows, list):
            result[probe] = [_renumbered(probe, row, numbers, count) for row in rows]
    return result


def _counter() -> Callable[[str, int | None], int | None]:
    known: dict[tuple[str, int], int] = {}
    return lambda what, value: known.setdefault((what, value), len(known) + 1) if value else value


def _renumbered(probe: str, row: Row, numbers: Numbers, count: Callable[[str, int | None], int | None]) -> Row:
    new = dict(row)
    if "pid" in new:
        new["pid"] = numbers.pid(new["pid"])
    if probe == "processes":
        new["parent"] = numbers.pid(new["parent"])
        new["nspid"] = [new["pid"]] * numbers.depth + new["nspid"][numbers.depth :]
        new["ns"] = {link: numbers.namespace(_kind(link), inode) for link, inode in new["ns"].items()}
    elif probe in _SPACE:
        new["ns"] = numbers.namespace(_SPACE[probe], new["ns"])
    if probe == "namespaces":
        new["inode"] = numbers.namespace(new["kind"], new["inode"])
        new["owner"] = numbers.namespace("user", new["owner"])
        new["parent"] = numbers.namespace(new["kind"], new["parent"])
        new["held_by"] = [[how, numbers.pid(by) if how == "fd" else by] for how, by in new["held_by"]]
    if probe == "mounts":
        new |= {key: count("mount", new[key]) for key in ("id", "parent")}
        new |= {key: count("peers", new[key]) for key in ("shared", "master")}
    if probe == "net":
        new["ports"] = [[address, port, numbers.pid(pid)] for address, port, pid in new["ports"]]
    return new
