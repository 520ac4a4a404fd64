"""The tree of cgroups and the files of both versions, of a real container: as the kernel's own files say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit import Lab
from labkit.cgroups import Limits
from labkit.cgroups.change import Freeze, SetLimit
from labkit.cgroups.make import MakeCgroup
from labkit.errors import HostDied, SpecError
from labkit.linux import hierarchies
from labkit.view.pictures import cgroup_tree

pytestmark = pytest.mark.usefixtures("cgroups")


def test_the_tree_shows_who_lives_where_and_what_has_changed(lab: Lab) -> None:
    before = lab.snapshot("cgroup")
    lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
    lab.take_all([MakeCgroup(path="/sys/fs/cgroup/g"), SetLimit(path="/sys/fs/cgroup/g", file="cgroup.max.depth",
                                                                value="3")])  # fmt: skip
    now = str(cgroup_tree(lab))
    assert any(line.split()[1:2] == ["web"] and line.endswith(" web") for line in now.splitlines())
    assert any("─ g " in line and "cgroup.max.depth 3" in line for line in now.splitlines())
    marked = str(cgroup_tree(lab, since=before)).splitlines()
    assert any(line.startswith("+") and line.endswith("+web") for line in marked)
    assert any(line.startswith("+") and "+cgroup.max.depth 3" in line for line in marked)
    assert cgroup_tree(lab).svg.count("cgroup.max.depth 3") >= 1


def test_what_is_read_is_what_cat_says(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
    lab.take(Freeze(path="/sys/fs/cgroup/web"))  # so that its counters stand still
    lab.take(SetLimit(path="/sys/fs/cgroup/web", file="cgroup.max.depth", value="5"))
    mine = next(Path(lab.info["cgroup"]).glob("h*/web"))
    table = held.rosetta()
    read = {new.place: new.value for row in table.rows for new, _ in row.lines if new.read}
    assert read["cgroup.max.depth"] == "5" == mine.joinpath("cgroup.max.depth").read_text().strip()
    assert read["cgroup.freeze"] == "1"
    stat = dict(line.split() for line in mine.joinpath("cpu.stat").read_text().splitlines())
    assert {key: read[f"cpu.stat {key}"] for key in ("usage_usec", "user_usec", "system_usec")} == {
        key: stat[key] for key in ("usage_usec", "user_usec", "system_usec")
    }
    for name in ("memory.max", "pids.max", "cpu.weight", "memory.high"):  # where version 2 has the controller
        there = mine.joinpath(name)
        assert (name in read) == there.exists()
        assert name not in read or read[name] == there.read_text().strip()


def test_limits_of_version_1_are_read_where_it_is_in_charge(lab: Lab) -> None:
    if lab.info["controllers"].get("memory") != 1:
        pytest.skip("version 1 has no memory controller here")
    held = lab.run("busybox", ["sleep", "1000"], name="web", detach=True, limits=Limits(memory="32M"))
    pid = lab.backend.look([])["processes"][-1]["pid"]
    old = {name: tree for tree in hierarchies.own(pid) if tree.version == 1 for name in tree.controllers}
    said = {old.place: old.value for row in held.rosetta("memory").rows for _, old in row.lines if old and old.read}
    assert said["memory.limit_in_bytes"] == Path(old["memory"].directory, "memory.limit_in_bytes").read_text().strip()


def test_without_values_nothing_is_read_and_a_dead_one_has_none(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
    bare = held.rosetta("cpu", values=False)
    with pytest.raises(SpecError, match="neither a file"):
        held.rosetta("nonsense")
    held.kill()
    held.wait()
    assert held.rosetta("cpu", values=False) == bare
    with pytest.raises(HostDied):
        held.rosetta("cpu")
