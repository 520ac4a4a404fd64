"""Version 1 and version 2 side by side: what is read, what is translated, and that both ways lead back."""

from __future__ import annotations

import pytest

from labkit.cgroups import counting, from_v1, vocabulary
from labkit.cgroups.pairs import pairs
from labkit.cgroups.rosetta import NOTE, NOTHING, Rosetta, rosetta
from labkit.cgroups.translation import to_v1
from labkit.errors import SpecError
from labkit.linux.cgroup_files import NO_LIMIT
from labkit.view.tables import rosetta_html

V2 = {
    "cpu.max": "25000 100000\n", "cpu.weight": "200\n", "cpuset.cpus": "\n", "memory.max": "67108864\n",
    "cpu.stat": "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 5\nnr_throttled 3\nthrottled_usec 7\n",
    "memory.swap.max": "1048576\n", "memory.high": "max\n", "memory.current": "4096\n",
    "memory.events": "low 0\nhigh 2\nmax 4\noom 1\noom_kill 1\n", "cgroup.freeze": "1\n", "pids.max": "max\n",
    "io.max": "8:0 rbps=1048576 wbps=max riops=max wiops=100\n7:0 rbps=5 wbps=max riops=max wiops=max\n",
    "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n",
    "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=123\nfull avg10=0.00 total=9\n",
}  # fmt: skip
HYBRID = {
    "cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n", "cpu.shares": "1024\n", "cpuacct.usage": "1500000\n",
    "cpu.stat": "nr_periods 5\nnr_throttled 3\nthrottled_time 7000\n",
    "memory.limit_in_bytes": f"{NO_LIMIT}\n", "memory.usage_in_bytes": "4096\n",
    "memory.failcnt": "4\n", "freezer.state": "FREEZING\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 1\n8:0 Write 2\n8:0 Sync 3\n8:0 Total 3\nTotal 3\n",
}  # fmt: skip


def cells(table: Rosetta) -> dict[str, tuple[str, str]]:
    """By the place in version 2: the two values as they are shown."""
    lines = [line for row in table.rows for line in row.lines]
    return {new.place: (", ".join(new.each), ", ".join(old.each) if old else "") for new, old in lines}


def test_on_version_2_its_values_are_read_and_those_of_version_1_translated() -> None:
    shown = cells(rosetta(V2, {}))
    assert shown["cpu.weight"] == ("200", "(2048)")
    assert shown["cpu.stat usage_usec"] == ("1500", "(1500000)")
    assert shown["cpu.stat throttled_usec"] == ("7", "(7000)")
    assert shown["memory.swap.max"] == ("1048576 = 1 MiB", f"({67108864 + 1048576})")
    assert shown["cgroup.freeze"] == ("1", "(FROZEN)")
    assert shown["memory.events oom_kill"] == ("1", "(1)")
    assert shown["io.max wiops"] == ("8:0 100, 7:0 max", "(8:0 100), (7:0 0)")
    assert shown["io.stat rbytes"] == ("8:0 1", "(8:0 1)")
    assert shown["cpu.pressure some total"] == ("123", "")
    assert shown["memory.high"] == ("max", ""), "there is nothing that it could be translated to"
    assert shown["cpuset.cpus"] == ("nothing", "(nothing)")


def test_on_a_hybrid_machine_the_values_of_version_1_are_read_and_the_other_side_translated() -> None:
    shown = cells(rosetta({"cpu.stat": "usage_usec 1499\nuser_usec 1000\nsystem_usec 499\n"}, HYBRID))
    assert shown["cpu.weight"] == ("(100)", "1024")
    assert shown["cpu.stat usage_usec"] == ("1499", "1500000"), "there it is in both"
    assert shown["cpu.stat nr_throttled"] == ("(3)", "3")
    assert shown["cpu.stat throttled_usec"] == ("(7)", "7000")
    assert shown["memory.max"] == ("(max)", NO_LIMIT)
    assert shown["memory.events max"] == ("(4)", "4")
    assert shown["cgroup.freeze"] == ("(1)", "FREEZING")
    assert shown["io.stat wbytes"] == ("(8:0 2)", "8:0 2")
    assert shown["memory.high"] == ("", ""), "nobody can say what it would be"
    assert NOTHING in str(rosetta({}, HYBRID)) and NOTHING not in str(rosetta({}, HYBRID, "cpu.weight"))


def test_meters_of_version_1_are_translated_as_usage_translates_them() -> None:
    files = {
        "cpuacct.usage_user": "1000999\n", "cpuacct.usage_sys": "501000\n", "memory.max_usage_in_bytes": "8192\n",
        "memory.stat": "swap 1\ntotal_swap 4096\n", "pids.current": "3\n", "pids.events": "max 2\n", **HYBRID,
    }  # fmt: skip
    told: dict[str, str] = {}
    for name, text in files.items():
        for file, said in counting.to_v2(name, text):
            told[file] = told.get(file, "") + said
    compared = 0
    for pair in (pair for row in vocabulary.FILES.values() if row.role == "meter" for pair in pairs(row.name)):
        if pair.v1 and (there := pair.v1.read(files)) and (said := pair.v2.read(told)):
            assert pair.newer(there) == said, pair
            compared += 1
    assert compared >= 12


def test_the_text_says_what_relates_and_fits_on_a_page() -> None:
    text = str(rosetta(V2, HYBRID))
    assert max(map(len, text.splitlines())) <= 120
    assert (
        str(rosetta(V2, {}, "cpu.max"))
        == f"""\
version 2  value   version 1          value
cpu.max    25000   cpu.cfs_quota_us   (25000)
cpu.max    100000  cpu.cfs_period_us  (100000)
  a quota: so much CPU time in each period; microseconds. Two files in version 1, in microseconds
  too; no limit is max in the one, -1 in the other
{NOTE}"""
    )


def test_without_values_it_is_the_same_on_every_machine() -> None:
    bare = rosetta({}, {}, "memory", values=False)
    assert str(bare) == str(rosetta(V2, HYBRID, "memory", values=False))
    assert NOTE not in str(bare) and "67108864" not in str(bare)
    assert "version 1 kills one process" in " ".join(str(bare).split()), (
        "what has no counterpart is told with its reason"
    )


def test_each_file_of_the_vocabulary_is_there_and_names_a_counterpart_of_the_vocabulary() -> None:
    assert [row.file.name for row in rosetta({}, {}).rows] == list(vocabulary.FILES)
    for name, row in vocabulary.FILES.items():
        there = {pair.v1.file for pair in pairs(name) if pair.v1}
        assert there <= set(row.v1[1])
        assert bool(there) == bool(row.v1[1])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cpu.max", "25000 100000"), ("cpu.max", "max 50000"), ("cpuset.cpus", "0-2,5"), ("memory.max", "max"),
        ("memory.max", "67108864"), ("pids.max", "max"), ("pids.max", "7"), ("cgroup.freeze", "1"),
        ("hugetlb.2MB.max", "4194304"), ("hugetlb.2MB.max", "max"),
        *(("cpu.weight", str(weight)) for weight in (1, 2, 50, 99, 100, 101, 333, 9999, 10_000)),
    ],
)  # fmt: skip
def test_there_and_back_again_is_the_same_limit(name: str, text: str) -> None:
    assert from_v1.limit(name, {line.file: line.text for line in to_v1([(name, text)])}) == text


def test_there_and_back_again_for_two_that_depend_on_each_other() -> None:
    lines = to_v1([("memory.max", "100"), ("memory.swap.max", "20")])
    files = {line.file: line.text for line in lines}
    assert from_v1.limit("memory.swap.max", files) == "20"
    assert from_v1.limit("memory.swap.max", {"memory.memsw.limit_in_bytes": "-1"}) == "max"
    assert from_v1.limit("memory.swap.max", {"memory.memsw.limit_in_bytes": "120"}) is None, "nobody knows how much"


def test_what_version_1_has_by_itself_is_what_version_2_has_by_itself() -> None:
    assert from_v1.limit("cpu.weight", {"cpu.shares": "1024"}) == "100"
    assert from_v1.limit("memory.max", {"memory.limit_in_bytes": NO_LIMIT}) == "max"
    assert from_v1.limit("io.max", dict.fromkeys(vocabulary.file("io.max").v1[1], "")) == ""
    assert from_v1.limit("cpu.max", {"cpu.cfs_quota_us": "-1"}) is None, "a half is no limit"
    assert from_v1.limit("memory.high", HYBRID) is None


def test_what_is_no_file_and_no_controller_is_refused() -> None:
    with pytest.raises(SpecError, match=r"'memory\.maximum' is neither"):
        rosetta({}, {}, "memory.maximum")


def test_as_a_table_it_is_escaped_and_says_what_is_translated() -> None:
    html = rosetta_html(rosetta({"cpuset.cpus": "<b>"}, {}, "cpuset", "cpu"))
    assert "&lt;b&gt;" in html and "<b>" not in html
    assert "translated, not read" in html and NOTE in html
    assert NOTE not in rosetta_html(rosetta({}, {}, values=False))
