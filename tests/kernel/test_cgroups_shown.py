"""The tree of cgroups and the files of both versions, of a real container: as the kernel's own files say it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from labkit import Lab
from labkit.cgroups import Limits
from labkit.cgroups.change import Freeze, SetLimit
from labkit.cgroups.make import MakeCgroup
from labkit.container import metering
from labkit.container.container import Container
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


def limited(lab: Lab) -> Container:
    """A container that computes, held to a fifth of a CPU and 64 MiB; who cannot have that has nothing to see here."""
    try:
        return lab.run("busybox", ["sh", "-c", "while :; do :; done"], name="held", detach=True,
                       limits=Limits(cpu=0.2, memory="64M", pids=9))  # fmt: skip
    except SpecError as refused:
        pytest.skip(f"this lab can hold nobody to that: {refused.message}")


def test_limits_are_drawn_where_they_were_written(lab: Lab) -> None:
    limited(lab)
    text = str(cgroup_tree(lab))
    assert "memory.max 67108864" in text or "memory.limit_in_bytes 67108864" in text
    assert "cpu.max 20000 100000" in text or "cpu.cfs_quota_us 20000" in text
    assert "pids.max 9" in text


def test_a_cgroup_counts_what_is_used_below_it(lab: Lab) -> None:
    held = lab.run("busybox", ["sh", "-c", "while :; do :; done"], name="busy", detach=True)
    lab.run("busybox", ["sleep", "1000"], name="idle", detach=True)
    deadline = time.monotonic() + 20
    while (held.usage().cpu or 0) < 0.2:
        assert time.monotonic() < deadline
    lab.take_all([Freeze(path=f"/sys/fs/cgroup/{name}") for name in ("busy", "idle")])
    while not held.usage().frozen:
        assert time.monotonic() < deadline
    used = metering.of_all(lab)
    top, parts = used["/"].cpu, [used[f"/{name}"].cpu for name in ("busy", "idle")]
    assert top and all(part is not None for part in parts)
    assert top >= sum(part or 0.0 for part in parts) > 0.2
    assert f"CPU {parts[0]:.3f} s" in str(cgroup_tree(lab, usage=True)), "who is frozen uses no more"


def test_what_is_read_is_what_cat_says(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
    lab.take(Freeze(path="/sys/fs/cgroup/web"))  # so that its counters stand still, as soon as it has heard of it
    deadline = time.monotonic() + 20
    while not held.usage().frozen:
        assert time.monotonic() < deadline
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


def test_limits_are_read_from_the_version_that_is_in_charge_and_translated_to_the_other(lab: Lab) -> None:
    table = limited(lab).rosetta("memory.max", "cpu.max", "pids.max")
    quota, [memory], [pids] = (row.lines for row in table.rows)
    assert {memory[0].value, memory[1].value if memory[1] else ""} == {"67108864"}
    assert [new.value for new, _ in quota] == ["20000", "100000"] == [old.value for _, old in quota if old]
    assert (pids[0].value, pids[1] and pids[1].value) == ("9", "9")
    for new, old in (memory, *quota, pids):
        assert old and new.read != old.read, "a controller is in one version or in the other"
    pid = lab.backend.look([])["processes"][-1]["pid"]
    name = "memory.max" if memory[0].read else "memory.limit_in_bytes"
    files = [Path(tree.directory, name) for tree in hierarchies.own(pid)]
    assert [file.read_text().strip() for file in files if file.exists()] == ["67108864"]


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
