"""A test process in cgroups of its own, one in each tree: what is left there is of its labs.

In version 2 it lives in a leaf of its own cgroup, which is marked as delegated, as Jupyter does: its labs are made
beside that leaf and get the controllers that the cgroup above has to hand down.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from labkit.agent import delegation
from labkit.linux import cgroup2, hierarchies

NAME = f"labkit-test-{os.getpid()}"


@contextmanager
def lived_in() -> Iterator[str]:
    """Enter them, and leave them again; the one of version 2, or "" where there is none."""
    with ExitStack() as left:
        for tree in hierarchies.read():
            if tree.version == 1 and tree.controllers and os.access(tree.directory or "/dev/null", os.W_OK):
                left.enter_context(_in(tree.directory, cpuset="cpuset" in tree.controllers))
        try:
            mine = left.enter_context(_in(delegation.home(), back=cgroup2.own(), leaf=True))
        except (OSError, LookupError):  # no cgroup2, or not ours to divide
            mine = ""
        yield mine


@contextmanager
def _in(above: str, *, back: str = "", cpuset: bool = False, leaf: bool = False) -> Iterator[str]:
    mine = cgroup2.make(above, NAME)
    try:
        for name in ("cpuset.cpus", "cpuset.mems") if cpuset else ():  # else nobody can enter
            Path(mine, name).write_text(Path(above, name).read_text())
        if leaf:
            delegation.hand_down(above)
            os.setxattr(mine, "user.delegate", b"1")
        Path(cgroup2.make(mine, "jupyter") if leaf else mine, "cgroup.procs").write_text("0")
        yield mine
        Path(back or above, "cgroup.procs").write_text("0")
        if leaf:
            cgroup2.kill(mine, root=above)  # a test that left somebody there has failed by now
    finally:
        cgroup2.remove(mine, root=above)


def directories() -> list[str]:
    """All cgroups of this process and below, in all trees: those that `lived_in` made."""
    found = []
    for tree in hierarchies.read():
        top, mine, _ = tree.directory.partition(NAME)
        found += [directory for directory, _, _ in os.walk(top + mine)] if mine else []
    return found


def outweigh() -> None:
    """Let this process and its labs go before whatever else wants a CPU, wherever cgroups of ours can say so."""
    for directory in directories():
        for name, most in (("cpu.weight", "10000"), ("cpu.shares", "262144")):
            file = Path(directory, name)
            if directory.endswith(NAME) and file.exists():
                file.write_text(most)
