"""The exercises and faults of lesson 07, as those of the others; and what its cells claim, where it surprises."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable

import lessons
import pytest
from lessons import Steps
from own_cgroups import outweigh

from labkit import Lab, learn
from labkit.cgroups import Limits
from labkit.cgroups.change import Freeze, HandDown
from labkit.cgroups.places import ROOT, ROOT_V1
from labkit.container.container import Container
from labkit.errors import StepError
from labkit.learn import limiting, measuring, seen
from labkit.learn.measured import decide
from labkit.learn.measuring import BUSY, GROWING, delays, disk, send, shares, speed
from labkit.learn.tenants import clear, enter, held, limit, place, tenant
from labkit.linux.constants import SIGKILL, SIGTERM
from labkit.namespaces.processes import Exec, Kill
from labkit.namespaces.reading import ReadFile, text
from labkit.namespaces.spawn import Spawn

LESSON = learn.lesson("nb07")
MIB = 2**20
Way = Callable[[Lab], Steps]


@pytest.fixture(autouse=True)
def lab_has_what_the_lesson_needs(lab: Lab) -> None:
    lessons.lab_has(lab, *LESSON.needs)


def two(bakery: Limits, radio: Limits) -> Way:
    return lambda lab: [*tenant(lab, "bakery", bakery), *tenant(lab, "radio", radio)]


def pupil(**limits: object) -> Way:
    return lambda lab: tenant(lab, "pupil", Limits(**limits))  # type: ignore[arg-type]


def below_the_class(lab: Lab) -> Steps:
    room = Limits(pids=20, memory="32M")
    born = [*place(lab, "class", room), *tenant(lab, "pupil", room, below="class")]
    return [*born, *limit(lab, "class/pupil", pids=None, memory=None)]


def beside(lab: Lab) -> Steps:
    room = Limits(pids=20, memory="32M")
    return [*place(lab, "room", room), *tenant(lab, "pupil")]


def with_a_neighbour(lab: Lab) -> Steps:
    room = Limits(pids=20, memory="32M")
    return [*tenant(lab, "pupil", room), Spawn(child="radio"), *enter(lab, "radio", "pupil", room)]


RIGHT: dict[str, list[tuple[str, Way]]] = {
    "nb07/at-ease": [
        ("by weight", two(Limits(cpus="0"), Limits(cpus="0", cpu_weight=300))),
        ("by weight", two(Limits(cpus="0", cpu_weight=10), Limits(cpus="0", cpu_weight=100))),
        ("by quota", two(Limits(cpu=0.2), Limits())),
    ],
    "nb07/pupils": [
        ("its own cgroup", pupil(pids=20, memory="32M")),
        ("its own cgroup", pupil(pids=5, memory="8M")),
        ("a cgroup above", below_the_class),
    ],
}

WRONG: dict[str, list[Way]] = {
    "nb07/at-ease": [
        lambda lab: tenant(lab, "bakery", Limits(cpu=0.2)),
        two(Limits(cpus="0"), Limits(cpus="0")),
        two(Limits(cpu=0.2), Limits(cpu=0.8)),
        two(Limits(cpus="0", cpu_weight=300), Limits(cpus="0")),
        two(Limits(cpu=0.5), Limits()),
        two(Limits(), Limits(cpu_weight=300)),
        two(Limits(cpus="0"), Limits(cpus="0", cpu_weight=200)),
    ],
    "nb07/pupils": [
        lambda _: [Spawn(child="teacher")],
        lambda _: [Spawn(child="pupil")],
        pupil(pids=20),
        pupil(memory="32M"),
        beside,
        with_a_neighbour,
    ],
}


def test_every_exercise_is_tried() -> None:
    assert lessons.exercises(["nb07"]) == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize("identity", RIGHT)
def test_each_right_way_is_recognised(lab: Lab, identity: str) -> None:
    lessons.recognises(lab, identity, [(way, steps(lab)) for way, steps in RIGHT[identity]])


@pytest.mark.parametrize("identity", WRONG)
def test_each_wrong_way_gets_a_hint_of_its_own(lab: Lab, identity: str) -> None:
    lessons.tells_apart(lab, identity, [steps(lab) for steps in WRONG[identity]])


def test_the_model_solutions_and_repairs_hold(lab: Lab) -> None:
    lessons.keeps_its_models(lab, "nb07")


def test_the_quiz_can_be_put_and_answered(lab: Lab) -> None:
    lessons.has_a_quiz(lab, "nb07", least=6)


def test_the_usual_wrong_repairs_are_told_what_they_miss(lab: Lab) -> None:
    def wrong(name: str, *tries: tuple[Steps, str]) -> learn.Fault:
        lab.reset()
        fault = LESSON.fault(name)
        fault.plant(lab)
        for steps, hint in tries:
            lab.take_all(steps)
            assert hint in fault.check(lab).hint
        return fault

    wrong("wrong-node", (limit(lab, "house/bakery", memory="64M"), "the one above it still counts"))
    wrong("wrong-node", (limit(lab, "house", memory=None), "which was to be limited"))
    wrong("no-such-file", ([Kill(target="bakery")], "not evicted"))
    wrong("wrong-victim", (limit(lab, "bakery", memory=None, swap=None), "a larger room"))
    wrong("wrong-victim", ([Kill(target="ads")], "one of them is gone"))
    thawed = wrong("will-not-die", ([Freeze(path=f"{ROOT}/radio", frozen=False)], ""))
    assert soon(lambda: thawed.check(lab).solved), "what was said to it while it was frozen is heard after the thaw"


def soon(ask: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not ask() and time.monotonic() < deadline:
        time.sleep(0.05)
    return ask()


# what the cells claim


def test_a_weight_counts_among_those_who_want_to_run(lab: Lab) -> None:
    bakery = lab.run("busybox", BUSY, detach=True, limits=Limits(cpus="0"))
    radio = lab.run("busybox", BUSY, detach=True, limits=Limits(cpus="0", cpu_weight=300))
    before, three = shares(lab, bakery, radio)
    assert three / before == pytest.approx(3, rel=0.1)
    radio.kill()
    radio.wait()
    more = decide("alone it gets more", lambda: shares(lab, bakery)[0] / before, more_than=1)
    if more.decided is None:
        pytest.skip(str(more))
    assert more.decided


def test_a_quota_moves_the_tail_and_leaves_the_quickest(lab: Lab) -> None:
    outweigh()
    free, quota = delays(lab, None, 0.2)
    if quota.busy:
        pytest.skip(quota.busy)
    assert quota.quickest < 3 * free.quickest
    assert quota.tail > 3 * free.tail


@pytest.mark.timeout(20)  # it would wait for a thousand seconds
def test_a_start_that_comes_before_the_program_waits_for_it_is_not_lost(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = measuring.WORK.replace("echo ready; ", "echo ready; sleep 0.5; ")
    assert late != measuring.WORK
    monkeypatch.setattr(measuring, "WORK", late)
    assert delays(lab, None)[0].seconds


def test_a_start_that_comes_before_there_is_anything_to_wait_at_is_not_lost(lab: Lab) -> None:
    script = f"sleep 0.3; {measuring.WORK}"
    box = lab.run("busybox", ["sh", "-c", script, "1", "1"], detach=True)
    box.exec(["sh", "-c", measuring.START])
    assert box.wait(10) == 0
    assert len(box.stdout.split()) == 3


def test_the_largest_is_killed_and_not_who_grows(lab: Lab) -> None:
    walk = lab.walk(limiting.crowded(lab)).run()
    facts = lab.snapshot("processes")
    assert (seen.life(facts, "till"), seen.life(facts, "ads")) == ("", "runs")
    assert LESSON.prediction("victim").truth(walk.last) == "the till"


def test_the_page_cache_knows_no_ceiling(lab: Lab) -> None:
    ceiling = Limits(io={disk(lab): {"rbps": "1M"}})
    direct = speed(lab, ceiling, direct=True)
    assert direct < 1.15 * MIB
    assert decide("five times as fast", lambda: speed(lab, ceiling) / direct, more_than=5).decided


def test_a_container_sends_no_faster_than_its_bucket_is_filled(lab: Lab) -> None:
    box = lab.run("busybox", ["sleep", "100"], detach=True)
    box.link("10.9.0.2/24")
    free = send(lab, box, "10.9.0.1")
    box.shape(egress="1M")
    shaped = min(send(lab, box, "10.9.0.1") for _ in range(2))  # a receiver that comes late to its clock is told more
    assert shaped < 200_000 and free > 2 * shaped


def test_nproc_sees_a_cpuset_and_no_quota(lab: Lab) -> None:
    every, quota, one = (
        int(lab.run("busybox", ["nproc"], limits=each).stdout) for each in (Limits(), Limits(cpu=0.5), Limits(cpus="0"))
    )
    assert every == quota and one == 1


def test_who_is_killed_for_memory_in_a_container_does_not_end_it(lab: Lab) -> None:
    box = lab.run("busybox", ["sleep", "100"], detach=True, limits=Limits(memory="16M", swap=0))
    assert box.exec(GROWING).returncode == 128 + SIGKILL
    assert box.running and box.usage().events["oom_kill"] == 1


def frozen(lab: Lab, script: str) -> Container:
    """A container whose program has said so much that it is ready, and then was frozen."""
    box = lab.run("busybox", ["sh", "-c", script], detach=True, limits=Limits())
    assert soon(lambda: "ready" in box.stdout)
    lab.take(Freeze(path=f"{ROOT}/{box.name}"))
    assert soon(lambda: bool(box.usage().frozen))
    return box


def test_a_handler_does_not_run_while_it_is_frozen_and_sigkill_needs_none(lab: Lab) -> None:
    box = frozen(lab, "trap 'exit 7' TERM; echo ready; while :; do :; done")
    box.kill(SIGTERM)
    assert box.wait(0.5) is None
    lab.take(Freeze(path=f"{ROOT}/{box.name}", frozen=False))
    assert box.wait(5) == 7
    assert frozen(lab, "echo ready; while :; do :; done").wait(0.1) is None


def test_a_frozen_program_without_a_handler_dies_of_sigterm_at_once(lab: Lab) -> None:
    """A signal that ends a process anyway is made a SIGKILL when it is sent: kernel/signal.c, complete_signal.

    Not so in the moment between the order to freeze and the standstill: then it waits for the thaw, as for a handler.
    """
    lab.take_all([*place(lab, "radio"), Spawn(child="radio"), *enter(lab, "radio", "radio")])
    lab.take_all([Exec(who="radio", argv=BUSY), Freeze(path=f"{ROOT}/radio")])
    events = ReadFile(path=f"{ROOT}/radio/cgroup.events")
    assert soon(lambda: "frozen 1" in text(lab.take(events)))
    lab.take(Kill(target="radio", signal=SIGTERM))
    assert soon(lambda: not seen.life(lab.snapshot("processes"), "radio"))


def test_the_freezer_of_version_1_holds_even_who_is_killed(lab: Lab) -> None:
    if lab.info["controllers"].get("freezer") != 1:
        pytest.skip("this lab has no freezer of version 1")
    from labkit.cgroups.change import EnterCgroup, SetLimit
    from labkit.cgroups.make import MakeCgroup, RemoveCgroup

    old = f"{ROOT_V1}/freezer/radio"
    lab.trees(lab.lacking.hold(Limits()))
    lab.take_all([MakeCgroup(path=old), Spawn(child="radio"), EnterCgroup(who="radio", path=old)])
    lab.take_all([Exec(who="radio", argv=BUSY), SetLimit(path=old, file="freezer.state", value="FROZEN")])
    lab.take(Kill(target="radio"))
    time.sleep(0.3)
    assert seen.life(lab.snapshot("processes"), "radio")
    lab.take(SetLimit(path=old, file="freezer.state", value="THAWED"))
    assert soon(lambda: not seen.life(lab.snapshot("processes"), "radio"))
    lab.take(RemoveCgroup(path=old))


def test_a_cgroup_with_processes_hands_no_controllers_down(lab: Lab) -> None:
    if lab.info["controllers"]["memory"] != 2:
        pytest.skip("in version 1 every cgroup of a tree has its controller")
    lab.take_all(tenant(lab, "bakery", Limits(memory="48M")))
    with pytest.raises(StepError) as refused:
        lab.take(HandDown(path=f"{ROOT}/bakery", controllers=("memory",)))
    assert refused.value.errno == errno.EBUSY


def test_a_limit_above_holds_those_below(lab: Lab) -> None:
    lab.take_all([*place(lab, "house", Limits(memory="16M", swap=0))])
    lab.take_all(tenant(lab, "bakery", Limits(memory="64M", swap=0), below="house"))
    assert held(lab.snapshot("processes", "cgroup"), "bakery", "memory.max") == 16 * MIB
    lab.take(Exec(who="bakery", argv=GROWING))
    assert soon(lambda: not seen.life(lab.snapshot("processes"), "bakery"))


def test_what_was_placed_is_cleared_away(lab: Lab) -> None:
    lab.trees(lab.lacking.hold(Limits()))
    before = set(map(str, lab.snapshot("cgroup", "processes")))
    limiting.one_too_high(lab)
    with contextlib.suppress(StepError):
        clear(lab, "house/bakery", "house/radio", "house")
    assert set(map(str, lab.snapshot("cgroup", "processes"))) == before
