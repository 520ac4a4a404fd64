"""The counters of version 1, read as those of version 2: as a Linux 6.18 and a 5.10 write them."""

from __future__ import annotations

import doctest

import pytest

from labkit.cgroups import counting
from labkit.cgroups.usage import Usage

DISKS = """\
8:0 Read 4096
8:0 Write 1048576
8:0 Sync 1052672
8:0 Async 0
8:0 Discard 0
8:0 Total 1052672
7:0 Read 1044480
7:0 Write 0
7:0 Total 1044480
Total 2097152
"""
#: of a container with limits on a machine of version 1 alone
OLD = {
    "cpu.stat": "nr_periods 30\nnr_throttled 28\nthrottled_time 2100000999\nnr_bursts 0\nburst_time 0\n",
    "cpuacct.usage": "2500000999\n",
    "cpuacct.usage_user": "2000000000\n",
    "cpuacct.usage_sys": "500000000\n",
    "memory.usage_in_bytes": "10485760\n",
    "memory.max_usage_in_bytes": "67108864\n",
    "memory.failcnt": "3\n",
    "memory.memsw.failcnt": "4\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "memory.stat": "cache 0\nrss 8192\nswap 1048576\nswapcached 5\ntotal_swap 2097152\n",
    "blkio.throttle.io_service_bytes_recursive": DISKS,
    "pids.current": "7\n",
    "pids.events": "max 2\n",
}
#: what the tree of version 2 beside it tells
BESIDE = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n",
    "cgroup.events": "populated 1\nfrozen 1\n",
    "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n",
}


def test_version_1_is_read_in_the_same_words() -> None:
    used = Usage.parse(OLD)
    assert (used.cpu, used.user, used.system) == (2.5, 2.0, 0.5)
    assert (used.throttled, used.periods, used.periods_throttled) == (2.1, 30, 28)
    assert (used.memory, used.memory_peak, used.swap) == (10 << 20, 64 << 20, 2 << 20)
    assert used.events == {"max": 7, "oom_kill": 1}
    assert (used.read, used.written) == (1 << 20, 1 << 20)
    assert (used.processes, used.refused) == (7, 2)
    assert used.missing == ("pressure",)


def test_on_a_hybrid_machine_each_tree_tells_its_part() -> None:
    used = Usage.parse({**OLD, **BESIDE, "cpu.stat": BESIDE["cpu.stat"] + OLD["cpu.stat"]})
    assert (used.cpu, used.throttled, used.periods) == (2.5, 2.1, 30)
    assert (used.memory, used.frozen, used.waited) == (10 << 20, True, {"cpu": 1.5})
    assert used.missing == ()


@pytest.mark.parametrize("name", OLD)
def test_a_file_that_is_not_there_is_unknown_and_not_zero(name: str) -> None:
    full, less = Usage.parse(OLD), Usage.parse({key: text for key, text in OLD.items() if key != name})
    lacking = {field for field in Usage.__slots__ if getattr(full, field) != getattr(less, field)}
    assert lacking
    assert all(
        getattr(less, field) in (None, {"max": 7}, {"max": 3, "oom_kill": 1}, {"max": 4, "oom_kill": 1})
        for field in lacking
    )


def test_swap_that_is_not_counted_is_unknown() -> None:
    assert Usage.parse({"memory.stat": "cache 0\nswapcached 5\ntotal_swapcached 9\n"}).swap is None


def test_a_kernel_that_does_not_count_kills_says_so_with_none_of_them() -> None:
    """Before Linux 4.13 memory.oom_control had two lines; 5.10 has three."""
    assert Usage.parse({"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n"}).events == {}


def test_disks_without_a_line_have_done_nothing() -> None:
    used = Usage.parse({"blkio.throttle.io_service_bytes_recursive": "Total 0\n"})
    assert (used.read, used.written) == (0, 0)


def test_the_example_in_the_source_is_true() -> None:
    assert doctest.testmod(counting, raise_on_error=True).attempted
