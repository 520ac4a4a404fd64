"""What the files of a cgroup say it has used, on version 2 with all controllers and where there is none."""

from __future__ import annotations

import doctest

from labkit.cgroups import usage
from labkit.cgroups.usage import Usage

#: of a Debian 12 with everything handed down
FULL = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 30\nnr_throttled 28\n"
    "throttled_usec 2100000\nnr_bursts 0\nburst_usec 0\n",
    "memory.current": "10485760\n",
    "memory.peak": "67108864\n",
    "memory.swap.current": "1048576\n",
    "memory.events": "low 0\nhigh 12\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n",
    "io.stat": "8:0 rbytes=4096 wbytes=1048576 rios=1 wios=4 dbytes=0 dios=0\n"
    "7:0 rbytes=1044480 wbytes=0 rios=9 wios=0\n",
    "pids.current": "7\n",
    "pids.events": "max 2\n",
    "cgroup.events": "populated 1\nfrozen 1\n",
    "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=9\n",
    "memory.pressure": "some avg10=1.00 avg60=0.00 avg300=0.00 total=250000\n",
    "io.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
}


def test_all_files() -> None:
    used = Usage.parse(FULL)
    assert (used.cpu, used.user, used.system) == (2.5, 2.0, 0.5)
    assert (used.throttled, used.periods, used.periods_throttled) == (2.1, 30, 28)
    assert (used.memory, used.memory_peak, used.swap) == (10 << 20, 64 << 20, 1 << 20)
    assert used.events["oom_kill"] == 1
    assert (used.read, used.written) == (1 << 20, 1 << 20)
    assert (used.processes, used.refused, used.frozen) == (7, 2, True)
    assert used.waited == {"cpu": 1.5, "memory": 0.25, "io": 0.0}
    assert used.missing == ()


def test_it_can_be_read_in_a_notebook() -> None:
    assert str(Usage.parse(FULL)).splitlines() == [
        "CPU        2.500 s (user 2.000, system 0.500)",
        "throttled  2.100 s, in 28 of 30 periods",
        "memory     10.0 MiB, at most 64.0 MiB",
        "swap       1.0 MiB",
        "events     high 12, max 3, oom 1, oom_kill 1",
        "disks      1.0 MiB read, 1.0 MiB written",
        "processes  7, 2 refused",
        "waited for cpu 1.500 s, memory 0.250 s, io 0.000 s",
        "frozen",
    ]


def test_what_nobody_counts_is_not_zero() -> None:
    nothing = Usage.parse({})
    assert (nothing.cpu, nothing.memory, nothing.read, nothing.processes, nothing.frozen) == (None,) * 5
    assert nothing.missing == ("cpu", "memory", "io", "pids", "pressure")
    assert str(nothing) == "not counted here: cpu, memory, io, pids, pressure"


def test_an_empty_io_stat_is_zero_and_not_unknown() -> None:
    quiet = Usage.parse({"io.stat": ""})
    assert (quiet.read, quiet.written) == (0, 0)
    assert "io" not in quiet.missing


def test_a_disk_that_is_only_named_has_done_nothing() -> None:
    assert Usage.parse({"io.stat": "8:0 \n"}).read == 0


def test_the_example_in_the_source_is_true() -> None:
    assert doctest.testmod(usage, raise_on_error=True).attempted
