"""A container is held to its limits, in the same words on both versions, and only it is.

How much somebody gets of a machine that others use as well is measured against somebody without limits, in the same
seconds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_cgroups import outweigh

from labkit import Lab
from labkit.cgroups import Limits
from labkit.container.container import Container
from labkit.container.spec import NAMESPACES
from labkit.errors import HostDied, SpecError, StepError
from labkit.linux import hierarchies

BUSY = ["sh", "-c", "while :; do :; done"]
GROWING = "x=0123456789; while :; do x=$x$x; done"  # a string that doubles


@pytest.fixture(scope="module", autouse=True)
def others_wait(own_cgroup: str) -> None:
    """Beside ten processes that want the CPU as well nobody would come to use up his quota."""
    outweigh()


def holds(lab: Lab, controller: str) -> bool:
    """Whether this lab has the controller, of either version."""
    return controller in lab.info["controllers"] or {"io": "blkio"}.get(controller) in lab.info["controllers"]


@pytest.fixture(autouse=True)
def lab_has_controllers(lab: Lab) -> None:
    missing = [name for name in ("cpu", "memory", "pids") if not holds(lab, name)]
    if missing:
        pytest.skip(f"this lab has no controller {missing[0]}: {lab.info['no_controllers'] or lab.info['no_cgroup']}")


def spent(containers: list[Container], seconds: float) -> list[float]:
    """Seconds of CPU that each of them got in that time, as the kernel counts them."""
    before = [container.usage().cpu or 0.0 for container in containers]
    time.sleep(seconds)
    return [(container.usage().cpu or 0.0) - was for container, was in zip(containers, before, strict=True)]


@contextlib.contextmanager
def running(lab: Lab, *limits: Limits | None, argv: list[str] = BUSY) -> Iterator[list[Container]]:
    containers = [lab.run("busybox", argv, detach=True, limits=each) for each in limits]
    try:
        yield containers
    finally:
        for container in containers:
            container.kill()
            container.wait()


def test_a_quota_of_a_fifth_gives_a_fifth(lab: Lab) -> None:
    """On one CPU, beside a control group without a quota, which takes what is left.

    The wall's seconds are the quota's; what others on this machine take is missing from the control group's alone.
    """
    with running(lab, Limits(cpu=0.2, cpus="0", cpu_weight=10_000), Limits(cpus="0")) as (held, free):
        started = time.monotonic()
        before = held.usage()
        mine, rest = spent([held, free], 3.0)
        took = time.monotonic() - started
        after = held.usage()
    there = (mine + rest) / took  # of that CPU: what a virtual one was away for, nobody could use
    assert 0.20 * there - 0.02 <= mine / took <= 0.22, (mine, rest, took)
    assert rest > mine
    periods = (after.periods or 0) - (before.periods or 0)
    throttled = (after.periods_throttled or 0) - (before.periods_throttled or 0)
    assert periods >= 20 and throttled > 0.9 * periods
    assert (after.throttled or 0) > (before.throttled or 0)


def test_weights_of_100_and_300_share_one_cpu_as_1_to_3(lab: Lab) -> None:
    one = three = 0.0
    with running(lab, Limits(cpu_weight=100, cpus="0"), Limits(cpu_weight=300, cpus="0")) as pair:
        for _ in range(4):  # a virtual CPU that was away charges that to whoever ran, and makes up for it later
            one, three = (was + now for was, now in zip((one, three), spent(pair, 3.0), strict=True))
            if abs(three / one - 3) < 0.3:
                break
    assert three / one == pytest.approx(3.0, rel=0.1), (one, three)


def test_memory_max_kills_inside_only(lab: Lab) -> None:
    with running(lab, Limits(memory="32M", swap=0), argv=["sleep", "100"]) as (neighbour,):
        victim = lab.run("busybox", ["sh", "-c", GROWING], limits=Limits(memory="16M", swap=0))
        assert victim.returncode == 137
        assert neighbour.running and not neighbour.usage().events.get("oom_kill")


def test_whom_the_oom_killer_ended_is_told_and_its_last_counters_are_kept(lab: Lab) -> None:
    victim = lab.run("busybox", ["sh", "-c", GROWING], limits=Limits(memory="16M", swap=0))
    lab.reset()
    assert victim.oom_killed
    assert str(victim).splitlines()[0].endswith("ended with 137 (killed by the OOM killer: memory.max 16 MiB)")
    assert victim.usage().events["oom_kill"] == 1
    assert 14 << 20 < (victim.usage().memory_peak or 0) <= 16 << 20
    assert victim.usage().cpu


def test_a_process_that_is_killed_beside_the_containers_own_is_told_of_both(lab: Lab) -> None:
    script = f"sh -c '{GROWING}'; echo $?"
    parent = lab.run("busybox", ["sh", "-c", script], limits=Limits(memory="16M", swap=0))
    assert (parent.oom_killed, parent.stdout) == (True, "137\n")
    assert "ended with 0 (the OOM killer killed a process in it: memory.max 16 MiB)" in str(parent)
    with running(lab, Limits(memory="16M", swap=0), argv=["sleep", "100"]) as (container,):
        assert not container.exec(["true"]).oom_killed
        joined = container.exec(["sh", "-c", GROWING])
        assert (joined.returncode, joined.oom_killed) == (137, True)
        assert "ended with 137 (killed by the OOM killer: memory.max 16 MiB)" in str(joined)
        assert not container.exec(["true"]).oom_killed, "what was killed before is not its own"
        container.kill()
        container.wait()
        assert "ended with 137 (the OOM killer killed a process in it" in str(container), "this 137 is ours"


def test_a_container_that_ends_by_itself_keeps_its_last_counters(lab: Lab) -> None:
    done = lab.run("busybox", ["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"], limits=Limits())
    usage = done.usage()
    assert not done.oom_killed
    assert usage.cpu and usage.memory_peak and usage.processes == 0
    lab.close()
    assert done.usage() == usage
    assert str(done).endswith("ended with 0")


def test_the_next_fork_is_refused_and_counted(lab: Lab) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 60 & done; wait"
    with running(lab, Limits(pids=5), argv=["sleep", "100"]) as (container,):
        done = container.exec(["sh", "-c", script])
        assert "can't fork" in done.stderr or "Resource temporarily unavailable" in done.stderr
        usage = container.usage()
    assert usage.processes is not None and usage.processes <= 5
    assert usage.refused


@pytest.mark.parametrize("kinds", [NAMESPACES, (*NAMESPACES, "user"), ("mnt", "uts")], ids=",".join)
def test_one_more_process_takes_one_place_and_no_helper_of_ours_another(lab: Lab, kinds: tuple[str, ...]) -> None:
    if "user" in kinds and lab.lacking.one_id:
        pytest.skip("this rootless lab has a single id")
    container = lab.run("busybox", ["sleep", "100"], detach=True, limits=Limits(pids=2), namespaces=kinds)
    for _ in range(3):
        ran = container.exec(["cat", "/proc/self/cgroup"])
        assert ran.returncode == 0
    own = lab.run("busybox", ["cat", "/proc/self/cgroup"], limits=Limits(), namespaces=kinds, name=container.name + "x")
    assert ran.stdout == own.stdout.replace(own.name, container.name), "it is where the container is"
    held = container.exec(["sleep", "100"], detach=True)
    assert container.usage().processes == 2
    with pytest.raises(StepError, match=r"no room for one more process: pids\.max is 2 and 2 are in use \(EAGAIN\)"):
        lab.terminal(container)
    held.kill()
    held.wait()
    assert container.exec(["true"]).returncode == 0


def test_no_room_for_one_more_is_refused_and_says_what_makes_some(lab: Lab) -> None:
    with running(lab, Limits(pids=1), argv=["sleep", "100"]) as (container,):
        with pytest.raises(StepError, match=r"pids\.max is 1 and 1 is in use \(EAGAIN\)") as refused:
            container.exec(["true"])
        assert (refused.value.errno, refused.value.look) == (errno.EAGAIN, "container.limits(pids=2)")
        container.limits(pids=2)
        assert container.exec(["true"]).returncode == 0
    with pytest.raises(StepError, match="EAGAIN") as refused:
        lab.run("busybox", ["true"], init=True, limits=Limits(pids=1))
    assert "pids.max" in str(refused.value.likely)


def test_freezing_stops_all_of_them_and_forkers_too(lab: Lab) -> None:
    from labkit.cgroups.change import Freeze

    with running(lab, Limits(), argv=["sh", "-c", "while :; do (:); done"]) as (container,):
        lab.take(Freeze(path=f"/sys/fs/cgroup/{container.name}"))
        deadline = time.monotonic() + 5
        while not container.usage().frozen and time.monotonic() < deadline:
            time.sleep(0.01)
        (still,) = spent([container], 0.3)
        assert container.usage().frozen and still == 0
        lab.take(Freeze(path=f"/sys/fs/cgroup/{container.name}", frozen=False))
        (moving,) = spent([container], 0.3)
    assert moving > 0


def test_a_frozen_container_dies_when_it_is_told_to(lab: Lab) -> None:
    """The freezer of version 2 lets SIGKILL through, that of version 1 does not: labs use the former on both."""
    from labkit.cgroups.change import Freeze

    container = lab.run("busybox", BUSY, detach=True, limits=Limits())
    lab.take(Freeze(path=f"/sys/fs/cgroup/{container.name}"))
    container.kill()
    assert container.wait(5) == 137


def test_cpus_are_those_that_were_given(lab: Lab) -> None:
    if not holds(lab, "cpuset"):
        pytest.skip("this lab has no controller cpuset")
    last = str(max(os.sched_getaffinity(0)))
    with running(lab, Limits(cpus=last), argv=["sleep", "100"]) as (container,):
        status = container.exec(["cat", "/proc/self/status"]).stdout
    assert f"Cpus_allowed_list:\t{last}" in status


def test_a_cpu_that_does_not_exist_is_refused_and_leaves_nothing(lab: Lab) -> None:
    if not holds(lab, "cpuset"):
        pytest.skip("this lab has no controller cpuset")
    before = lab.snapshot("cgroup")
    with pytest.raises(StepError) as refused:
        lab.run("busybox", ["true"], limits=Limits(cpus="8000"))
    assert refused.value.errno in (errno.EINVAL, errno.ERANGE)
    paths = {str(fact) for fact in lab.snapshot("cgroup")} - {str(fact) for fact in before}
    assert not [path for path in paths if "busybox" in path]


def test_a_limit_changes_while_it_runs(lab: Lab) -> None:
    with running(lab, Limits(cpus="0"), Limits(cpus="0")) as (held, free):
        assert held.limits(cpu=0.1).cpu == 0.1
        mine, rest = spent([held, free], 1.5)
        assert mine < 0.5 * rest
        assert held.limits(cpu=None) == Limits(cpus="0")
        mine, rest = spent([held, free], 1.5)
        assert mine / rest == pytest.approx(1.0, abs=0.35), (mine, rest)


def test_memory_and_swap_change_in_either_direction(lab: Lab) -> None:
    """Version 1 limits the two together, so that they must be written in the right order."""
    with running(lab, Limits(memory="64M", swap="8M"), argv=["sleep", "100"]) as (container,):
        for changes in (
            {"memory": "128M"},
            {"memory": "32M", "swap": 0},
            {"swap": "1M"},
            {"memory": None, "swap": None},
        ):
            now = container.limits(**changes)
            assert {name: getattr(now, name) for name in changes} == changes


def test_below_what_is_in_use(lab: Lab) -> None:
    """Version 1 refuses (EBUSY); version 2 writes it down, and kills whom it cannot squeeze."""
    # not without a last word: a shell gives its place to the last command, and with it its memory back
    held = "x=0123456789abcdef; for i in $(seq 19); do x=$x$x; done; sleep 100; true"
    container = lab.run("busybox", ["sh", "-c", held], detach=True, limits=Limits(memory="64M", swap=0))
    deadline = time.monotonic() + 20
    while (container.usage().memory or 0) < 8 << 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    if lab.info["controllers"]["memory"] == 1:
        with pytest.raises(StepError) as refused:
            container.limits(memory="1M")
        assert refused.value.errno == errno.EBUSY and "in use" in str(refused.value)
        assert container.running
        container.kill()
    else:
        container.limits(memory="1M")
    assert container.wait(10) == 137


def test_who_is_started_in_it_is_held_as_well(lab: Lab) -> None:
    with running(lab, Limits(memory="16M", swap=0), argv=["sleep", "100"]) as (container,):
        assert container.exec(["sh", "-c", GROWING]).returncode == 137
        assert container.running


def test_without_limits_there_is_nobody_to_change_them(lab: Lab) -> None:
    with running(lab, None, argv=["sleep", "100"]) as (container,), pytest.raises(SpecError, match="without limits"):
        container.limits(cpu=1)


def test_an_unknown_limit_and_one_of_the_dead(lab: Lab) -> None:
    with running(lab, Limits(), argv=["sleep", "100"]) as (container,):
        with pytest.raises(SpecError, match="no limit called cpu_max"):
            container.limits(cpu_max=1)
        with pytest.raises(SpecError, match="cpu"):
            container.limits(cpu=-1)
    with pytest.raises(HostDied):
        container.limits(cpu=1)


def test_what_this_version_lacks_is_refused_with_its_reason(lab: Lab) -> None:
    if lab.info["controllers"]["memory"] == 2:
        pytest.skip("version 2 has all of them")
    with pytest.raises(SpecError, match=r"memory\.high") as refused:
        lab.run("busybox", ["true"], limits=Limits(memory_high="8M"))
    assert refused.value.likely


def test_a_container_in_a_user_namespace_is_held_too(lab: Lab) -> None:
    if lab.lacking.one_id:
        pytest.skip("this lab has a single user id")
    kinds = ("mnt", "pid", "uts", "ipc", "net", "cgroup", "user")
    done = lab.run("busybox", ["sh", "-c", GROWING], namespaces=kinds, limits=Limits(memory="48M", swap=0))
    assert done.returncode == 137


def test_the_plan_says_what_is_done_and_leads_back(lab: Lab) -> None:
    limits = Limits(memory="64M", pids=20)
    walk = lab.walk(lab.plans.container("busybox", ["sleep", "100"], limits=limits))
    lab.snapshot("cgroup")
    walk.goto(1)
    before = set(map(str, lab.snapshot("cgroup")))
    walk.run()
    files = {fact.file for fact in lab.facts("cgroup") if type(fact).__name__ == "Limit"}  # type: ignore[attr-defined]
    assert "pids.max" in files
    walk.goto(1)
    assert set(map(str, lab.snapshot("cgroup"))) == before


def test_a_hundred_containers_are_held_and_nothing_stays(lab: Lab) -> None:
    containers = [lab.run("busybox", ["sleep", "100"], detach=True, limits=Limits(pids=3)) for _ in range(100)]
    assert all(container.usage().processes is not None for container in containers)
    lab.reset()
    names = {str(fact) for fact in lab.facts("cgroup")}
    assert not [name for name in names if "busybox" in name]


def test_the_machines_own_trees_are_untouched(lab: Lab) -> None:
    """A lab makes one directory in each, and takes it away; it moves nobody else."""

    def others() -> dict[str, list[str]]:
        return {
            tree.directory: sorted(name for name in os.listdir(tree.directory) if not name.startswith("labkit-"))
            for tree in hierarchies.read()
            if tree.directory
        }

    before = others()
    with Lab() as another:
        another.run("busybox", ["true"], limits=Limits(memory="32M"))
        assert others() == before
        name = os.path.basename(another.info["cgroup"])
    left = [tree.directory for tree in hierarchies.read() if tree.directory and name in os.listdir(tree.directory)]
    assert not left


@pytest.mark.usefixtures("own_cgroups", "own_processes")
def test_who_joins_while_all_are_killed_dies_with_them_or_is_refused(lab: Lab) -> None:
    """Whatever the moment: nobody is left in a cgroup that was killed, and the lab goes on."""
    for number in range(30):
        held = lab.run("busybox", ["sleep", "1000"], detach=True, limits=Limits(pids=20))
        path = Path(lab.info["cgroup"], f"h{lab.info['generation']}", held.name, "cgroup.kill")
        killer = threading.Timer(number * 0.0004, path.write_text, ("1",))
        killer.start()
        with contextlib.suppress(HostDied, SpecError, StepError):
            assert held.exec(["sleep", "1000"]).returncode == 137
        killer.join()
        assert held.wait(5) == 137
    assert lab.run("busybox", ["true"], limits=Limits()).returncode == 0
