"""What a container has used, as its cgroup counts it: on every machine its CPU time, the rest where it is counted."""

from __future__ import annotations

import time

import pytest

from labkit import Lab
from labkit.errors import ClosedError, HostDied, SpecError


def test_who_computes_is_told_from_who_sleeps(lab: Lab) -> None:
    if not lab.lacking.cgroups:
        pytest.skip("no cgroup was delegated to who runs the tests")
    busy = lab.run("busybox", ["sh", "-c", "while :; do :; done"], detach=True)
    idle = lab.run("busybox", ["sleep", "1000"], detach=True)
    deadline = time.monotonic() + 20
    while (busy.usage().cpu or 0) < 0.3:
        assert time.monotonic() < deadline, "it must get some time, however busy the machine"
    used, rest = busy.usage(), idle.usage()
    assert used.cpu and used.user and rest.cpu is not None
    assert rest.cpu < used.cpu / 3
    assert used.user <= used.cpu
    assert used.frozen is False
    later = busy.usage()
    assert later.cpu and later.cpu >= used.cpu
    assert str(used).startswith("CPU ")


def test_what_is_counted_nowhere_is_none(lab: Lab) -> None:
    if not lab.lacking.cgroups:
        pytest.skip("no cgroup was delegated to who runs the tests")
    used = lab.run("busybox", ["sleep", "1000"], detach=True).usage()
    assert (used.memory is None) == ("memory" in used.missing)
    assert (used.processes is None) == ("pids" in used.missing)
    assert used.cpu is not None


def test_counters_end_with_the_container(lab: Lab) -> None:
    if not lab.lacking.cgroups:
        pytest.skip("no cgroup was delegated to who runs the tests")
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    held.usage()
    held.kill()
    held.wait()
    with pytest.raises(HostDied, match="its counters with it"):
        held.usage()
    other = lab.run("busybox", ["sleep", "1000"], detach=True)
    lab.reset()
    with pytest.raises(HostDied, match="its counters with it"):
        other.usage()
    lab.close()
    with pytest.raises(ClosedError):
        other.usage()


def test_a_container_that_dies_while_it_is_asked_is_a_clear_error(lab: Lab) -> None:
    if not lab.lacking.cgroups:
        pytest.skip("no cgroup was delegated to who runs the tests")
    for number in range(20):
        held = lab.run("busybox", ["sleep", f"0.0{number % 5 + 1}"], detach=True)
        with pytest.raises(HostDied, match=r"has ended|has no process any more"):
            while True:
                held.usage()


def test_without_cgroups_nobody_counts(lab: Lab) -> None:
    if lab.lacking.cgroups:
        pytest.skip("this lab has cgroups; the rootless ring has none")
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    with pytest.raises(SpecError, match="no cgroups"):
        held.usage()
