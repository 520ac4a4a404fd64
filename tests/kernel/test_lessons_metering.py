"""Lesson 06: its exercises and faults, and what it claims of the meters. Nothing here wants an idle machine."""

from __future__ import annotations

import lessons
import pytest
from lessons import Steps

from labkit import Lab, learn
from labkit.cgroups.change import EnterCgroup, HandDown
from labkit.cgroups.make import MakeCgroup, RemoveCgroup
from labkit.cgroups.places import ROOT, ROOT_V1
from labkit.learn import metering
from labkit.learn.accounts import place
from labkit.learn.billing import BAKERY, COMPUTE, COPY, FILM, PATH, PROGRAM, RADIO, READ, RECORD
from labkit.learn.metering import MIB, cost, layer, tenants, visit
from labkit.learn.needs import COUNTING
from labkit.namespaces.processes import Kill
from labkit.namespaces.spawn import Spawn
from labkit.steps.step import Step

LESSONS = ("nb06",)


def _account(name: str, path: str) -> list[Step]:
    return [MakeCgroup(path=f"{ROOT}{path}"), Spawn(child=name, cgroup=f"{ROOT}{path}")]


_THREE = [step for name in ("bakery", "radio", "school") for step in _account(name, f"/{name}")]
_TWO = _THREE[:4]
_BAKERY, _OVEN = _account("bakery", "/bakery"), MakeCgroup(path=f"{BAKERY}/oven")
_IN_OVEN = Spawn(who="bakery", child="oven", cgroup=f"{BAKERY}/oven")

RIGHT: dict[str, list[tuple[str, Steps]]] = {
    "nb06/accounts": [
        ("beside each other", _THREE),
        ("beside each other", [*_TWO, Spawn(child="school"), MakeCgroup(path=f"{ROOT}/school"),
                               EnterCgroup(who="school", path=f"{ROOT}/school")]),
        ("the sum", [MakeCgroup(path=f"{ROOT}/all"), *_TWO, *_account("school", "/all/school")]),
    ],
    "nb06/oven": [
        ("the bakery above", [*_BAKERY, _OVEN, _IN_OVEN]),
        ("side by side", [MakeCgroup(path=BAKERY), *_account("bakery", "/bakery/shop"), _OVEN, _IN_OVEN]),
        ("the bakery above", [*_BAKERY, _OVEN, Spawn(who="bakery", child="oven"),
                              EnterCgroup(who="oven", path=f"{BAKERY}/oven")]),
    ],
}  # fmt: skip

WRONG: dict[str, list[Steps]] = {
    "nb06/accounts": [
        [],
        _TWO,
        [Spawn(child=name) for name in ("bakery", "radio", "school")],
        [*_TWO, Spawn(child="school")],
        [*_TWO, Spawn(child="school", cgroup=RADIO)],
        [*_TWO, *_account("school", "/radio/school")],
    ],
    "nb06/oven": [
        [],
        [*_BAKERY, Spawn(child="oven")],
        [*_BAKERY, Spawn(who="bakery", child="oven")],
        [*_BAKERY, MakeCgroup(path=f"{ROOT}/oven"), Spawn(who="bakery", child="oven", cgroup=f"{ROOT}/oven")],
        [MakeCgroup(path=BAKERY), _OVEN, Spawn(child="bakery"), _IN_OVEN],
    ],
}


@pytest.fixture
def counted(lab: Lab) -> Lab:
    """A lab in which all is counted that the lesson reads."""
    lessons.lab_has(lab, *COUNTING)
    return lab


def test_every_exercise_is_tried() -> None:
    assert lessons.exercises(LESSONS) == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize("identity", RIGHT)
def test_each_right_way_is_recognised(counted: Lab, identity: str) -> None:
    lessons.recognises(counted, identity, RIGHT[identity])


@pytest.mark.parametrize("identity", WRONG)
def test_each_wrong_way_gets_a_hint_of_its_own(counted: Lab, identity: str) -> None:
    lessons.tells_apart(counted, identity, WRONG[identity])


def test_the_model_solutions_and_repairs_hold(counted: Lab) -> None:
    lessons.keeps_its_models(counted, "nb06")


def test_the_quiz_can_be_put_and_answered(counted: Lab) -> None:
    lessons.has_a_quiz(counted, "nb06", least=6)


def test_the_memory_of_the_radio_can_be_counted_by_a_step(counted: Lab) -> None:
    fault = learn.lesson("nb06").fault("no-memory")
    fault.plant(counted)
    assert metering.used(counted, "radio").memory is None and metering.used(counted, "radio").cpu is not None
    if counted.info["controllers"]["memory"] == 2:
        repair: Step = HandDown(path=ROOT, controllers=("memory",))
    else:
        tree = next(words for words in counted.info["trees"] if "memory" in words.split(","))
        repair = EnterCgroup(who="radio", path=f"{ROOT_V1}/{tree}/radio")
    counted.take(repair)
    assert fault.check(counted) and metering.used(counted, "radio").memory is not None
    counted.take(EnterCgroup(who="radio", path=f"{ROOT}/host"))
    counted.take(Kill(target="radio"))
    assert "silent" in fault.check(counted).hint


def test_the_mixer_can_be_put_on_the_radios_bill(counted: Lab) -> None:
    fault = learn.lesson("nb06").fault("wrong-bill")
    fault.plant(counted)
    assert metering.used(counted, "bakery").cpu == metering.used(counted, "mixer").cpu
    counted.take(EnterCgroup(who="mixer", path=f"{ROOT}/host"))
    assert "the landlord pays" in fault.check(counted).hint
    counted.take(EnterCgroup(who="mixer", path=RADIO))
    assert fault.check(counted)
    counted.take(Kill(who="radio", target="mixer"))
    assert "off the air" in fault.check(counted).hint


def test_who_moves_leaves_its_children_behind(counted: Lab) -> None:
    counted.take_all([*_BAKERY, Spawn(who="bakery", child="oven"), MakeCgroup(path=RADIO)])
    counted.take(EnterCgroup(who="bakery", path=RADIO))
    facts = counted.snapshot("cgroup")
    assert (place(facts, "bakery"), place(facts, "oven")) == ("/radio", "/bakery")


def test_a_cgroup_in_which_only_a_zombie_is_left_can_be_removed(counted: Lab) -> None:
    born = [Spawn(child="bakery"), Spawn(who="bakery", child="oven", cgroup=BAKERY)]
    counted.take_all([MakeCgroup(path=BAKERY), *born, Kill(who="bakery", target="oven")])
    facts = counted.snapshot("processes", "cgroup")
    assert "oven" in str(facts) and place(facts, "oven") == "/bakery"
    counted.take(RemoveCgroup(path=BAKERY))


def test_a_file_in_memory_stays_counted_when_its_writer_has_ended(counted: Lab) -> None:
    [bakery] = tenants(counted, "bakery")
    written = cost(bakery, RECORD).memory
    assert written == pytest.approx(FILM * MIB, rel=0.1)
    assert cost(bakery, f"rm {PATH}").memory == pytest.approx(-written, rel=0.1)


def test_a_page_is_counted_for_who_touched_it_first(counted: Lab) -> None:
    bakery, radio, school = tenants(counted, "bakery", "radio", "school")
    written = cost(bakery, RECORD).memory
    assert visit(counted, radio, ["cat", layer(bakery, PATH)]).memory < written / 10
    advert = layer(bakery, "/srv/advert")
    before = bakery.usage()
    foreign = visit(counted, school, ["dd", "if=/dev/zero", f"of={advert}", "bs=1M", f"count={FILM}"])
    assert foreign.memory > FILM * MIB * 0.9, "in the bakery's directory, and the school pays"
    assert (bakery.usage().memory or 0) - (before.memory or 0) < foreign.memory / 10


def test_a_read_from_the_page_cache_is_no_read_of_a_disk(counted: Lab) -> None:
    [school] = tenants(counted, "school")
    size = int(school.exec(["wc", "-c", PROGRAM]).stdout.split()[0])
    cached, direct = cost(school, READ).read, cost(school, f"{READ} iflag=direct").read
    assert cached < size / 10 and direct > size * 0.9


def test_time_in_system_calls_is_told_from_time_in_the_program(counted: Lab) -> None:
    [bakery] = tenants(counted, "bakery")
    assert (cost(bakery, COMPUTE).mostly, cost(bakery, COPY).mostly) == ("user", "system")


def test_counting_divides_a_cpu_among_groups_and_no_more_among_processes(counted: Lab) -> None:
    school, bakery, radio = tenants(counted, "school", "bakery", "radio")
    bakerys, radios = 0.0, 0.0
    for _ in range(4):  # a second of a loaded machine is coarse, some seconds together are not
        slept, one, three = metering.compete({school: 0, bakery: 1, radio: 3})
        assert one.waited > 4 * slept.waited and three.waited > 4 * slept.waited
        bakerys, radios = bakerys + one.cpu, radios + three.cpu
        if abs(radios / bakerys - 1) < 0.3:
            break
    assert radios / bakerys == pytest.approx(1, abs=0.3), "among processes it would be 3"


def test_packets_are_counted_at_the_interface_of_the_container(counted: Lab) -> None:
    bakery, radio = tenants(counted, "bakery", "radio")
    bakery.exec("ping -c 1 -s 60000 127.0.0.1")
    seen = [int(each.exec("cat /sys/class/net/lo/statistics/rx_bytes").stdout) for each in (bakery, radio)]
    assert seen[0] > 100_000 and seen[1] == 0


def test_the_machine_sees_the_load_of_its_containers(counted: Lab) -> None:
    [bakery] = tenants(counted, "bakery")
    spent, busy = metering.both_sides(counted, bakery, COMPUTE)
    assert busy > spent.cpu / 10 > 0  # it counts by ticks, of which an emulated machine loses many
