"""Looking at a container that runs: what is its own, and how to get in from any terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from labkit.errors import HostDied
from labkit.steps.fact import Fact, Namespace, Process
from labkit.steps.snapshot import Snapshot


def facts_of(container: str, shot: Snapshot, probes: Sequence[str]) -> tuple[Fact, ...]:
    """Facts about the container's processes, their namespaces and what is in these alone.

    `shot` holds those of `probes`, of the processes and of the namespaces.
    """
    mine = family(container, shot.of_type(Process))
    spaces = {n.name for n in shot.of_type(Namespace) if n.members and set(n.members) <= mine}
    return tuple(f for f in shot if f.probe in probes and _concerns(f, mine | spaces))


def family(container: str, processes: Iterable[Process]) -> set[str]:
    """Names of the container's first process, of those started in it later, and of all their descendants.

    Who was started later is a child of the zygote: its name tells where it belongs.
    """
    mine = {container}
    waiting = list(processes)
    while found := [p for p in waiting if p.parent in mine or p.name.startswith(f"{container}.")]:
        mine.update(process.name for process in found)
        waiting = [process for process in waiting if process.name not in mine]
    return mine


def _concerns(fact: Fact, names: set[str]) -> bool:
    return any(getattr(fact, field, None) in names for field in ("name", "process", "ns"))


def shell_command(name: str, pid: int, raw: dict[str, Any]) -> str:
    """The line that opens a shell in the container whose first process is `pid` in the lab host.

    nsenter needs the pid that the real machine knows. Root and directory are taken from the process: with
    a path of one's own for --wd the shell would begin in a directory of the real machine, a way out.
    """
    return f"sudo nsenter --target {machine_pid(name, pid, raw)} --all --root --wd /bin/sh"


def machine_pid(name: str, pid: int, raw: dict[str, Any]) -> int:
    """By which number the real machine knows the process that is `pid` in the lab host."""
    level = raw.get("depth", 1)
    for row in raw["processes"]:
        if len(row["nspid"]) > level and row["nspid"][level] == pid:
            return int(row["pid"])
    raise HostDied(f"container {name} has no process any more", look="print(container.logs())")
