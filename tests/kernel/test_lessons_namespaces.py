"""The exercises and faults of lessons 03 to 05: each right way is recognised, each wrong one gets its own hint."""

from __future__ import annotations

import lessons
import pytest
from lessons import Steps

from labkit import Lab, learn
from labkit.learn.lessons.nb04 import layer
from labkit.learn.lessons.nb05 import bakery, clerk
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.mounts import MakePrivate, MakeSlave, Mount, RemountReadOnly, Unmount
from labkit.namespaces.names import MakeMessageQueue, SetHostname
from labkit.namespaces.processes import Reap
from labkit.namespaces.roots import Chroot, DetachOldRoot, PivotRoot
from labkit.namespaces.spawn import Join, Spawn, Unshare
from labkit.namespaces.users import BecomeUser, MapIds

LESSONS = ("nb03", "nb04", "nb05")

_SIGN = Spawn(child="sign", namespaces=("uts",))
_NAME = SetHostname(who="sign", name="bakery")
_STUDIO = Spawn(child="studio", namespaces=("pid", "ipc"))
_MIXER = Spawn(who="studio", child="mixer")
_QUEUE = MakeMessageQueue(who="studio", key=11)
_OWN = Spawn(child="bakery", namespaces=("mnt",))
_SRV = Mount(who="bakery", type="tmpfs", target="/srv")
_CELL = [Spawn(child="cell", namespaces=("mnt",)), MakePrivate(who="cell"), layer("cell")]
_ROOT = "/run/lab/cell/root"
_PIVOT = PivotRoot(who="cell", new_root=_ROOT)
_USER = Spawn(child="bakery", namespaces=("user",))
_BOX = Spawn(who="clerk", child="box", namespaces=("user", "uts"))


def _map(outside: int, count: int = 1, who: str = "host", child: str = "bakery", deny: bool = False) -> MapIds:
    extents = ((0, outside, count),)
    return MapIds(who=who, child=child, uids=extents, gids=extents, deny_setgroups=deny)


_ROOT_INSIDE = BecomeUser(who="bakery", uid=0, gid=0)
_BOX_NAME = SetHostname(who="box", name="box")

RIGHT: dict[str, list[tuple[str, Steps]]] = {
    "nb03/own-name": [
        ("only the name", [_SIGN, _NAME]),
        ("only the name", [Spawn(child="sign"), Unshare(who="sign", namespaces=("uts",)), _NAME]),
        ("container", [Spawn(child="sign", namespaces=("uts", "mnt", "pid", "ipc")), _NAME]),
    ],
    "nb03/studio": [
        ("born inside", [_STUDIO, _MIXER, _QUEUE]),
        (
            "from outside",
            [
                _STUDIO,
                _QUEUE,
                Spawn(child="door"),
                Join(who="door", target="studio", namespaces=("pid", "ipc")),
                Spawn(who="door", child="mixer"),
            ],
        ),
    ],
    "nb04/at-home": [
        ("private", [_OWN, MakePrivate(who="bakery"), _SRV]),
        ("slave", [_OWN, MakeSlave(who="bakery"), _SRV]),
    ],
    "nb04/cell": [
        ("nothing else", [*_CELL, _PIVOT, DetachOldRoot(who="cell")]),
        ("nothing else", [*_CELL, _PIVOT, Unmount(who="cell", target="/old", lazy=True)]),
    ],
    "nb05/other-root": [
        ("one id", [_USER, _map(200000), _ROOT_INSIDE]),
        ("range", [_USER, _map(250000, 1000), _ROOT_INSIDE]),
    ],
    "nb05/rootless": [
        ("no more", [*clerk(), _BOX, _map(1000, who="clerk", child="box", deny=True), _BOX_NAME]),
        ("no more", [*clerk(), _BOX, _map(1000, who="box", child="", deny=True), _BOX_NAME]),
        (
            "more walls",
            [
                *clerk(),
                Spawn(who="clerk", child="box", namespaces=("user", "mnt", "net")),
                _map(1000, who="clerk", child="box", deny=True),
                Unshare(who="box", namespaces=("uts",)),
                _BOX_NAME,
            ],
        ),
    ],
}

WRONG: dict[str, list[Steps]] = {
    "nb03/own-name": [
        [],
        [Spawn(child="sign")],
        [_SIGN],
        [Spawn(child="sign"), _NAME, Unshare(who="sign", namespaces=("uts",))],
    ],
    "nb03/studio": [
        [],
        [Spawn(child="studio"), _MIXER],
        [_STUDIO, Spawn(child="mixer", namespaces=("pid",)), _QUEUE],
        [Spawn(child="studio", namespaces=("pid",)), _MIXER, _QUEUE],
        [_STUDIO, Spawn(who="studio", child="mixer", namespaces=("ipc",)), _QUEUE],
        [_STUDIO, _MIXER],
    ],
    "nb04/at-home": [
        [],
        [Spawn(child="bakery")],
        [Spawn(child="bakery"), _SRV],
        [_OWN],
        [_OWN, _SRV],
        [_OWN, _SRV, MakePrivate(who="bakery")],
    ],
    "nb04/cell": [
        [],
        [Spawn(child="cell")],
        [Spawn(child="cell"), layer("cell"), Chroot(who="cell", path=_ROOT)],
        _CELL,
        [*_CELL, _PIVOT],
    ],
    "nb05/other-root": [
        [],
        [Spawn(child="bakery")],
        [_USER],
        [_USER, _map(0)],
        bakery(),
        [_USER, _map(200000)],
    ],
    "nb05/rootless": [
        clerk(),
        [Spawn(child="box", namespaces=("user", "uts")), _map(1000, child="box"), _BOX_NAME],
        [*clerk(), Spawn(who="clerk", child="box")],
        [*clerk(), _BOX],
        [
            *clerk(),
            Spawn(who="clerk", child="box", namespaces=("user",)),
            _map(1000, who="clerk", child="box", deny=True),
        ],
        [*clerk(), _BOX, _map(1000, who="clerk", child="box", deny=True)],
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


def test_there_is_another_way_to_repair_each_fault(lab: Lab) -> None:
    zombies = learn.lesson("nb03").fault("full-table")
    lab.reset()
    zombies.plant(lab)
    for number, loaf in enumerate(("loaf1", "loaf2", "loaf3")):
        verdict = zombies.check(lab)
        assert not verdict and ("some are still there" in verdict.hint) == (number > 0)
        lab.take(Reap(who="bakery", target=loaf))
    assert zombies.check(lab)

    covered = learn.lesson("nb04").fault("no-recipes")
    lab.reset()
    covered.plant(lab)
    lab.take(MakeDirectory(path="/tmp/bakery/recipes"))
    assert "a new one" in covered.check(lab).hint
    lab.take(RemountReadOnly(target="/tmp/bakery"))
    assert not covered.check(lab)
    lab.take(Unmount(target="/tmp/bakery", lazy=True))
    assert covered.check(lab)


@pytest.mark.parametrize("name", LESSONS)
def test_the_quiz_can_be_put_and_answered(lab: Lab, name: str) -> None:
    lessons.has_a_quiz(lab, name, least=6)
