"""Why a process does nothing: a cgroup that is frozen, its own or one above, or a signal that stopped it.

A frozen process never runs, so whatever asks it something gets no answer, and no error either. In version 2 a cgroup
says in ``cgroup.freeze`` what was asked of it alone; what is frozen above freezes it, too. In version 1 there is a tree
for it, and ``freezer.self_freezing`` tells the cgroup that was frozen from those below it.

See: the kernel's admin-guide/cgroup-v2.rst "cgroup.freeze", admin-guide/cgroup-v1/freezer-subsystem.rst, signal(7).
"""

from __future__ import annotations

import os

from labkit.linux import hierarchies, proc
from labkit.linux.cgroup_files import ABSENT

FREEZE, STATE = "cgroup.freeze", "freezer.state"  #: of version 2, of version 1

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labkit.linux.proc import Pid, Root


def frozen_by(directory: str) -> str:
    """The ``cgroup.freeze`` of the cgroup of version 2, this one or one above, that was frozen; empty if none was."""
    while _read(f"{directory}/{FREEZE}") == "0":
        directory = os.path.dirname(directory)
    return f"{directory}/{FREEZE}" if _read(f"{directory}/{FREEZE}") == "1" else ""


def frozen_by_v1(directory: str) -> str:
    """The same in version 1, in the tree of its freezer: its ``freezer.state``."""
    if _read(f"{directory}/{STATE}") not in ("FROZEN", "FREEZING"):
        return ""
    while _read(f"{directory}/freezer.self_freezing") == "0":
        directory = os.path.dirname(directory)
    return f"{directory}/{STATE}"


def why_still(pid: Pid, root: Root = "/proc") -> tuple[str, str]:
    """What keeps a process: ("frozen", the file that says so), ("stopped", ""), or ("", "") if nothing of that kind.

    Also of one that has gone.
    """
    try:
        if proc.stat(pid, root).state in "Tt":
            return "stopped", ""
        trees = hierarchies.read(pid, root)
    except ProcessLookupError:
        return "", ""
    for tree in trees:
        if tree.directory and tree.version == 2 and (where := frozen_by(tree.directory)):
            return "frozen", where
        if tree.directory and "freezer" in tree.controllers and (where := frozen_by_v1(tree.directory)):
            return "frozen", where
    return "", ""


def _read(path: str) -> str:
    """What a file says; nothing if it is not there, as at the top of a tree."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return ""
