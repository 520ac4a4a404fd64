"""An ordinary user without sudo: the lab in a user namespace. Root becomes nobody for these."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyroute2
import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user here")


@pytest.fixture
def home() -> Iterator[Path]:
    """A place of nobody's own, with a copy of labkit: the checkout may be where nobody may look. (Not in /tmp: a lab
    host has one of its own.)"""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        place = Path(name)
        for part in (ROOT / "labkit", ROOT / "images", Path(pyroute2.__file__).parent):
            shutil.copytree(part, place / part.name)  # compiled, too: nobody could not keep what it compiles
        os.chown(place, NOBODY, NOBODY)
        place.chmod(0o755)
        yield place


def as_nobody(home: Path, code: str) -> str:
    """What `code` prints, run by nobody."""
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(home), "LABKIT_RUN": str(home / "run")}
    done = subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", PYTHON, "-c", code],
        cwd=home, env=surroundings, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_lab_without_root_runs_a_container(home: Path) -> None:
    said = as_nobody(home, """
from labkit import Lab
with Lab() as lab:
    print(lab.rootless, lab.run("busybox", "hostname", hostname="c1").stdout, end="")
""")  # fmt: skip
    assert said == "True c1\n"


def test_to_whom_no_cgroup_was_delegated_that_is_told_who_asks_for_limits(home: Path) -> None:
    said = as_nobody(home, """
from labkit import Lab
from labkit.cgroups import Limits
from labkit.errors import SpecError
with Lab() as lab:
    print(lab.run("busybox", ["echo", "runs"]).stdout, end="")
    try:
        lab.run("busybox", "true", limits=Limits(memory="64M"))
    except SpecError as fault:
        print(fault)
""")  # fmt: skip
    runs, message, likely, look = said.splitlines()
    assert runs == "runs", "nothing else needs a cgroup"
    assert "nobody here can hold a container to limits" in message
    assert "Permission denied" in likely and "labkit doctor" in look


def test_a_walk_without_root_looks_into_every_namespace_and_comes_back(home: Path) -> None:
    said = as_nobody(home, """
from labkit import Lab
from labkit.steps.fact import PROBES
with Lab() as lab:
    walk = lab.walk(lab.plans.container("busybox", hostname="c1"))
    walk.run()
    print({probe for probe in PROBES if not lab.snapshot(probe).facts})
    walk.goto(0)
    print([fact.hostname for fact in lab.snapshot("uts").facts])
""")  # fmt: skip
    assert said == "{'ipc'}\n['lab']\n", "no facts but of ipc objects, which nobody has made"


def test_without_root_the_machines_own_files_are_read_only_and_the_top_is_the_labs(home: Path) -> None:
    said = as_nobody(home, f"""
from labkit import Lab
from labkit.errors import LabError
from labkit.namespaces.files import MakeDirectory
with Lab() as lab:
    lab.take(MakeDirectory(path="/new"))
    try:
        lab.take(MakeDirectory(path="{home}/mine"))
    except LabError as error:
        print(error)
""")  # fmt: skip
    assert "EROFS" in said
    assert not Path("/new").exists() and not (home / "mine").exists()


def test_without_root_the_referee_judges_too(home: Path) -> None:
    said = as_nobody(home, """
from labkit import Lab, learn
with Lab() as lab:
    task = learn.lesson("nb03").check("own-name")
    task.solve(lab)
    verdict = task.run(lab)
    print(verdict.solved, verdict.judge, verdict.note)
""")  # fmt: skip
    assert said == "True referee \n"


def test_without_root_a_container_gets_a_cable_with_limits(home: Path) -> None:
    said = as_nobody(home, """
from labkit import Lab
with Lab() as lab:
    box = lab.run("busybox", ["sleep", "1000"], name="c1", detach=True)
    print(box.link("10.9.0.2/24"))
    print(box.shape(egress="8M", ingress="4M"))
    print(box.exec(["ping", "-c", "1", "-w", "5", "10.9.0.1"]).returncode, box.traffic().sent_packets > 0)
""")  # fmt: skip
    assert said.splitlines()[3:] == [
        "a cable: eth0 of c1 has 10.9.0.2/24, veth-c1 of the lab host 10.9.0.1/24",
        "  egress   8 Mbit/s",
        "  ingress  4 Mbit/s",
        "0 True",
    ]
