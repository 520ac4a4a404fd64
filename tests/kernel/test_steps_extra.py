"""Signals to numbers, reading with a process's eyes, and the calm that a look waits for."""

from __future__ import annotations

import time

import pytest

from labkit import Lab
from labkit.errors import StepError
from labkit.learn import seen
from labkit.linux.constants import SIGKILL, SIGTERM
from labkit.namespaces.dumpable import SetDumpable
from labkit.namespaces.files import MakeDirectory, WriteFile
from labkit.namespaces.processes import Exec, Kill, Reap, ServeAsInit
from labkit.namespaces.reading import ReadFile, text
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Spawn, Unshare
from labkit.namespaces.users import BecomeUser, MapIds
from labkit.steps.fact import File, Process
from labkit.steps.plan import Plan
from labkit.steps.step import Step

SHOP = [Spawn(child="shop", namespaces=("pid",)), Spawn(who="shop", child="oven")]
FAMILY = [*SHOP, Spawn(who="oven", child="orphan")]


@pytest.mark.parametrize("signal", [SIGTERM, SIGKILL])
def test_an_init_does_not_hear_a_signal_from_within(lab: Lab, signal: int) -> None:
    lab.take_all(SHOP)
    (call,) = lab.take(SignalPid(who="oven", pid=1, signal=signal))
    assert call.value == 0
    assert seen.life(lab.snapshot("processes"), "shop") == "runs"


def test_the_same_number_reaches_another_process_elsewhere(lab: Lab) -> None:
    lab.take_all(SHOP)
    lab.take(SignalPid(who="shop", pid=2, signal=SIGKILL))  # the lab host's pid 2 is the zygote
    facts = lab.snapshot("processes")
    assert (seen.life(facts, "oven"), seen.life(facts, "host")) == ("zombie", "runs")


def test_a_look_waits_until_the_dying_are_dead(lab: Lab) -> None:
    walk = lab.walk(Plan.of("deaths", ("", [*FAMILY, Kill(who="shop", target="oven"), Kill(target="shop")])))
    found = set()
    for _ in range(20):
        found.add(tuple(str(walk.goto(position).diff) for position in (4, 5)))
    assert len(found) == 1, "\n\n".join(map(str, found))


def test_a_look_waits_until_a_signal_has_arrived_through_an_init(lab: Lab) -> None:
    sleeper = [Exec(who="oven", argv=("sleep", "1000")), ServeAsInit(who="shop", program="oven")]
    lab.take_all([*SHOP, *sleeper])
    lab.take(Kill(target="shop", signal=SIGTERM))
    assert seen.guests(lab.snapshot("processes")) == ()


def test_a_file_is_read_with_the_eyes_of_the_process(lab: Lab) -> None:
    lab.take_all([Spawn(child="me", namespaces=("user",)), MapIds(child="me")])
    own = text(lab.take(ReadFile(who="me", path="/proc/self/uid_map"))).split()
    hosts = text(lab.take(ReadFile(path="/proc/self/uid_map"))).split()
    assert own == ["0", "100000", "65536"] != hosts


def test_uptime_follows_the_time_namespace(lab: Lab) -> None:
    from labkit.namespaces.names import SetClockOffsets

    shift = [Unshare(who="me", namespaces=("time",)), SetClockOffsets(who="me", boottime=86400)]
    lab.take_all([Spawn(child="me"), *shift, Spawn(who="me", child="old")])
    inside, outside = (float(text(lab.take(ReadFile(who=w, path="/proc/uptime"))).split()[0]) for w in ("old", "host"))
    assert 86390 < inside - outside < 86410


def test_who_has_changed_its_uid_cannot_map_before_it_is_dumpable(lab: Lab) -> None:
    clerk = [Spawn(child="clerk"), BecomeUser(who="clerk", uid=1000, gid=1000)]
    own: list[Step] = [
        Spawn(who="clerk", child="box", namespaces=("user",)),
        MapIds(who="clerk", child="box", uids=((0, 1000, 1),), gids=((0, 1000, 1),), deny_setgroups=True),
    ]
    lab.take_all(clerk)
    with pytest.raises(StepError, match="EACCES"):
        lab.take_all(own)
    lab.reset()
    lab.take_all([*clerk, SetDumpable(who="clerk"), *own])
    assert seen.id_map(lab.snapshot("processes", "namespaces", "users"), "box") == ((0, 1000, 1),)


def test_only_the_work_directories_of_layers_are_left_out_of_the_files(lab: Lab) -> None:
    lab.take_all([MakeDirectory(path="/tmp/work"), WriteFile(path="/tmp/work/note", text="mine")])
    web = lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
    assert web.exec(["sh", "-c", "mkdir /srv/work && touch /srv/work/bread"]).returncode == 0
    paths = [fact.path for fact in lab.facts("files") if isinstance(fact, File)]
    assert {"/tmp/work/note", "/run/lab/web/upper/srv/work/bread"} <= set(paths)
    assert not [path for path in paths if path.startswith(("/run/lab/web/work/", "/run/lab/root/work"))]


def test_the_lab_host_may_reap_its_own_child_and_lives_on(lab: Lab) -> None:
    """It buries its children by itself, too: who comes second finds nobody, and that is no reason to die."""
    for _ in range(5):
        lab.take_all([Spawn(child="x"), Exec(who="x", argv=("sleep", "0.05")), Reap(target="x")])
        assert {each.name for each in lab.snapshot("processes").of_type(Process)} == {"init", "host"}


def test_who_reaps_a_child_that_is_buried_already_is_told_so(lab: Lab) -> None:
    lab.take_all([Spawn(child="x"), Exec(who="x", argv=("true",))])
    while len(lab.snapshot("processes").of_type(Process)) > 2:  # the host buries it by itself
        time.sleep(0.01)
    with pytest.raises(StepError, match="nothing here is called x: it was never made, or has been closed or buried"):
        lab.take(Reap(target="x"))
