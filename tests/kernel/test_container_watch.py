"""Watching containers: in all trees that count them, until they end, whatever the notebook does meanwhile."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import Lab
from labkit.cgroups import Limits
from labkit.cgroups.samples import Event, Sample
from labkit.container.container import Container
from labkit.container.watching import Watch
from labkit.errors import ClosedError, HostDied, ReplayError, SpecError
from labkit.linux import hierarchies
from labkit.linux.constants import SIGUSR1
from labkit.steps.backends.replay import Replay
from labkit.steps.backends.tape import Tape

PATIENCE = 30.0
#: What a shell does until it gets SIGUSR1. One that comes before the wait is not lost: it ends what is waited for.
WAIT = "sleep 1000 & trap 'kill $!' USR1; echo ready; wait; "
EATER = "head -c 60000000 /dev/zero | tail; "  #: tail keeps a line until it ends, and this one does not


@pytest.fixture
def counted(lab: Lab, cgroups: None) -> None:
    """For tests of what controllers count."""
    missing = [name for name in ("cpu", "memory", "pids") if name not in lab.info["controllers"]]
    if missing:
        pytest.skip(f"this lab has no controller {missing[0]}: {lab.info['no_controllers'] or lab.info['no_cgroup']}")


@pytest.fixture
def log(lab: Lab, counted: None) -> None:
    """For tests of what the kernel's log tells of the dead."""
    if not lab.backend.killed()["last"]:
        pytest.skip("the kernel's log is not for who runs the tests: rootless, and kernel.dmesg_restrict is set")


def until(watch: Watch, kind: str) -> list[Sample | Event]:
    """What the watch tells up to the first event of this kind."""
    heard: list[Sample | Event] = []
    deadline = time.monotonic() + PATIENCE
    for each in watch:
        heard.append(each)
        if isinstance(each, Event) and each.kind == kind:
            return heard
        assert time.monotonic() < deadline, f"no {kind} among {[e for e in heard if isinstance(e, Event)]}"
    raise AssertionError(f"ended without {kind}: {watch.events}")


def counting_files() -> list[str]:
    """The files of cgroups that this process has open."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return [path for path in found if path.startswith("/sys/fs/cgroup/") or path.endswith("/cgroup")]


def no_thread() -> bool:
    return all(thread.name != "labkit sampler" for thread in threading.enumerate())


def go(container: Container) -> None:
    """Let it come to what follows `WAIT`, wherever in that it is."""
    deadline = time.monotonic() + PATIENCE
    while "ready" not in container.logs():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    container.kill(SIGUSR1)


def test_a_watch_tells_of_a_container_until_it_ends(lab: Lab, cgroups: None) -> None:
    script = WAIT + "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
    busy = lab.run("busybox", ["sh", "-c", script], detach=True)
    watch = busy.watch(hz=20)
    assert (watch.name, watch.hz, str(watch)) == ("busybox-1", 20, "watch of busybox-1: 20 samples a second")
    go(busy)
    heard = until(watch, "ended")
    samples = [each for each in heard if isinstance(each, Sample)]
    times, spent = [each.at for each in samples], [each.usage.cpu or 0 for each in samples]
    assert times == sorted(times) and spent == sorted(spent)
    assert heard[-1] == watch.events[-1]
    assert str(watch) == "watch of busybox-1: over"


def test_the_end_of_the_lab_is_the_end_of_its_watches(lab: Lab, cgroups: None) -> None:
    first = lab.run("busybox", ["sleep", "1000"], detach=True).watch()
    lab.reset()
    assert first.events[-1].kind == "ended"
    assert no_thread()
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    second = held.watch()
    lab.close()
    assert second.events[-1].kind == "ended"
    assert no_thread()
    with pytest.raises(ClosedError):
        held.watch()


def test_what_cannot_be_watched_is_refused(lab: Lab, cgroups: None) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    for wrong in (0, -1, 51, float("nan"), "10"):
        with pytest.raises(SpecError, match="hz"):
            held.watch(hz=wrong)  # type: ignore[arg-type]
    held.kill()
    held.wait()
    with pytest.raises(HostDied, match="has ended"):
        held.watch()
    assert no_thread()


def test_containers_that_die_while_they_are_looked_at_all_end(lab: Lab, cgroups: None) -> None:
    watches = []
    for number in range(20):
        held = lab.run("busybox", ["sleep", f"0.{number % 5 + 1}"], detach=True)
        try:
            watches.append(held.watch(hz=50))
        except HostDied:  # on a slow machine it was over before
            continue
    assert watches
    for watch in watches:
        assert until(watch, "ended")
        assert watch.fault is None


@pytest.fixture
def few_files() -> Iterator[None]:
    """So many files as a process may usually open, until it raises that itself."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_hundred_are_watched_at_once_and_nothing_stays_open(lab: Lab, cgroups: None, few_files: None) -> None:
    watches = [lab.run("busybox", ["sleep", "1000"], detach=True).watch(hz=5) for _ in range(100)]
    deadline = time.monotonic() + PATIENCE
    while min(len(watch.samples) for watch in watches) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert counting_files()
    lab.reset()
    assert {watch.events[-1].kind for watch in watches} == {"ended"}
    assert no_thread()
    assert not counting_files()


def test_a_busy_notebook_leaves_no_gap(lab: Lab, cgroups: None) -> None:
    watches = [lab.run("busybox", ["sleep", "1000"], detach=True).watch() for _ in range(5)]
    deadline = time.monotonic() + PATIENCE
    while min(len(watch.samples) for watch in watches) < 10 and time.monotonic() < deadline:
        sum(number * number for number in range(10_000))
    assert min(len(watch.samples) for watch in watches) >= 10


def test_freezing_and_thawing_are_events(lab: Lab, cgroups: None, own_processes: None) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    watch = held.watch(hz=20)
    pid = lab.engine.counted(held, lambda pid: pid)
    [tree] = [tree for tree in hierarchies.own(pid) if tree.version == 2]
    if not os.access(f"{tree.directory}/cgroup.freeze", os.W_OK):
        pytest.skip("the lab's cgroups are not ours to write")
    while watch.latest is None:
        time.sleep(0.01)
    Path(tree.directory, "cgroup.freeze").write_text("1")
    assert until(watch, "frozen")
    Path(tree.directory, "cgroup.freeze").write_text("0")
    assert until(watch, "thawed")


def test_the_kernel_announces_what_stops_a_container_and_nobody_waits_for_the_next_sample(
    lab: Lab, cgroups: None, own_processes: None
) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    pid = lab.engine.counted(held, lambda pid: pid)
    [tree] = [tree for tree in hierarchies.own(pid) if tree.version == 2]
    if not os.access(f"{tree.directory}/cgroup.freeze", os.W_OK):
        pytest.skip("the lab's cgroups are not ours to write")
    watch = held.watch(hz=0.1)
    while watch.latest is None:
        time.sleep(0.01)
    began = time.monotonic()
    for text, kind in (("1", "frozen"), ("0", "thawed")):
        Path(tree.directory, "cgroup.freeze").write_text(text)
        assert until(watch, kind)
    held.kill()
    assert until(watch, "ended")
    assert time.monotonic() - began < 10, "a sample is taken every ten seconds: three of them would take longer"


def test_without_a_place_of_its_own_in_version_1_the_machines_figures_are_not_the_containers(
    lab: Lab, cgroups: None
) -> None:
    """Its processes are where the supervisor is, at the root maybe, where all of the machine is counted."""
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    old = {name for tree in hierarchies.read() if tree.version == 1 for name in tree.controllers}
    used = held.usage()
    assert old.isdisjoint({"memory"}) or used.memory is None
    assert old.isdisjoint({"pids"}) or used.processes is None
    assert old.isdisjoint({"blkio"}) or used.read is None
    assert old.isdisjoint({"cpu"}) or used.periods is None


def test_with_limits_all_is_counted_in_whatever_tree(lab: Lab, counted: None) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True, limits=Limits(cpu=0.5, memory="64M", pids=10))
    used = held.usage()
    assert used.cpu is not None and used.memory is not None
    assert used.processes is not None and 1 <= used.processes <= 3
    assert used.periods is not None and used.events.keys() >= {"max", "oom_kill"}
    assert used.frozen is False


def test_who_is_given_controllers_while_it_is_watched_is_found_with_them(lab: Lab, counted: None) -> None:
    """Version 2: the first container with limits lets the parent hand controllers down, to all of its children."""
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    if lab.info["controllers"]["pids"] == 1:
        pytest.skip("in version 1 each cgroup has the files of its tree from the start")
    watch = held.watch(hz=20)
    lab.run("busybox", ["sleep", "1000"], detach=True, limits=Limits(pids=10))
    for each in watch:
        if isinstance(each, Sample) and each.usage.processes == 1:
            break
    assert watch.samples[0].usage.processes is None


@pytest.mark.parametrize(
    ("limits", "work", "kind"),
    [
        (Limits(cpu=0.1), "while :; do :; done", "throttled"),
        (Limits(pids=3), "((sleep 1000; true); true); sleep 1000", "refused"),
        (Limits(memory="16M"), EATER + "sleep 1000", "max"),
    ],
    ids=["throttled", "refused", "max"],
)
def test_what_meets_a_limit_is_an_event(lab: Lab, counted: None, limits: Limits, work: str, kind: str) -> None:
    held = lab.run("busybox", ["sh", "-c", WAIT + work], detach=True, limits=limits)
    watch = held.watch(hz=20)
    go(held)
    assert until(watch, kind)


def test_the_victim_is_told_and_the_container_lives_on(lab: Lab, log: None) -> None:
    held = lab.run(
        "busybox", ["sh", "-c", WAIT + EATER + "sleep 1000"], detach=True, limits=Limits(memory="16M", swap=0)
    )
    other = lab.run("busybox", ["sleep", "1000"], detach=True, limits=Limits(memory="16M", swap=0))
    watch, beside = held.watch(), other.watch()
    go(held)
    [killed] = [each for each in until(watch, "oom") if isinstance(each, Event) and each.kind == "oom"]
    assert (killed.victim, killed.count) == ("tail", 1)
    deadline = time.monotonic() + PATIENCE
    while os.path.exists(f"/proc/{killed.pid}"):  # until its parent has heard
        assert killed.pid > 0 and time.monotonic() < deadline
        time.sleep(0.01)
    assert held.running and other.running
    assert not any(event.kind == "oom" for event in beside.events)


def test_a_kill_is_told_within_a_fifth_of_a_second(lab: Lab, log: None) -> None:
    """From the moment at which the victim's own parent knows it, by the clock that counts since boot.

    On a machine that has no time for us a sample may come late: so the best of a few has to make it.
    """
    delays: list[float] = []
    for _ in range(8):
        work = f"{WAIT}{EATER}cut -d' ' -f1 /proc/uptime; sleep 1000"
        held = lab.run("busybox", ["sh", "-c", work], detach=True, limits=Limits(memory="16M", swap=0))
        with held.watch(hz=10) as watch:
            go(held)
            [killed] = [each for each in until(watch, "oom") if isinstance(each, Event) and each.kind == "oom"]
            told = time.clock_gettime(time.CLOCK_BOOTTIME)
            assert killed.victim == "tail"
            deadline = time.monotonic() + PATIENCE
            while len(lines := held.stdout.split()) < 2:  # "ready", and the time
                assert time.monotonic() < deadline
                time.sleep(0.01)
            delays.append(told - float(lines[-1]))
        held.kill()
        held.wait()
        if delays[-1] < 0.2:
            return
    raise AssertionError(f"told so many seconds after it had happened: {delays}")


def test_a_victim_that_was_the_last_is_told_though_its_counter_has_gone(lab: Lab, log: None) -> None:
    held = lab.run(
        "busybox", ["sh", "-c", WAIT + "exec tail /dev/zero"], detach=True, limits=Limits(memory="16M", swap=0)
    )
    watch = held.watch()
    go(held)
    until(watch, "ended")
    assert [(event.victim, event.count) for event in watch.events if event.kind == "oom"] == [("tail", 1)]
    assert held.wait(PATIENCE) == 137


def test_where_all_die_together_each_is_told(lab: Lab, log: None) -> None:
    if lab.info["controllers"]["memory"] == 1:
        pytest.skip("version 1 kills one process, and leaves the others to cope")
    limits = Limits(memory="16M", swap=0, oom_group=True)
    held = lab.run("busybox", ["sh", "-c", WAIT + EATER + "sleep 1000"], detach=True, limits=limits)
    watch = held.watch()
    go(held)
    until(watch, "ended")
    victims = [event.victim for event in watch.events if event.kind == "oom"]
    assert {"tail", "sh"} <= {*victims} and victims.count("tail") == 1


def test_the_slow_lane_is_an_event(lab: Lab, counted: None) -> None:
    if lab.info["controllers"]["memory"] == 1:
        pytest.skip("version 1 has no memory.high")
    held = lab.run("busybox", ["sh", "-c", WAIT + EATER], detach=True, limits=Limits(memory_high="8M", swap=0))
    watch = held.watch(hz=20)
    go(held)
    assert until(watch, "high")


def test_the_dead_of_an_earlier_container_are_not_those_of_its_namesake(lab: Lab, log: None) -> None:
    argv = ["sh", "-c", "exec tail /dev/zero"]
    assert lab.run("busybox", argv, name="web", limits=Limits(memory="16M", swap=0)).returncode == 137
    second = lab.run("busybox", ["sleep", "1000"], name="web", detach=True, limits=Limits(memory="16M", swap=0))
    watch = second.watch()
    second.kill()
    until(watch, "ended")
    assert [event.kind for event in watch.events] == ["ended"]


def test_the_machine_stands_beside(lab: Lab, cgroups: None) -> None:
    busy = lab.run("busybox", ["sh", "-c", "while :; do :; done"], detach=True)
    inside, outside = busy.watch(), lab.watch()
    while len(outside.samples) < 5:
        time.sleep(0.02)
    threads = [thread for thread in threading.enumerate() if thread.name == "labkit sampler"]
    assert len(threads) == 2, "what psutil takes long to read keeps no container waiting"
    first, last = outside.samples[0], outside.samples[-1]
    before = [each for each in inside.samples if each.at >= first.at]
    mine = (before[-1].usage.cpu or 0) - (before[0].usage.cpu or 0)
    assert last.usage.cpu - first.usage.cpu > mine / 2, "what a container uses the machine uses, too"
    told = lab.usage()
    assert told.cpus >= 1 and 0 < told.memory < told.memory_total and told.processes > 1 and told.links
    assert str(told).startswith("CPU ")
    outside.close()


def test_a_lab_that_is_replayed_has_nothing_to_watch(lab: Lab, cgroups: None, monkeypatch: pytest.MonkeyPatch) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    monkeypatch.setattr(lab.backend, "killed", Replay(Tape("2026-11-28")).killed)
    with pytest.raises(ReplayError, match="watching needs a live lab"):
        held.watch()
    with pytest.raises(ReplayError, match="watching needs a live lab"):
        lab.watch()
    assert no_thread()
