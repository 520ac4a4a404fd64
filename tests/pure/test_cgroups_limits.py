"""What a teacher asks for, in the words of version 2 and of version 1; and what cannot be asked for."""

from __future__ import annotations

import doctest
import math

import pytest

from labkit.cgroups import Limits, translation, vocabulary
from labkit.cgroups.translation import Line, shares, to_v1
from labkit.errors import SpecError


@pytest.mark.parametrize("module", [translation, vocabulary])
def test_the_examples_in_the_source_are_true(module: object) -> None:
    assert doctest.testmod(module, raise_on_error=True).attempted  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "lines"),
    [
        (Limits(), ()),
        (Limits(cpu=0.25), (("cpu.max", "25000 100000"),)),
        (Limits(cpu=2), (("cpu.max", "200000 100000"),)),
        (Limits(cpu_weight=300, cpus="0-1,3"), (("cpu.weight", "300"), ("cpuset.cpus", "0-1,3"))),
        (Limits(memory="64M", swap=0), (("memory.max", "67108864"), ("memory.swap.max", "0"))),
        (Limits(memory="1.5G"), (("memory.max", "1610612736"),)),
        (Limits(memory="64 MiB"), (("memory.max", "67108864"),)),
        (Limits(memory="max", oom_group=True), (("memory.max", "max"), ("memory.oom.group", "1"))),
        (Limits(pids=0), (("pids.max", "0"),)),
        (Limits(hugetlb={"2MB": "4M"}), (("hugetlb.2MB.max", "4194304"),)),
        (Limits(io={"7:0": {"rbps": "1M", "wiops": 9}}), (("io.max", "7:0 rbps=1048576 wiops=9"),)),
        (Limits(io_weight=50), (("io.weight", "default 50"),)),
    ],
)
def test_limits_are_lines_for_the_files_of_version_2(limits: Limits, lines: tuple[tuple[str, str], ...]) -> None:
    assert limits.lines() == lines
    assert limits.controllers == tuple(dict.fromkeys(name.split(".")[0] for name, _ in lines))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"cpu": 0}, "cpu=0 is not between 0.01"),
        ({"cpu": -1}, "cpu=-1"),
        ({"cpu": math.nan}, "cpu=nan"),
        ({"cpu": math.inf}, "cpu=inf"),
        ({"cpu": "25%"}, "cpu is str"),
        ({"cpu": True}, "cpu is bool"),
        ({"cpu_weight": 0}, "cpu_weight=0"),
        ({"cpu_weight": 10_001}, "cpu_weight=10001"),
        ({"cpus": "1-0"}, "runs backwards"),
        ({"cpus": "all"}, "not a list of numbers"),
        ({"cpus": 1}, "not a list of numbers"),
        ({"memory": "64Q"}, "memory='64Q' is not a size"),
        ({"memory": "-1M"}, "is not a size"),
        ({"memory": -1}, "memory=-1"),
        ({"memory": 2**63}, "memory=9223372036854775808"),
        ({"memory": "9999999999T"}, "memory="),
        ({"memory": ""}, "is not a size"),
        ({"memory": 1.5}, "not a whole number"),
        ({"memory": math.nan}, "not a whole number"),
        ({"memory_high": "x"}, "memory_high='x'"),
        ({"swap": []}, "swap is list"),
        ({"pids": -1}, "pids=-1"),
        ({"pids": 4_194_305}, "pids=4194305"),
        ({"pids": 1.0}, "not a whole number"),
        ({"hugetlb": {"3": 1}}, "not the size of a page"),
        ({"io": {"sda": {"rbps": 1}}}, "not the number of a disk"),
        ({"io": {"8:0": {}}}, "no ceiling"),
        ({"io": {"8:0": {"speed": 1}}}, "speed"),
        ({"io": {"8:0": {"rbps": 0}}}, "stop it for ever"),
        ({"io_weight": 0}, "io_weight=0"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_one_line_with_a_remedy(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(SpecError) as refused:
        Limits(**wrong)  # type: ignore[arg-type]
    assert says in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.look


# version 1


def test_version_1_says_the_same_in_its_own_words() -> None:
    limits = Limits(
        cpu=0.25, cpu_weight=300, memory="64M", swap="1M", pids=50, io={"7:0": {"rbps": "1M", "wiops": "max"}}
    )
    assert to_v1(limits.lines()) == (
        Line("cpu", "cpu.cfs_period_us", "100000"),
        Line("cpu", "cpu.cfs_quota_us", "25000"),
        Line("cpu", "cpu.shares", "3072"),
        Line("memory", "memory.limit_in_bytes", "67108864"),
        Line("memory", "memory.memsw.limit_in_bytes", "68157440"),
        Line("pids", "pids.max", "50"),
        Line("blkio", "blkio.throttle.read_bps_device", "7:0 1048576"),
        Line("blkio", "blkio.throttle.write_iops_device", "7:0 0"),
    )


@pytest.mark.parametrize(
    ("name", "text", "old"),
    [
        ("cpu.max", "max 50000", [("cpu.cfs_period_us", "50000"), ("cpu.cfs_quota_us", "-1")]),
        ("cpu.max", "max", [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "-1")]),
        ("memory.max", "max", [("memory.limit_in_bytes", "-1")]),
        ("memory.swap.max", "max", [("memory.memsw.limit_in_bytes", "-1")]),
        ("pids.max", "max", [("pids.max", "max")]),
        ("cgroup.freeze", "1", [("freezer.state", "FROZEN")]),
        ("cgroup.freeze", "0", [("freezer.state", "THAWED")]),
        ("hugetlb.1GB.max", "max", [("hugetlb.1GB.limit_in_bytes", "-1")]),
        ("cpuset.mems", "0", [("cpuset.mems", "0")]),
    ],
)
def test_no_limit_and_states_are_said_differently(name: str, text: str, old: list[tuple[str, str]]) -> None:
    assert [(line.file, line.text) for line in to_v1([(name, text)])] == old


@pytest.mark.parametrize(
    "limits",
    [Limits(memory_high="1M"), Limits(memory_low=1), Limits(memory_min=1), Limits(oom_group=True), Limits(io_weight=5),
     Limits(swap="1M"), Limits(memory="max", swap="1M")],
)  # fmt: skip
def test_what_version_1_has_not_is_refused_with_the_reason(limits: Limits) -> None:
    with pytest.raises(SpecError, match="version 1") as refused:
        to_v1(limits.lines())
    assert refused.value.likely
    assert refused.value.look


def test_a_file_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SpecError, match=r"no file memory\.maximum"):
        to_v1([("memory.maximum", "1")])


def test_shares_keep_the_proportion() -> None:
    assert shares(300) / shares(100) == 3
    assert shares(100) == 1024
    assert shares(1) == 10


# the table


def test_every_file_has_a_counterpart_or_a_reason() -> None:
    for row in vocabulary.FILES.values():
        assert bool(row.v1[1]) != bool(row.why_not), row.name
        assert row.role in ("limit", "meter", "act")
        assert row.means
        assert row.controller in row.name


def test_all_that_limits_can_say_is_in_the_table() -> None:
    everything = Limits(
        cpu=1, cpu_weight=1, cpus="0", memory=1, memory_high=1, memory_low=1, memory_min=1, swap=1, oom_group=True,
        pids=1, io={"1:1": {"rbps": 1}}, io_weight=1, hugetlb={"1GB": 1},
    )  # fmt: skip
    assert {vocabulary.file(name).role for name, _ in everything.lines()} == {"limit"}
