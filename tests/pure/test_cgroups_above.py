"""What is above what the cgroups allow in which a lab runs: made-up trees of both versions."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from labkit.cgroups import Limits, above
from labkit.linux import ceilings
from labkit.linux.cgroup_files import NO_LIMIT


def made(top: Path, place: str, **files: str) -> str:
    """A cgroup in a made-up tree; `files` are written with ``_`` for the first dot."""
    directory = top / place
    directory.mkdir(parents=True)
    for name, text in {"cgroup_procs": "", **files}.items():
        (directory / name.replace("_", ".", 1)).write_text(f"{text}\n")
    return str(directory)


def test_examples() -> None:
    assert doctest.testmod(above, raise_on_error=True).attempted


def test_version_2_from_the_nearest_to_the_top(tmp_path: Path) -> None:
    hub = made(tmp_path, "hub", cpu_max="150000 100000", memory_max="1073741824", pids_max="max")
    lab = made(tmp_path, "hub/lab", cpu_max="max 100000", memory_max="max", pids_max="70")
    assert ceilings.read([lab]) == [
        ("pids.max", "70", f"pids.max 70 in {lab}"),
        ("cpu.max", "1.5", f"cpu.max 150000/100000 in {hub}"),
        ("memory.max", "1073741824", f"memory.max 1073741824 in {hub}"),
    ]


def test_version_1_in_the_words_of_version_2(tmp_path: Path) -> None:
    cpu = made(tmp_path, "cpu/hub", cpu_cfs_quota_us="20000", cpu_cfs_period_us="100000")
    memory = made(tmp_path, "memory/hub", memory_limit_in_bytes=NO_LIMIT)
    assert ceilings.read([cpu, memory]) == [("cpu.max", "0.2", f"cpu.cfs_quota_us 20000/100000 in {cpu}")]


@pytest.mark.parametrize(
    ("limits", "refused"),
    [
        (Limits(), ""),
        (Limits(cpu=0.2, memory="1G", pids=50, cpus="0-1"), ""),
        (Limits(memory="max"), ""),
        (Limits(cpu=0.21), "cpu=0.21 is above what the cgroup that this lab runs in allows: 0.2 (in c)"),
        (
            Limits(memory=2**30 + 1),
            "memory=1073741825 is above what the cgroup that this lab runs in allows: 1 GiB (in m)",
        ),
        (Limits(pids=51), "pids=51 is above what the cgroup that this lab runs in allows: 50 (in p)"),
        (Limits(cpus="1-2"), "cpus='1-2' is above what the cgroup that this lab runs in allows: 0-1 (in s)"),
        (Limits(cpus="9"), ""),  # no machine has it: the kernel says so
    ],
)
def test_what_is_refused(limits: Limits, refused: str) -> None:
    found = [
        ("cpu.max", "0.2", "in c"), ("memory.max", str(2**30), "in m"), ("pids.max", "50", "in p"),
        ("cpuset.cpus", "0-1", "in s"), ("cpuset.cpus", "0-3", "in top"),
    ]  # fmt: skip
    fault = above.refusal(limits, found)
    assert (fault.message if fault else "") == refused
    assert above.concerns(limits) == (limits != Limits())


def test_why_version_1_has_refused_a_line() -> None:
    found = [("cpu.max", "0.2", "in c"), ("cpuset.cpus", "0", "in s"), ("cpuset.cpus", "0-1", "in top")]
    assert above.why("cpu.cfs_quota_us", "10000", found) is None
    assert above.why("cpu.cfs_quota_us", "-1", found) is None
    assert above.why("memory.limit_in_bytes", "1", found) is None
    quota, cpus = above.why("cpu.cfs_quota_us", "50000", found), above.why("cpuset.cpus", "1", found)
    assert quota and quota[0].startswith("cpu=0.5 is above") and cpus and "allows: 0 (in s)" in cpus[0]
