"""The exercises and faults of lessons 00 to 02: each right way is recognised, each wrong one gets its own hint."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from labkit import Lab, learn
from labkit.container import spec
from labkit.learn.lessons import nb01
from labkit.linux.constants import SIGSTOP
from labkit.namespaces.files import MakeDirectory, WriteFile
from labkit.namespaces.filesystems import MountProc
from labkit.namespaces.mounts import MakePrivate, Unmount
from labkit.namespaces.names import SetHostname
from labkit.namespaces.ports import Listen
from labkit.namespaces.processes import Exec, Kill
from labkit.namespaces.roots import DetachOldRoot
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Spawn, Unshare
from labkit.steps.fact import PROBES
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Diff
from labkit.steps.step import Step

LESSONS = ("nb00", "nb01", "nb02")
Steps = Sequence[Step]

_ROOM, _LEASE = MakeDirectory(path="/tmp/school"), WriteFile(path="/tmp/school/lease", text="a room")
_THREE = nb01.tenants()
_WORKERS = nb01.workers()
_BAKERY_8080 = Listen(who="bakery", port=8080)
_KNEADER, _MIXER = 5, 6  # their pids: the bakery is 3, the radio 4


def _container(**options: object) -> list[Step]:
    return list(spec.plan(spec.Spec(image="busybox", cgroup=False, argv=("sleep", "1000"), **options)))  # type: ignore[arg-type]


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


def _after(lab: Lab, identity: str, steps: Steps) -> learn.Verdict:
    plan = Plan.of("a try", ("", steps))
    lab.reset()
    lab.ready(plan)
    lab.take_all(plan.steps)
    return learn.lesson(identity[:4]).check(identity).run(lab)


def test_every_exercise_is_tried() -> None:
    ids = {check.id for name in LESSONS for check in learn.lesson(name).checks}
    assert ids == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize("identity", RIGHT)
def test_each_right_way_is_recognised(lab: Lab, identity: str) -> None:
    for way, steps in RIGHT[identity]:
        verdict = _after(lab, identity, steps)
        assert verdict.solved and way in verdict.way, verdict


@pytest.mark.parametrize("identity", WRONG)
def test_each_wrong_way_gets_a_hint_of_its_own(lab: Lab, identity: str) -> None:
    verdicts = [_after(lab, identity, steps) for steps in WRONG[identity]]
    assert not any(verdicts)
    hints = [verdict.hint for verdict in verdicts]
    assert len(set(hints)) == len(hints) >= 4, "\n".join(hints)


@pytest.mark.parametrize("name", LESSONS)
def test_the_model_solutions_and_repairs_hold(lab: Lab, name: str) -> None:
    lesson = learn.lesson(name)
    assert not lesson.lacks()
    for check in lesson.checks:
        lab.reset()
        lab.image("busybox")
        assert not check.run(lab)
        check.solve(lab)
        assert check.run(lab)
    for fault in lesson.faults:
        lab.reset()
        before = lab.snapshot(*PROBES)
        fault.plant(lab)
        assert not fault.check(lab)
        fault.repair(lab)
        assert fault.check(lab)
        assert not Diff.between(before, lab.snapshot(*PROBES))


@pytest.mark.parametrize("name", LESSONS)
def test_the_quiz_can_be_put_and_answered(lab: Lab, name: str) -> None:
    quiz = learn.lesson(name).quiz
    assert quiz is not None
    right, total = quiz.solve(lab).score
    assert right == total >= 5
