"""Where the cgroup2 tree is and where we are in it, on the mount tables of many machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from mount_tables import DOCKER, DOCKER_HOSTNS, HYBRID, ROOT, V1, V2, WSL2

from labkit.linux import cgroup2
from labkit.linux.mountinfo import parse


@pytest.mark.parametrize(
    ("table", "mode"),
    [(V2, "v2"), (HYBRID, "hybrid"), (V1, "v1"), (ROOT, "none"), (WSL2, "hybrid"), (DOCKER, "v2"), ("", "none")],
)
def test_which_version_is_in_charge(table: str, mode: str) -> None:
    assert cgroup2.mode(parse(table)) == mode


@pytest.mark.parametrize(
    ("table", "path", "directory"),
    [
        (V2, "/", "/sys/fs/cgroup"),
        (V2, "/user.slice/user-0.slice/a b", "/sys/fs/cgroup/user.slice/user-0.slice/a b"),
        (HYBRID, "/", "/sys/fs/cgroup/unified"),
        (HYBRID, "/x/y", "/sys/fs/cgroup/unified/x/y"),
        (WSL2, "/init.scope", "/sys/fs/cgroup/unified/init.scope"),
        (DOCKER, "/", "/sys/fs/cgroup"),
        (DOCKER, "/inner", "/sys/fs/cgroup/inner"),
        (DOCKER_HOSTNS, "/system.slice/docker-4f.scope", "/sys/fs/cgroup"),
        (DOCKER_HOSTNS, "/system.slice/docker-4f.scope/inner", "/sys/fs/cgroup/inner"),
        # Moved out of the root of our cgroup namespace, and a mount that was made further out still.
        (V2.replace("0:26 / ", "0:26 /.. "), "/../sibling", "/sys/fs/cgroup/sibling"),
        (V2.replace("0:26 / ", "0:26 /../.. "), "/../../aunt/cousin", "/sys/fs/cgroup/aunt/cousin"),
    ],
)
def test_where_a_cgroup_is(table: str, path: str, directory: str) -> None:
    assert cgroup2.locate(parse(table), path) == directory


@pytest.mark.parametrize(
    ("table", "path", "cause"),
    [
        (V1, "/", "no cgroup2 file system is mounted"),
        ("", "/", "no cgroup2 file system is mounted"),
        (V2, "/..", "another tree"),
        (V2, "/../sibling", "another tree"),
        (V2.replace("0:26 / ", "0:26 /.. "), "/", "another tree"),  # our own name in the parent: nobody tells
        (V2.replace("0:26 / ", "0:26 /.. "), "/../..", "another tree"),
        (DOCKER_HOSTNS, "/system.slice/docker-4f.scope2", "another tree"),
        (DOCKER_HOSTNS, "/", "another tree"),
        (V2, "/gone (deleted)", "has been removed"),
    ],
)
def test_a_cgroup_out_of_reach_is_told_why(table: str, path: str, cause: str) -> None:
    with pytest.raises(LookupError, match=cause):
        cgroup2.locate(parse(table), path)


def test_a_mount_that_can_be_written_to_is_preferred() -> None:
    table = DOCKER + "704 700 0:26 / /run/lab/cgroup rw - cgroup2 none rw\n"
    assert cgroup2.locate(parse(table), "/a") == "/run/lab/cgroup/a"


def test_a_mount_that_another_one_hides_does_not_count() -> None:
    table = HYBRID + "90 31 0:77 / /sys/fs/cgroup/unified rw - tmpfs hide rw\n"
    assert cgroup2.mode(parse(HYBRID)) == "hybrid"
    table = table.replace("90 31", "90 32")  # on top of the cgroup2 mount
    assert cgroup2.mode(parse(table)) == "v1"
    with pytest.raises(LookupError):
        cgroup2.locate(parse(table), "/")


def test_own_reads_the_tables_of_the_process(tmp_path: Path) -> None:
    here = tmp_path / "self"
    here.mkdir()
    (here / "stat").write_text("1 (x) S")
    (here / "mountinfo").write_text(HYBRID)
    (here / "cgroup").write_text("4:memory:/other\n1:name=systemd:/x\n0::/user.slice\n")
    assert cgroup2.own(root=str(tmp_path)) == "/sys/fs/cgroup/unified/user.slice"
    (here / "cgroup").write_text("4:memory:/other\n")
    with pytest.raises(LookupError, match="no line 0::"):
        cgroup2.own(root=str(tmp_path))


@pytest.mark.parametrize(
    "path",
    [
        "/elsewhere/x",
        "{root}",
        "{root}/../x",
        "{root}/a/../../x",
        "{root}x",
        "{root}/..",
        "{root}/.",
        "{root}/",
        "relative",
    ],
)
def test_nothing_outside_the_root_is_touched(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    target = path.replace("{root}", str(root))
    for act in (cgroup2.kill, cgroup2.remove, cgroup2.freeze):
        with pytest.raises(ValueError, match=r"not ours to touch|not end in the name"):
            act(target, root=str(root))
    assert root.exists()


@pytest.mark.parametrize("root", ["/", "", "relative", "//"])
def test_the_whole_machine_is_no_root(root: str) -> None:
    with pytest.raises(ValueError, match="not ours to touch"):
        cgroup2.remove("/x", root=root)


def test_links_are_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    (outside / "inner").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        cgroup2.remove(f"{root}/link", root=str(root))
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        cgroup2.remove(f"{root}/link/inner", root=str(root))
    assert (outside / "inner").exists()


def test_remove_goes_from_the_leaves_up_however_deep(tmp_path: Path) -> None:
    """On any file system: a tree of directories, wide and deeper than a stack or a table of open files would bear."""
    root = tmp_path / "root"
    root.mkdir()
    for name in ("x/a/b", "x/a/c", "x/d", "keep"):
        (root / name).mkdir(parents=True)
    deep = root / "x" / "d"
    for _ in range(1500):
        deep = deep / "n"
        deep.mkdir()
    cgroup2.remove(f"{root}/x", root=str(root))
    assert [each.name for each in root.iterdir()] == ["keep"]
    cgroup2.remove(f"{root}/x", root=str(root))  # gone already: no error
    cgroup2.remove(f"{root}/gone/x", root=f"{root}/gone")


@pytest.mark.parametrize("name", ["", "..", "a/b", "cgroup procs", "-x"])
def test_a_bad_name_makes_no_cgroup(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        cgroup2.make(str(tmp_path), name)
    assert not list(tmp_path.iterdir())
