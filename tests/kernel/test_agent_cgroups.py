"""A lab's cgroups: one of its own, below where it was started, and no other one is ever touched. On v2 and hybrid."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit import Lab, doctor
from labkit.linux import cgroup2, proc

pytestmark = pytest.mark.usefixtures("own_cgroups", "own_processes")


@pytest.fixture
def neighbour(nothing_is_left: None) -> Iterator[tuple[str, int]]:
    """A cgroup beside those of labs, with a group below it and a process in that; named as a lab's would be."""
    own = cgroup2.own()
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        try:
            path = cgroup2.make(own, f"labkit-lab-1-{sleeper.pid}")
            inner = cgroup2.make(path, "h1")
            Path(inner, "cgroup.procs").write_text(str(sleeper.pid))
            yield inner, sleeper.pid
        finally:
            sleeper.kill()
    cgroup2.remove(path, root=own)


def tree() -> set[str]:
    """Every cgroup below the one of this test process."""
    return {path for path, _, _ in os.walk(cgroup2.own())}


def places(pid: int) -> list[tuple[int, str, str]]:
    return proc.cgroup_lines(pid)


def test_a_lab_makes_one_below_its_starter_and_moves_nobody_else(lab: Lab, neighbour: tuple[str, int]) -> None:
    inner, sleeper = neighbour
    mine, theirs = places(os.getpid()), places(sleeper)
    assert os.path.dirname(lab.info["cgroup"]) == cgroup2.own()
    web = lab.run("busybox", "sleep 1000", name="web", detach=True)
    lab.run("busybox", "true")
    assert web.running
    assert sorted(cgroup2.procs(lab.info["cgroup"])) == sorted(family(lab.info["pid"]))
    assert os.getpid() not in cgroup2.procs(lab.info["cgroup"])
    assert lab.info["supervisor"] not in cgroup2.procs(lab.info["cgroup"])
    lab.reset()
    lab.close()
    assert (places(os.getpid()), places(sleeper)) == (mine, theirs)
    assert cgroup2.procs(inner) == [sleeper]


def family(pid: int) -> Iterator[int]:
    yield pid
    for child in proc.children(pid):
        yield from family(child)


@pytest.mark.parametrize("who", ["supervisor", "pid"])
def test_a_burial_leaves_the_neighbours_alone(new_lab: Callable[[], Lab], neighbour: tuple[str, int], who: str) -> None:
    inner, sleeper = neighbour
    before = tree()
    lab = new_lab()
    lab.run("busybox", "sleep 1000", detach=True)
    os.kill(lab.info[who], signal.SIGKILL)
    if who == "supervisor":
        lab.backend.client.process.wait()
        doctor.bury()
    lab.close()
    assert cgroup2.procs(inner) == [sleeper]
    assert not os.path.isdir(lab.info["cgroup"])
    assert tree() == before


def test_nothing_is_made_in_a_hierarchy_of_version_1(lab: Lab) -> None:
    if cgroup2.mode() != "hybrid":
        pytest.skip(f"this machine has cgroup mode {cgroup2.mode()}: there is no version 1 to stay away from")
    container = lab.run("busybox", "sleep 1000", detach=True)
    [pid] = [pid for pid in family(lab.info["pid"]) if proc.nspid(pid)[1:2] == [container.pid]]
    ours = {hierarchy: path for hierarchy, _, path in places(os.getpid())}
    theirs = {hierarchy: path for hierarchy, _, path in places(pid)}
    assert {number for number in ours if ours[number] != theirs[number]} == {0}


def test_a_dead_lab_host_gives_its_cgroup_back_at_once(lab: Lab) -> None:
    lab.run("busybox", "sleep 1000", detach=True)
    gone = f"{lab.info['cgroup']}/h{lab.info['generation']}"
    assert os.path.isdir(gone)
    os.kill(lab.info["pid"], signal.SIGKILL)
    lab.reset()
    assert not os.path.isdir(gone)


def test_without_a_place_for_a_cgroup_a_lab_has_none_and_says_why(new_lab: Callable[[], Lab]) -> None:
    """No room for one more cgroup here: cgroup.max.descendants(cgroup-v2.rst) is an administrator's way to say so."""
    limit = Path(cgroup2.own(), "cgroup.max.descendants")
    limit.write_text("0")
    try:
        lab = new_lab()
        assert lab.info["cgroup"] == ""
        assert "Resource temporarily unavailable" in lab.info["no_cgroup"]
        # Mounted from here, the tree would get new options, on the whole machine: the leak check saw that on pure v2.
        assert not [mount for mount in lab.facts("mounts") if mount.type == "cgroup2"]
        assert lab.run("busybox", ["echo", "all the same"]).stdout == "all the same\n"
        host = lab.info["pid"]
        os.kill(lab.info["supervisor"], signal.SIGKILL)
        lab.backend.client.process.wait()
        doctor.bury()
        assert not proc.alive(host) or proc.stat(host).state == "Z"
    finally:
        limit.write_text("max")
