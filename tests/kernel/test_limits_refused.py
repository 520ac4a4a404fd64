"""Where nobody can be held: cgroups that are read-only, or somebody else's.

A lab comes about all the same, and says what it lacks as soon as somebody asks for it. The first of these machines are
made in a mount namespace, where another mount of the same tree may be read-only; nothing of the machine's own changes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import Lab
from labkit.agent import delegation
from labkit.cgroups import Limits
from labkit.cgroups.change import EnterCgroup, SetLimit
from labkit.cgroups.make import MakeCgroup
from labkit.container.container import Container
from labkit.errors import StepError
from labkit.linux import cgroup2, mountinfo
from labkit.namespaces.spawn import Spawn

ASKED = """
from labkit import Lab
from labkit.cgroups import Limits
from labkit.errors import LabError
with Lab() as lab:
    print(lab.run("busybox", ["echo", "runs"]).stdout, end="")
    try:
        print(lab.run("busybox", "true", limits=Limits(memory="64M")).returncode)
    except LabError as fault:
        print(type(fault).__name__, fault, sep=": ")
    try:
        lab.run("busybox", ["sleep", "1000"], name="c1", detach=True).usage()
        print("counted")
    except LabError as fault:
        print(type(fault).__name__, fault, sep=": ")
"""


def told_where(*first: str) -> str:
    """What `ASKED` prints in a mount namespace in which these commands were run."""
    script = " && ".join([*first, f'exec "{sys.executable}" -c "$ASKED"'])
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        env={**os.environ, "ASKED": ASKED}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_only(kind: str) -> list[str]:
    """The commands that make the trees of version 1 (cgroup) or 2 (cgroup2) read-only here."""
    return [f"mount -o remount,bind,ro {mount.target}" for mount in mountinfo.read() if mount.type == kind]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes another mount read-only")
def test_where_all_trees_are_read_only_a_lab_runs_and_says_what_it_lacks() -> None:
    told = told_where(*read_only("cgroup2"), *read_only("cgroup"))
    runs, limited, counted = told.split("SpecError: ")
    assert runs == "runs\n", "nothing else needs a cgroup"
    assert "nobody here can hold a container" in limited and "Read-only file system" in limited, limited
    assert "look:" in limited and "doctor" in limited
    assert "this lab has no cgroups" in counted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes another mount read-only")
def test_where_only_the_old_trees_are_read_only_the_other_still_counts(lab: Lab) -> None:
    if lab.info["controllers"].get("memory") != 1:
        pytest.skip("memory is a controller of version 2 here")
    told = told_where(*read_only("cgroup"))
    assert told.startswith("runs\n") and told.endswith("counted\n"), told
    assert "nobody here can hold memory.max" in told, told
    assert re.search(r"\bmemory\b[a-z, ]*: the tree is mounted read-only", told), told


@pytest.fixture
def foreign(nothing_is_left: None) -> Iterator[Path]:
    """A cgroup beside that of the lab, with a limit."""
    if os.geteuid() != 0:
        pytest.skip("only root has a place for a cgroup beside the lab's")
    made = cgroup2.make(delegation.home(), "somebody-elses")
    Path(made, "cgroup.max.depth").write_text("7")
    yield Path(made)
    cgroup2.remove(made, root=os.path.dirname(made))


def names_of(foreign: Path) -> list[str]:
    """Ways in which a process of the lab host might name it."""
    above = foreign.relative_to(next(m.target for m in mountinfo.read() if m.type == "cgroup2"))
    return [
        str(foreign),
        "/sys/fs/cgroup/../somebody-elses",
        "/sys/fs/cgroup/../../somebody-elses",
        f"/sys/fs/cgroup/{above}",
        f"/proc/1/root{foreign}",
        f"/proc/self/cwd/../..{foreign}",
    ]


def test_somebody_elses_cgroup_is_out_of_reach(lab: Lab, foreign: Path) -> None:
    """The lab's own is the root of its cgroup namespace: no path leads out of it. See: cgroup_namespaces(7)"""
    lab.take(Spawn(child="a"))
    for name in names_of(foreign):
        for step in (
            SetLimit(path=name, file="cgroup.max.depth", value="1"), EnterCgroup(who="a", path=name),
            MakeCgroup(path=f"{name}/below"),
        ):  # fmt: skip
            with pytest.raises(StepError) as refused:
                lab.take(step)
            assert refused.value.errno and refused.value.look, (step, refused.value)
    assert foreign.joinpath("cgroup.max.depth").read_text() == "7\n"
    assert not foreign.joinpath("below").exists() and not cgroup2.procs(str(foreign))


def test_a_container_cannot_lift_its_own_limit(lab: Lab) -> None:
    if "pids" not in lab.info["controllers"]:
        pytest.skip("this lab has no controller pids")
    held = lab.run("busybox", ["sleep", "1000"], detach=True, limits=Limits(pids=10))
    tried = "for f in $(find / -name pids.max 2>/dev/null); do echo max >$f; done; find / -name pids.max | wc -l"
    told = held.exec(["sh", "-c", tried])
    assert told.stdout.strip() == "0" or "Read-only file system" in told.stderr, told.logs()
    assert refuses_the_eleventh(held)


def refuses_the_eleventh(held: Container) -> bool:
    """Whether it may still not have more processes than ten."""
    before = held.usage().refused or 0
    held.exec(["sh", "-c", "for n in 1 2 3 4 5 6 7 8 9 10 11; do sleep 5 & done"])
    return (held.usage().refused or 0) > before
