"""How a process is held, read off facts: the same question for either version."""

from __future__ import annotations

import pytest

from labkit.learn.tenants import chain, cpus, held, home, weight
from labkit.steps.fact import CgroupMembership, Limit
from labkit.steps.snapshot import Snapshot

FREE = float("inf")
V2 = (
    CgroupMembership("c1", "/shop/c1"),
    Limit("/shop", "memory.max", "67108864"),
    Limit("/shop/c1", "memory.max", "33554432"),
    Limit("/shop/c1", "cpu.max", "50000 100000"),
    Limit("/shop/c1", "cpu.weight", "300"),
    Limit("/shop/c1", "cpuset.cpus", "0-1"),
    Limit("/", "pids.max", "max"),
)
TREES = ("/shop/c1", "memory:/shop/c1", "cpu,cpuacct:/shop/c1", "cpuset:/shop/c1")
V1 = (
    *(CgroupMembership("c1", path) for path in TREES),
    Limit("memory:/shop", "memory.limit_in_bytes", "67108864"),
    Limit("memory:/shop/c1", "memory.limit_in_bytes", "33554432"),
    Limit("cpu,cpuacct:/shop/c1", "cpu.cfs_quota_us", "50000"),
    Limit("cpu,cpuacct:/shop/c1", "cpu.shares", "3072"),
    Limit("cpuset:/shop/c1", "cpuset.cpus", "0-1"),
)  # fmt: skip


def shot(*facts: CgroupMembership | Limit) -> Snapshot:
    return Snapshot(("cgroup",), facts)


@pytest.mark.parametrize("facts", [V2, V1], ids=["v2", "v1"])
def test_both_versions_tell_the_same(facts: tuple[CgroupMembership | Limit, ...]) -> None:
    seen = shot(*facts)
    assert held(seen, "c1", "memory.max") == 32 << 20
    assert chain(seen, "c1", "memory.max") == (("/shop/c1", 32 << 20), ("/shop", 64 << 20))
    assert held(seen, "c1", "cpu.max") == 0.5
    assert held(seen, "c1", "pids.max") == FREE
    assert (weight(seen, "c1"), cpus(seen, "c1"), home(seen, "c1")) == (300, "0-1", "/shop/c1")


def test_a_limit_above_holds_who_is_free_below() -> None:
    seen = shot(CgroupMembership("c1", "/a/b"), Limit("/a", "pids.max", "5"))
    assert held(seen, "c1", "pids.max") == 5
    assert chain(seen, "c1", "pids.max") == (("/a", 5),)


def test_who_is_nowhere_is_free_and_weighs_what_everybody_weighs() -> None:
    seen = shot()
    assert held(seen, "c1", "memory.max") == FREE
    assert (chain(seen, "c1", "memory.max"), weight(seen, "c1"), cpus(seen, "c1"), home(seen, "c1")) == (
        (),
        100,
        "",
        "",
    )


def test_a_name_that_another_begins_with_is_another() -> None:
    assert held(shot(CgroupMembership("c1", "/ab"), Limit("/a", "pids.max", "5")), "c1", "pids.max") == FREE
