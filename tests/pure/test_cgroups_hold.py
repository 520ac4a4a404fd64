"""From limits to what is written where: in the trees of one machine, and in their order."""

from __future__ import annotations

import itertools

import pytest

from labkit.cgroups.change import EnterCgroup, HandDown
from labkit.cgroups.hold import PLAIN, Held, Trees, change, hold
from labkit.cgroups.limits import Limits
from labkit.cgroups.places import ROOT, directory, short, told
from labkit.errors import SpecError

V2 = Trees.of(dict.fromkeys(("cpu", "cpuset", "io", "memory", "pids", "rdma", "hugetlb"), 2), [])
V1 = Trees.of(
    dict.fromkeys(("cpu", "cpuacct", "cpuset", "memory", "blkio", "pids", "freezer"), 1),
    ["cpuset", "cpu,cpuacct", "memory", "blkio", "pids", "freezer"],
)
HYBRID = Trees.of({"memory": 1, "pids": 2}, ["memory"])
NONE = Trees.of({}, [], "/user.slice does not hand memory down: Device or resource busy")


def shell(held: Held, name: str = "c1") -> list[str]:
    return [step.shell() for step in held.making(name)]


def test_a_plain_container_has_one_cgroup_and_nothing_to_hand_down() -> None:
    assert shell(PLAIN) == ["mkdir /sys/fs/cgroup/c1"]
    assert list(PLAIN.joining("c1", "c1")) == []


def test_in_version_2_the_parent_hands_down_what_is_limited_and_what_is_counted() -> None:
    held = hold(Limits(memory="64M", cpus="0"), V2)
    assert shell(held) == [
        "echo '+cpu +cpuset +io +memory +pids' >/sys/fs/cgroup/cgroup.subtree_control",
        "mkdir /sys/fs/cgroup/c1",
        "echo 0 >/sys/fs/cgroup/c1/cpuset.cpus",
        "echo 67108864 >/sys/fs/cgroup/c1/memory.max",
    ]
    assert list(held.joining("c1", "c1")) == []


def test_in_version_1_there_is_one_for_each_tree_that_counts_or_limits() -> None:
    held = hold(Limits(), V1)
    trees = ["cpu,cpuacct", "memory", "blkio", "pids"]
    assert shell(held) == ["mkdir /sys/fs/cgroup/c1", *(f"mkdir /run/cgroup1/{tree}/c1" for tree in trees)]
    assert [step.shell() for step in held.joining("c1", "c1")] == [
        f"echo $$ >/run/cgroup1/{tree}/c1/tasks" for tree in trees
    ]
    assert "cpuset" in hold(Limits(cpus="0"), V1).trees, "and one that is asked for"


def test_what_is_cleared_begins_with_version_2_which_can_kill() -> None:
    paths = hold(Limits(), V1).paths("c1")
    assert paths[0] == "/sys/fs/cgroup/c1"
    assert len(paths) == 5


def test_each_controller_is_asked_where_it_is() -> None:
    lines = hold(Limits(memory="1M", pids=3), HYBRID).lines
    assert lines == (("/run/cgroup1/memory", "memory.limit_in_bytes", "1048576"), (ROOT, "pids.max", "3"))


def test_who_has_no_controllers_is_told_why() -> None:
    with pytest.raises(SpecError, match="no controller memory") as refused:
        hold(Limits(memory="1M"), NONE)
    assert "Device or resource busy" in str(refused.value)
    assert hold(Limits(), NONE) == PLAIN


def test_what_version_1_cannot_hold_is_never_dropped() -> None:
    memory = (Limits(memory_high="1M"), Limits(memory_low="1M"), Limits(memory_min="1M"), Limits(oom_group=True))
    for limits in (*memory, Limits(io_weight=5)):
        with pytest.raises(SpecError, match=r"version 1 has nothing for (memory|io)\.") as refused:
            hold(limits, V1)
        assert refused.value.likely


#: memory and swap; version 1 cannot limit swap without memory
RUNGS: list[tuple[str | None, int | str | None]] = [
    (None, None), *itertools.product(("32M", "64M", "128M"), (None, 0, "8M"))
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), list(itertools.product(RUNGS, repeat=2)))
def test_memory_and_swap_of_version_1_never_cross(
    before: tuple[str | None, int | str | None], after: tuple[str | None, int | str | None]
) -> None:
    """The kernel refuses a limit of memory above that of memory and swap together (EINVAL), at every moment."""
    old, new = (Limits(memory=memory, swap=swap) for memory, swap in (before, after))
    files = {"memory.limit_in_bytes": -1, "memory.memsw.limit_in_bytes": -1}
    for held in (hold(old, V1), change(old, new, V1)):
        for _, file, text in held.lines:
            files[file] = int(text)
            memory, both = (value if value >= 0 else 2**63 for value in files.values())
            assert memory <= both, (old, new, held.lines)
    wanted = {"memory.limit_in_bytes": -1, "memory.memsw.limit_in_bytes": -1}
    wanted |= {file: int(text) for _, file, text in hold(new, V1).lines}
    assert files == wanted


def test_only_what_has_changed_is_written() -> None:
    old = Limits(cpu=0.5, pids=10, io={"7:0": {"rbps": "1M"}, "7:1": {"wbps": "1M"}})
    new = Limits(cpu=0.5, pids=20, io={"7:0": {"rbps": "1M", "wiops": 5}})
    assert new.since(old) == (
        ("io.max", "7:1 rbps=max wbps=max riops=max wiops=max"),
        ("pids.max", "20"),
        ("io.max", "7:0 rbps=1048576 wiops=5 wbps=max riops=max"),
    )
    assert new.since(new) == ()
    assert Limits().since(Limits(cpu=0.5, cpu_weight=3, oom_group=True, hugetlb={"2MB": "4M"})) == (
        ("cpu.max", "max 100000"),
        ("cpu.weight", "100"),
        ("memory.oom.group", "0"),
        ("hugetlb.2MB.max", "max"),
    )


def test_paths_are_told_as_lscgroup_does_and_found_again() -> None:
    for path in (ROOT, f"{ROOT}/c1", f"{ROOT}/c1/a", "/run/cgroup1/memory", "/run/cgroup1/cpu,cpuacct/c1/a"):
        assert directory(told(path)) == path
    assert [short(path) for path in (ROOT, f"{ROOT}/c1", "/run/cgroup1/memory/c1")] == ["the top", "c1", "memory:/c1"]


def test_steps_enter_by_the_file_that_waits_for_nobody() -> None:
    assert EnterCgroup(path="/run/cgroup1/pids/c1").shell().endswith("/tasks")
    assert EnterCgroup(path=f"{ROOT}/c1").shell().endswith("/cgroup.procs")
    assert HandDown(path=ROOT, controllers=("cpu",)).title == "hand cpu down from the top"
