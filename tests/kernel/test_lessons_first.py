"""The exercises and faults of lessons 00 to 02: each right way is recognised, each wrong one gets its own hint."""

from __future__ import annotations

import os

import lessons
import pytest
from lessons import Steps

from labkit import Lab, learn
from labkit.cgroups.make import RemoveCgroup
from labkit.container import spec
from labkit.learn import bare, beside, crowding
from labkit.linux.constants import SIGKILL, SIGSTOP
from labkit.namespaces.files import MakeDirectory, WriteFile
from labkit.namespaces.filesystems import MountProc
from labkit.namespaces.mounts import MakePrivate, Unmount
from labkit.namespaces.names import SetDomainname, SetHostname
from labkit.namespaces.ports import Listen, StopListening
from labkit.namespaces.processes import Exec, Kill
from labkit.namespaces.roots import DetachOldRoot
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Spawn, Unshare
from labkit.steps.fact import PROBES, Port
from labkit.steps.plan import Plan
from labkit.steps.step import Step

LESSONS = ("nb00", "nb01", "nb02")

_ROOM, _LEASE = MakeDirectory(path="/tmp/school"), WriteFile(path="/tmp/school/lease", text="a room")
_THREE = crowding.tenants()
_WORKERS = crowding.workers()
_BAKERY_8080 = Listen(who="bakery", port=8080)
_KNEADER, _MIXER = 5, 6  # their pids: the bakery is 3, the radio 4


def _container(**options: object) -> list[Step]:
    rootless = os.geteuid() != 0  # who is not the machine's root may make no devices, but bind the machine's own
    given = {"cgroup": False, "bind_devices": rootless, "userxattr": rootless, **options}
    return list(spec.plan(spec.Spec(image="busybox", argv=("sleep", "1000"), **given)))  # type: ignore[arg-type]


_RADIO = _container(name="radio", hostname="on-air")
_SCHOOL = _container(name="school", namespaces=("mnt", "pid"))
_UNMOUNT = Unmount(who="school", target="/old", lazy=True)


def _without(steps: Steps, *kinds: type[Step]) -> list[Step]:
    return [step for step in steps if not isinstance(step, kinds)]


RIGHT: dict[str, list[tuple[str, Steps]]] = {
    "nb00/lease": [
        ("everybody", [_ROOM, _LEASE]),
        ("owner", [_ROOM, WriteFile(path="/tmp/school/lease", text="a room", mode=0o600)]),
    ],
    "nb00/tenants": [
        ("by the lab host", _THREE),
        ("by another", [Spawn(child="bakery"), Spawn(who="bakery", child="radio"), Spawn(child="school")]),
    ],
    "nb01/two-doors": [
        ("two numbers", [*_THREE, _BAKERY_8080, Listen(who="radio", port=8081)]),
        (
            "two addresses",
            [
                *_THREE,
                Listen(who="bakery", port=80, address="127.0.0.1"),
                Listen(who="radio", port=80, address="127.0.0.2"),
            ],
        ),
        (
            "two network namespaces",
            [*_THREE, Unshare(who="radio", namespaces=("net",)), _BAKERY_8080, Listen(who="radio", port=8080)],
        ),
    ],
    "nb01/right-worker": [
        ("ended", [*_WORKERS, Kill(who="bakery", target="kneader")]),
        ("ended", [*_WORKERS, SignalPid(pid=_KNEADER)]),
        ("stopped", [*_WORKERS, SignalPid(pid=_KNEADER, signal=SIGSTOP)]),
    ],
    "nb02/on-air": [
        ("the program runs", _RADIO),
        ("not moved in", _without(_RADIO, Exec)),
    ],
    "nb02/smallest": [
        ("no more", _SCHOOL),
        ("more walls", _container(name="school")),
        ("no more", [_UNMOUNT if isinstance(step, DetachOldRoot) else step for step in _SCHOOL]),
    ],
}

WRONG: dict[str, list[Steps]] = {
    "nb00/lease": [
        [],
        [WriteFile(path="/tmp/lease", text="a room")],
        [WriteFile(path="/tmp/school", text="a room")],
        [_ROOM],
        [_ROOM, WriteFile(path="/tmp/school/lease", text="")],
    ],
    "nb00/tenants": [
        [],
        [*_THREE[:2], Spawn(child="shool")],
        [*_THREE, SignalPid(pid=4, signal=SIGSTOP)],
        [*_THREE[:2], Spawn(child="school", namespaces=("uts",))],
        _THREE[:2],
    ],
    "nb01/two-doors": [
        [],
        _THREE,
        [*_THREE, Listen(who="radio", port=8080)],
        [*_THREE, _BAKERY_8080],
        [*_THREE, _BAKERY_8080, Listen(who="bakery", port=8081)],
        [*_THREE, Listen(who="school", port=8080)],
    ],
    "nb01/right-worker": [
        [],
        _WORKERS,
        [*_WORKERS, SignalPid(pid=_KNEADER), SignalPid(pid=_MIXER)],
        [*_WORKERS, SignalPid(pid=_MIXER)],
        [*_WORKERS, Kill(target="bakery")],
        [*_WORKERS, Kill(target="radio")],
    ],
    "nb02/on-air": [
        [],
        [*_RADIO, SetHostname(name="on-air")],
        _container(name="on-air"),
        [Spawn(child="radio")],
        _without(_RADIO, DetachOldRoot, Exec),
        _container(name="radio"),
        _container(name="radio", hostname="off"),
    ],
    "nb02/smallest": [
        [],
        [Spawn(child="school")],
        [Spawn(child="school", namespaces=("mnt",)), MakePrivate(who="school")],
        [Spawn(child="school", namespaces=("mnt", "pid")), MakePrivate(who="school")],
        _without(_SCHOOL, MountProc, Exec),
        _without(_SCHOOL, DetachOldRoot, Exec),
    ],
}


def test_every_exercise_is_tried() -> None:
    assert lessons.exercises(LESSONS) == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize("identity", RIGHT)
def test_each_right_way_is_recognised(lab: Lab, identity: str) -> None:
    lessons.recognises(lab, identity, RIGHT[identity])


@pytest.mark.parametrize("identity", WRONG)
def test_each_wrong_way_gets_a_hint_of_its_own(lab: Lab, identity: str) -> None:
    lessons.tells_apart(lab, identity, WRONG[identity])


@pytest.mark.parametrize("name", LESSONS)
def test_the_model_solutions_and_repairs_hold(lab: Lab, name: str) -> None:
    lessons.keeps_its_models(lab, name)


@pytest.mark.parametrize("name", LESSONS)
def test_the_quiz_can_be_put_and_answered(lab: Lab, name: str) -> None:
    lessons.has_a_quiz(lab, name, least=5)


def test_there_is_another_way_to_repair_each_fault(lab: Lab) -> None:
    plate = learn.lesson("nb00").fault("doorplate")
    plate.plant(lab)
    lab.take(SetDomainname(name="lab"))
    assert "no prompt shows" in plate.check(lab).hint
    lab.take_all([Spawn(child="me", namespaces=("uts",)), SetHostname(who="me", name="lab")])
    assert "to itself" in plate.check(lab).hint
    lab.take_all([Spawn(child="caretaker"), SetHostname(who="caretaker", name="lab")])
    assert plate.check(lab)

    door = learn.lesson("nb01").fault("no-door")
    lab.reset()
    door.plant(lab)
    lab.take_all([Spawn(child="school"), Listen(who="school", port=8081)])
    assert "another number" in door.check(lab).hint
    lab.take(StopListening(who="oven", port=8080))
    assert door.check(lab)


def test_whoever_has_moved_out_may_leave_a_cgroup(lab: Lab) -> None:
    lessons.lab_has(lab, *learn.lesson("nb02").needs)
    leftover = learn.lesson("nb02").fault("moved-out")
    leftover.plant(lab)
    lab.take(SignalPid(pid=3, signal=SIGKILL))
    assert "empty now" in leftover.check(lab).hint
    lab.take(RemoveCgroup(path="/sys/fs/cgroup/bakery"))
    assert leftover.check(lab)


def test_a_port_is_free_again_when_its_listener_stops_ends_or_becomes_a_program(lab: Lab) -> None:
    for parting in (
        StopListening(who="bakery", port=8080),
        Kill(target="bakery"),
        Exec(who="bakery", argv=("sleep", "1000")),
    ):
        walk = lab.walk(Plan.of("a door", ("", [Spawn(child="bakery"), _BAKERY_8080, parting]))).goto(2)
        assert [port.process for port in lab.snapshot("net").of_type(Port)] == ["bakery"]
        assert str(walk.next().diff.only("net")) == "- port 8080 of 0.0.0.0 in net#1: bakery listens"


def test_a_missing_step_shows_inside_or_only_to_the_neighbours(lab: Lab) -> None:
    plan = lab.plans.container("busybox", ["sleep", "1000"], name="bakery")
    rows = [line.split()[-1] for line in beside.leave_out(lab, plan, *beside.TRIES).splitlines()[1:]]
    switch = "EACCES" if lab.rootless else "works"  # it belongs to the machine's root, whom a user namespace lacks
    assert rows == ["EINVAL", "ENOENT", "ENOENT", "works", switch, "works"]


@pytest.mark.skipif(os.geteuid() != 0, reason="there is no rootless tiny: it is a page, and root's")
def test_tiny_and_a_plan_lead_to_the_same_container(lab: Lab) -> None:
    lab.walk(lab.plans.container("busybox", ["sleep", "1000"], name="bakery")).run()
    other = beside.run_tiny(lab, beside.tiny())
    alike, different = beside.compare(lab.snapshot(*PROBES), "bakery", other).splitlines()
    assert alike.endswith("kinds of namespaces, pid inside, root, mounts, links, rights")
    assert different == "different: host name (bakery, tiny), cgroup (/bakery, /host)"


def test_who_runs_more_processes_gets_more_of_a_cpu(lab: Lab) -> None:
    lab.take_all(crowding.crowd(bakery=1, radio=3))
    spent = bare.shares(lab, "bakery", "radio")
    assert round(spent["radio"] / spent["bakery"]) == 3
