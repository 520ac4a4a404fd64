"""Which tree has which controller, and where we are in it, as machines of several kinds tell it in /proc."""

from __future__ import annotations

from pathlib import Path

import pytest
from mount_tables import DOCKER, HYBRID, ROOT, V2, WSL2

from labkit.linux import hierarchies

#: systemd on version 1 alone, in a login of user 1000
SYSTEMD_V1 = """\
12:pids:/user.slice/user-1000.slice
11:cpu,cpuacct:/user.slice
1:name=systemd:/user.slice/user-1000.slice/session-2.scope
"""
PIDS = "35 31 0:32 / /sys/fs/cgroup/pids rw,nosuid - cgroup cgroup rw,pids\n"
#: a Docker in a Docker on version 1, without a cgroup namespace: the mount shows the outer container's part only
DIND = (
    ROOT
    + "41 2 0:40 / /sys/fs/cgroup rw - tmpfs cgroup rw,mode=755\n"
    + "42 41 0:32 /docker/4f /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
)


def machine(tmp_path: Path, mounts: str, cgroup: str) -> Path:
    """A /proc in which process `self` has these two files."""
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_text(mounts)
    (tmp_path / "self/cgroup").write_text(cgroup)
    return tmp_path


@pytest.mark.parametrize(
    ("mounts", "cgroup", "controller", "directory"),
    [
        (HYBRID + PIDS, SYSTEMD_V1 + "0::/user.slice\n", "pids", "/sys/fs/cgroup/pids/user.slice/user-1000.slice"),
        (HYBRID + PIDS, SYSTEMD_V1, "cpuacct", "/sys/fs/cgroup/cpu,cpuacct/user.slice"),
        (WSL2, "3:cpuset:/\n0::/\n", "cpuset", "/sys/fs/cgroup/cpuset"),
        (DIND, "5:pids:/docker/4f/docker/a1\n", "pids", "/sys/fs/cgroup/pids/docker/a1"),
    ],
    ids=["systemd hybrid", "two controllers in one tree", "WSL 2", "Docker in Docker"],
)
def test_a_controller_of_version_1_is_found_where_it_is_mounted(
    tmp_path: Path, mounts: str, cgroup: str, controller: str, directory: str
) -> None:
    found = hierarchies.of(controller, root=str(machine(tmp_path, mounts, cgroup)))
    assert (found.version, found.directory) == (1, directory)


@pytest.mark.parametrize(
    ("mounts", "cgroup", "reason"),
    [
        (HYBRID, SYSTEMD_V1, "no pids file system is mounted; try: mount -t cgroup -o pids"),
        (DIND, "5:pids:/docker/other\n", "lies in no pids mount that is to be seen here"),
        (ROOT, "0::/\n", "no cgroup2 file system is mounted"),
        (V2, "", "no tree has the controller pids"),
        (V2, "0::/gone (deleted)\n", "has been removed"),
        (DOCKER, "0::/nowhere\n", "pids is not enabled for /sys/fs/cgroup/nowhere"),
    ],
)
def test_where_it_is_not_to_be_had_the_reason_is_told(tmp_path: Path, mounts: str, cgroup: str, reason: str) -> None:
    with pytest.raises(LookupError, match=reason):
        hierarchies.of("pids", root=str(machine(tmp_path, mounts, cgroup)))


def test_version_2_has_the_controllers_that_its_parents_hand_down(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "a/cgroup.controllers").write_text("cpu memory pids\n")
    mounts = ROOT + f"30 1 0:26 / {tree} rw - cgroup2 cgroup2 rw\n"
    (tmp_path / "proc").mkdir()
    proc = machine(tmp_path / "proc", mounts, "0::/a\n")
    found = hierarchies.of("memory", root=str(proc))
    assert (found.version, found.controllers, found.directory) == (2, ("cpu", "memory", "pids"), f"{tree}/a")
    with pytest.raises(LookupError, match="io is not enabled"):
        hierarchies.of("io", root=str(proc))


def test_a_tree_without_controllers_has_a_name(tmp_path: Path) -> None:
    trees = hierarchies.read(root=str(machine(tmp_path, HYBRID, SYSTEMD_V1)))
    assert [(tree.name, tree.controllers) for tree in trees] == [
        ("", ("pids",)),
        ("", ("cpu", "cpuacct")),
        ("systemd", ()),
    ]
    assert repr(trees[1]) == "Hierarchy(11, 'cpu,cpuacct', '/user.slice')"


def test_this_machine_tells_where_we_are() -> None:
    for tree in hierarchies.read():
        assert tree.directory or tree.why
        assert not tree.directory or Path(tree.directory).is_dir()


def test_a_place_of_its_own_is_called_as_in_version_2(tmp_path: Path) -> None:
    """Of whom nobody moved in a tree of version 1 it counts what all do that were left where they were."""
    lines = (
        "5:pids:/user.slice/lab-1/h1/web\n3:cpu,cpuacct:/user.slice\n1:name=systemd:/lab-1/h2/web\n0::/lab-1/h1/web\n"
    )
    proc = str(machine(tmp_path, HYBRID + PIDS, lines))
    assert [tree.number for tree in hierarchies.own(root=proc)] == [5, 0]
    assert [tree.place for tree in hierarchies.own(root=proc)] == ["h1/web", "h1/web"]


@pytest.mark.parametrize(
    ("mounts", "cgroup", "reason"),
    [
        (HYBRID, SYSTEMD_V1, "in no tree of version 2"),
        (ROOT, "0::/a\n", "no cgroup2 file system is mounted"),
        (V2, "0::/a (deleted)\n", "has been removed"),
    ],
)
def test_without_a_place_in_version_2_there_is_none(tmp_path: Path, mounts: str, cgroup: str, reason: str) -> None:
    with pytest.raises(LookupError, match=reason):
        hierarchies.own(root=str(machine(tmp_path, mounts, cgroup)))
