"""Stable names for what the kernel numbers anew in every run.

A namespace is ``net#2`` because it was the second network namespace that this lab saw; a process is
called by the name under which a step spawned it, else by its program: ``sleep#1``. A `Naming` is
filled in order of first appearance, can be copied, and is put back to an earlier copy when a walk
goes back, so that the same steps give the same names again.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

INIT, HOST = "init", "host"
#: what the agent's processes of these names call themselves
INIT_TITLE, HOST_TITLE = "labkit:[host]", "labkit:[zygote]"


class Naming:
    """The names of one lab host's namespaces and processes."""

    def __init__(self) -> None:
        self._namespaces: dict[tuple[str, int], str] = {}
        self._held: set[tuple[str, int]] = set()  # seen without a process in it
        self._processes: dict[int, str] = {}  # by pid on the real machine
        self._spawned: dict[tuple[str, int], str] = {}  # (parent's name, pid as the parent sees it): name
        self._counts: Counter[str] = Counter()

    def copy(self) -> Naming:
        """An independent copy."""
        other = Naming()
        other._namespaces = dict(self._namespaces)
        other._held = set(self._held)
        other._processes = dict(self._processes)
        other._spawned = dict(self._spawned)
        other._counts = self._counts.copy()
        return other

    def spawned(self, parent: str, pid: int, name: str) -> None:
        """Remember that `parent` got `pid` when it spawned the process called `name`."""
        self._spawned[parent, pid] = name

    def namespace(self, inode: int, kind: str) -> str:
        """The name of a namespace; the next free number of its kind on first sight."""
        if (kind, inode) not in self._namespaces:
            self._counts[f"ns {kind}"] += 1
            self._namespaces[kind, inode] = f"{kind}#{self._counts[f'ns {kind}']}"
        return self._namespaces[kind, inode]

    def process(self, pid: int) -> str:
        """The name of a process met in the last `see`; empty for one outside the lab."""
        return self._processes.get(pid, "")

    def see(self, rows: list[dict[str, Any]], namespaces: list[dict[str, Any]] | None = None) -> None:
        """Name the processes of a look, parents first, and the namespaces they are in.

        `namespaces` are the rows of that probe, if it was asked. What is gone is forgotten: the kernel gives
        its inode number to the next one, of whatever kind.
        """
        self._forget(rows, namespaces)
        by_pid = {row["pid"]: row for row in rows}
        self._processes = {pid: name for pid, name in self._processes.items() if pid in by_pid}
        for index, row in enumerate(rows):
            pid = row["pid"]
            if pid not in self._processes:
                self._processes[pid] = self._name(index, row, by_pid)
            for kind, inode in row["ns"].items():
                if kind in ("pid_for_children", "time_for_children"):
                    continue
                self.namespace(inode, kind)

    def _forget(self, rows: list[dict[str, Any]], namespaces: list[dict[str, Any]] | None) -> None:
        there = {(kind, inode) for row in rows for kind, inode in row["ns"].items()}
        if namespaces is not None:
            self._held = {(row["kind"], row["inode"]) for row in namespaces} - there
        there |= self._held
        self._namespaces = {key: name for key, name in self._namespaces.items() if key in there}

    def _name(self, index: int, row: dict[str, Any], by_pid: dict[int, dict[str, Any]]) -> str:
        if index == 0:
            return INIT
        parent = by_pid.get(row["parent"])
        if parent is not None:
            level = len(parent["nspid"]) - 1
            seen_as = row["nspid"][level] if level < len(row["nspid"]) else -1
            name = self._spawned.get((self._processes.get(parent["pid"], ""), seen_as))
            if name:
                return name
        if row["comm"] == HOST_TITLE:
            return HOST
        program = row["comm"]
        self._counts[f"process {program}"] += 1
        return f"{program}#{self._counts[f'process {program}']}"
