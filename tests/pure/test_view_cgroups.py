"""The tree of cgroups as text and on paper: of version 2 and of version 1, and what has changed in it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from labkit.cgroups.usage import Usage
from labkit.errors import LabError
from labkit.steps.fact import Cgroup, CgroupMembership, Fact, Limit
from labkit.steps.snapshot import Snapshot
from labkit.view.pictures import cgroup_tree

SVG = "{http://www.w3.org/2000/svg}"
DOWN = "cgroup.subtree_control"
V2: list[Fact] = [
    *(Cgroup(path) for path in ("/", "/c1", "/c2", "/c2/a", "/host")),
    Limit("/", DOWN, "cpu memory"), Limit("/c1", "cpu.max", "20000 100000"), Limit("/c2", "memory.max", "1048576"),
    Limit("/c2", DOWN, "memory"), Limit("/c2", "cpu.weight", "300"),
    CgroupMembership("init", "/host"), CgroupMembership("c1", "/c1"), CgroupMembership("c2", "/c2/a"),
]  # fmt: skip
V1: list[Fact] = [
    *(Cgroup(f"{tree}:{path}") for tree in ("cpu,cpuacct", "memory") for path in ("/", "/c1")),
    Limit("memory:/c1", "memory.limit_in_bytes", "67108864"), CgroupMembership("c1", "memory:/c1"),
]  # fmt: skip


def shot(facts: list[Fact]) -> Snapshot:
    return Snapshot.of(["cgroup"], facts)


def letters(drawing: str) -> list[str]:
    """What is written there, without what is told when a pointer rests on it."""
    nodes = ET.fromstring(drawing).iter(f"{SVG}text")
    return [(node[-1].tail if len(node) else node.text) or "" for node in nodes]


def test_a_cgroup_has_the_controllers_that_its_parent_hands_down() -> None:
    assert (
        str(cgroup_tree(V2))
        == """\
cgroup   controllers, ↓ handed down  limits                           processes
/        ↓cpu ↓memory
├─ c1    cpu memory                  cpu.max 20000 100000 = 0.2 CPUs  c1
├─ c2    cpu memory                  cpu.weight 300
│  │     ↓memory                     memory.max 1048576 = 1 MiB
│  └─ a  memory                                                       c2
└─ host  cpu memory                                                   init"""
    )


def test_each_tree_of_version_1_stands_under_its_heading() -> None:
    assert (
        str(cgroup_tree([*V2[:2], *V1]))
        == """\
cgroup  limits                                   processes
version 2
/
└─ c1
version 1: cpu,cpuacct
/
└─ c1
version 1: memory
/
└─ c1   memory.limit_in_bytes 67108864 = 64 MiB  c1"""
    )


def test_trees_of_version_1_in_which_all_is_the_same_stand_together() -> None:
    facts: list[Fact] = [Cgroup(f"{tree}:{path}") for tree in ("cpuset", "memory", "pids") for path in ("/", "/c1")]
    assert [line for line in str(cgroup_tree(facts)).splitlines() if "version" in line] == [
        "version 1: cpuset; memory; pids"
    ]
    apart = str(cgroup_tree([*facts, Limit("memory:/c1", "memory.limit_in_bytes", "1")]))
    assert "version 1: cpuset; pids" in apart and "version 1: memory" in apart
    counted = str(cgroup_tree(facts, usage={"pids:/c1": Usage(processes=1)}))
    assert "version 1: cpuset; memory" in counted and "version 1: pids" in counted


def test_on_a_hybrid_machine_a_process_stands_in_each_tree_that_it_is_in() -> None:
    lines = [line for line in str(cgroup_tree([*V2, *V1])).splitlines() if "─ c1" in line]
    assert [line.endswith("  c1") for line in lines] == [True, False, True], "version 2, cpu, memory"


def test_what_has_changed_is_marked_with_its_sign() -> None:
    later = [
        *(Cgroup(path) for path in ("/", "/c1", "/c3", "/host")),
        Limit("/", DOWN, "cpu memory pids"), Limit("/c1", "cpu.max", "25000 100000"), Limit("/c1", "pids.max", "9"),
        CgroupMembership("init", "/host"), CgroupMembership("c1.1", "/c1"), CgroupMembership("c3", "/c3"),
    ]  # fmt: skip
    picture = cgroup_tree(later, since=shot(V2))
    assert (
        str(picture)
        == """\
   cgroup   controllers, ↓ handed down  limits                                              processes
~  /        ↓cpu ↓memory +↓pids
~  ├─ c1    cpu memory +pids            ~ cpu.max 20000 100000 -> 25000 100000 = 0.25 CPUs  +c1.1 -c1
   │                                    +pids.max 9
-  ├─ c2    -cpu -memory                -cpu.weight 300
   │  │     -↓memory                    -memory.max 1048576 = 1 MiB
-  │  └─ a  -memory                                                                         -c2
+  ├─ c3    +cpu +memory +pids                                                              +c3
   └─ host  cpu memory +pids                                                                init"""
    )
    assert {"+", "-", "~"} <= set(letters(picture.svg))


def test_of_two_equal_moments_nothing_is_marked() -> None:
    picture = cgroup_tree(V2, since=shot(V2))
    assert [line[3:] for line in str(picture).splitlines()] == str(cgroup_tree(V2)).splitlines()
    assert not {"+", "-", "~"} & set(letters(picture.svg))


def test_usage_is_told_where_it_is_given() -> None:
    used = {"/c1": Usage(cpu=1.5, memory=3 << 20, read=1 << 20, written=0, processes=2), "memory:/c1": Usage(memory=7)}
    text = str(cgroup_tree([*V2, *V1], usage=used))
    assert "CPU 1.500 s" in text and "memory 3.0 MiB" in text and "disks 1.0 MiB" in text and "processes 2" in text
    assert "used" not in str(cgroup_tree(V2)).splitlines()[0]
    with pytest.raises(LabError, match="facts do not say what is used"):
        cgroup_tree(V2, usage=True)


def test_where_a_cgroup_lies_deeper_than_any_that_is_known_its_way_is_shown() -> None:
    assert "user.slice/a" in str(cgroup_tree([Cgroup("/"), CgroupMembership("init", "/user.slice/a")]))
    assert str(cgroup_tree([CgroupMembership("init", "")])) == "(no cgroups)"


def test_on_paper_all_of_it_is_there_and_long_names_are_shortened() -> None:
    name = "x" * 200
    drawing = cgroup_tree([*V2, Cgroup(f"/{name}"), CgroupMembership(name, f"/{name}")]).svg
    shown = letters(drawing)
    assert {"c1", "host", "cpu.max 20000 100000 = 0.2 CPUs", "cpu", "↓memory"} <= set(shown)
    assert max(map(len, shown)) < 80
    assert float(ET.fromstring(drawing).get("width", "0")) < 1200


def test_a_moment_without_cgroups_is_refused() -> None:
    with pytest.raises(LabError, match="no facts of the probe cgroup"):
        cgroup_tree(V2, since=Snapshot.of(["processes"], []))
