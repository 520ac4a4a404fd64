"""Jupyter itself runs in a cgroup with limits: a limit beyond them is refused with what is allowed, and where."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_cgroups import NAME, directories

from labkit import Lab
from labkit.cgroups import Limits
from labkit.cgroups.change import SetLimit
from labkit.cgroups.make import MakeCgroup
from labkit.errors import SpecError
from labkit.steps.taking import StepFailed

#: by limit: what the tests' own cgroup is set to, in the file of version 2 or of 1, and what is in it without limits
SET = {
    "cpu": {"cpu.max": ("20000 100000", "max 100000"), "cpu.cfs_quota_us": ("20000", "-1")},
    "memory": {"memory.max": (str(1 << 30), "max"), "memory.limit_in_bytes": (str(1 << 30), "-1")},
    "pids": {"pids.max": ("500", "max")},
}


@contextlib.contextmanager
def limited(what: str) -> Iterator[str]:
    """The directory of this test process's own cgroup while it has a limit."""
    for directory in directories():
        for name, (text, none) in SET[what].items():
            file = Path(directory, name)
            if directory.endswith(NAME) and file.exists():
                file.write_text(text)
                try:
                    yield directory
                finally:
                    file.write_text(none)
                return
    pytest.skip(f"no cgroup of this test process has a controller for {what}")


@pytest.mark.parametrize(
    ("what", "beyond", "given", "allowed", "file"),
    [
        ("cpu", Limits(cpu=0.5), "cpu=0.5", "0.2", r"cpu\.(max|cfs_quota_us) 20000/100000"),
        ("memory", Limits(memory="2G"), "memory='2G'", "1 GiB", rf"memory\.(max|limit_in_bytes) {1 << 30}"),
        ("pids", Limits(pids=501), "pids=501", "500", r"pids\.max 500"),
    ],
)
def test_what_is_above_is_refused_with_what_is_allowed_and_where(
    own_cgroups: None, what: str, beyond: Limits, given: str, allowed: str, file: str
) -> None:
    with limited(what) as directory, Lab() as lab:
        words = f"{given} is above what the cgroup that this lab runs in allows: {allowed} "
        with pytest.raises(SpecError, match=f"{re.escape(words)}\\({file} in {directory}\\)") as refused:
            lab.run("busybox", ["true"], limits=beyond)
        assert str(refused.value.look).startswith(f"Limits({what}=")
        container = lab.run("busybox", ["sleep", "1000"], detach=True, limits=Limits(cpu=0.1, memory="64M", pids=20))
        with pytest.raises(SpecError, match=re.escape(words)):
            container.limits(**{what: getattr(beyond, what)})
        assert container.exec(["true"]).returncode == 0
    with Lab() as lab:
        assert lab.run("busybox", ["true"], limits=beyond).returncode == 0


def test_a_limit_above_that_was_raised_in_the_meantime_is_no_limit(own_cgroups: None) -> None:
    with Lab() as lab:
        with limited("cpu"), pytest.raises(SpecError, match=r"cpu=0\.5 is above"):
            lab.run("busybox", ["true"], limits=Limits(cpu=0.5))
        assert lab.run("busybox", ["true"], limits=Limits(cpu=0.5)).returncode == 0


def test_cpus_that_the_cgroup_above_has_not_got_are_named(own_cgroups: None) -> None:
    mine = [Path(each) for each in directories() if each.endswith(NAME) and Path(each, "cpuset.cpus").exists()]
    if not mine or not {0, 1} <= os.sched_getaffinity(0):
        pytest.skip("this test process has no CPUs to be left out")
    all_of_them = (mine[0] / "cpuset.cpus").read_text()
    (mine[0] / "cpuset.cpus").write_text("0")
    try:
        with Lab() as lab, pytest.raises(SpecError, match=r"cpus='1' is above .* allows: 0 \(cpuset\..* 0 in "):
            lab.run("busybox", ["true"], limits=Limits(cpus="1"))
    finally:
        (mine[0] / "cpuset.cpus").write_text(all_of_them)


def test_a_step_that_version_1_refuses_for_it_tells_the_same(own_cgroups: None) -> None:
    with limited("cpu") as directory, Lab() as lab:
        if lab.info["controllers"]["cpu"] != 1:
            pytest.skip("version 2 takes it, and gives no more than what is above")
        lab.run("busybox", ["true"], limits=Limits())  # has the trees attached
        tree = next(words for words in lab.info["trees"] if "cpu" in words.split(","))
        path = f"/run/cgroup1/{tree}/oven"
        lab.take(MakeCgroup(path=path))
        with pytest.raises(StepFailed, match="EINVAL") as refused:
            lab.take(SetLimit(path=path, file="cpu.cfs_quota_us", value="50000"))
        assert f"allows: 0.2 (cpu.cfs_quota_us 20000/100000 in {directory})" in str(refused.value.likely)
