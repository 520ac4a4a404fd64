"""The processes of a lab host at one moment, once everything has come to rest.

kill(2) returns before its target has gone. How far the kernel has come with the dying (memory first,
then descriptors, root and namespaces, then the orphans) would be another picture in each run, so a
scene in which somebody is dying, or has a signal that is still to be delivered, is looked at again.

See: proc(5) "/proc/pid/status", kill(2), pid_namespaces(7).
"""

from __future__ import annotations

import time
from itertools import count

from labkit.linux import mountinfo, proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Row = dict[str, Any]

_PATIENCE = 0.25  # seconds to wait for the dying; some never go, as who is frozen
_LOOKS = 50  # and as many looks: on a busy machine the dying come to a CPU as seldom as we do
_END_OF_PATIENCE = 1.0
_SIGKILL = 1 << 8


class Scene:
    """The processes of one lab host at one moment, each with its namespaces; pid 1 first, then by age."""

    def __init__(self, host: int, cgroup: str, trees: Mapping[str, str]) -> None:
        self.host, self.cgroup, self.trees = host, cgroup, trees
        self.spaces: dict[int, dict[str, int]] = {}
        self._mounts: dict[int, list[mountinfo.Mount]] = {}
        self.rows: list[Row] = []
        self.dying = False
        family, lost = _family(host), False
        for pid in family:
            try:
                self.rows.append(self._process(pid))
            except ProcessLookupError:
                self.spaces.pop(pid, None)
                lost = True
        self.pids = [row["pid"] for row in self.rows]
        zygote = next((row["pid"] for row in self.rows if row["comm"] == "labkit:[zygote]"), 0)
        self.dying |= any(row["state"] == "Z" and row["parent"] == zygote for row in self.rows)  # it reaps at once
        if lost or any(row["state"] == "Z" for row in self.rows):  # its orphans may have moved behind our back
            self.dying |= _family(host) != family

    @classmethod
    def settled(cls, host: int, cgroup: str, trees: Mapping[str, str]) -> Scene:
        """The scene once nobody in it is dying any more (or after a quarter of a second, on a busy machine one)."""
        began = time.monotonic()
        for look in count(1):
            scene = cls(host, cgroup, trees)
            waited = time.monotonic() - began
            if not scene.dying or waited > (_PATIENCE if look >= _LOOKS else _END_OF_PATIENCE):
                break
            time.sleep(0.0005)
        return scene

    def _process(self, pid: int) -> Row:
        status = proc.status(pid)
        self.spaces[pid] = proc.namespaces(pid)
        if status["State"][:1] not in "ZX":  # signalled and not yet awake, or on its way out: its memory goes first
            pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
            stopped = status["State"][:1] in "Tt"  # takes nothing but SIGKILL
            self.dying |= bool(pending & _SIGKILL if stopped else pending)
            self.dying |= "VmSize" not in status or not self.spaces[pid]
        return {
            "pid": pid,
            "nspid": [int(n) for n in status["NSpid"].split()],
            "parent": int(status["PPid"]),
            "comm": status["Name"],
            "state": status["State"][:1],
            "uids": [int(n) for n in status["Uid"].split()],
            "gids": [int(n) for n in status["Gid"].split()],
            "groups": [int(n) for n in status["Groups"].split()],
            "caps": [int(status[f"Cap{name}"], 16) for name in ("Eff", "Prm", "Inh", "Bnd", "Amb")],
            "no_new_privs": int(status.get("NoNewPrivs", "0")),
            "command": proc.cmdline(pid),
            "ns": self.spaces[pid],
        }

    def first_of(self, kind: str) -> dict[int, int]:
        """For each namespace of `kind`: its inode and the first process in it (a zombie has left most)."""
        found: dict[int, int] = {}
        for pid in self.pids:
            inode = self.spaces[pid].get(kind)
            if inode:
                found.setdefault(inode, pid)
        return found

    def mounts(self, pid: int) -> list[mountinfo.Mount]:
        """The mount table that `pid` sees, read once: several probes look at it. Raises ProcessLookupError."""
        if pid not in self._mounts:
            self._mounts[pid] = mountinfo.read(pid)
        return self._mounts[pid]


def _family(pid: int) -> list[int]:
    """`pid` and all its descendants, in order of birth within each family."""
    found = [pid]
    for parent in found:
        try:
            found += proc.children(parent)
        except ProcessLookupError:
            continue
    return found
