"""What is done with a cgroup, and the rules of its tree, which the kernel holds everybody to.

Of the controllers it depends on the machine which a lab has; files of the tree itself are there on all of them.
"""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest

from labkit import Lab
from labkit.cgroups.change import EnterCgroup, Freeze, HandDown, KillCgroup, MakeThreaded, SetLimit
from labkit.cgroups.make import MakeCgroup
from labkit.errors import StepError
from labkit.namespaces.processes import Exec
from labkit.namespaces.spawn import Spawn
from labkit.steps.fact import Cgroup, CgroupMembership, Limit, Process
from labkit.steps.plan import Plan

G = "/sys/fs/cgroup/g"


@pytest.fixture(autouse=True)
def lab_has_cgroups(lab: Lab) -> None:
    if not lab.lacking.cgroups:
        pytest.skip("no cgroup was delegated to who runs the tests")


def limits(lab: Lab) -> dict[str, str]:
    return {f"{fact.path}:{fact.file}": fact.value for fact in lab.snapshot("cgroup").of_type(Limit)}


def test_a_new_cgroup_has_no_limits(lab: Lab) -> None:
    """`FRESH` is what this kernel says, of each file that it has."""
    lab.take(MakeCgroup(path=G))
    assert not [key for key in limits(lab) if key.startswith("/g:")]


def test_a_limit_is_told_as_a_fact_and_held(lab: Lab) -> None:
    lab.take_all([MakeCgroup(path=G), SetLimit(path=G, file="cgroup.max.descendants", value="1")])
    assert limits(lab)["/g:cgroup.max.descendants"] == "1"
    lab.take(MakeCgroup(path=f"{G}/a"))
    with pytest.raises(StepError) as refused:
        lab.take(MakeCgroup(path=f"{G}/b"))
    assert refused.value.errno == errno.EAGAIN
    assert "/g/b" not in {fact.path for fact in lab.snapshot("cgroup").of_type(Cgroup)}


def test_back_leads_to_the_limit_before(lab: Lab) -> None:
    def line(value: str) -> SetLimit:
        return SetLimit(path=G, file="cgroup.max.depth", value=value)

    walk = lab.walk(Plan.of("limits", ("", [MakeCgroup(path=G), line("3"), line("5")]))).run()
    assert limits(lab)["/g:cgroup.max.depth"] == "5"
    walk.back()
    assert limits(lab)["/g:cgroup.max.depth"] == "3"
    walk.back()
    assert "/g:cgroup.max.depth" not in limits(lab)


@pytest.mark.parametrize(
    ("file", "value", "number"),
    [
        ("cgroup.max.depth", "-1", errno.ERANGE),
        ("cgroup.max.depth", "64Q", errno.EINVAL),
        ("cgroup.freeze", "2", errno.ERANGE),
        ("no.such.file", "1", errno.ENOENT),
    ],
)
def test_what_cannot_be_is_the_kernels_error(lab: Lab, file: str, value: str, number: int) -> None:
    lab.take(MakeCgroup(path=G))
    before = limits(lab)
    with pytest.raises(StepError) as refused:
        lab.take(SetLimit(path=G, file=file, value=value))
    assert refused.value.errno == number
    assert refused.value.look
    assert limits(lab) == before


def test_a_controller_works_where_all_parents_hand_it_down(lab: Lab) -> None:
    lab.take_all([MakeCgroup(path=G), MakeCgroup(path=f"{G}/h")])
    with pytest.raises(StepError, match="ENOENT") as refused:
        lab.take(HandDown(path=f"{G}/h", controllers=("pids",)))
    assert "parent does not hand it down" in (refused.value.likely or "")


def test_a_threaded_tree_has_one_top_and_takes_nobody_in_where_it_is_not_threaded(lab: Lab) -> None:
    a, b = f"{G}/a", f"{G}/b"
    lab.take_all([*(MakeCgroup(path=path) for path in (G, a, b)), MakeThreaded(path=a), Spawn(child="me", cgroup=G)])
    told = limits(lab)
    assert [told[f"{path}:cgroup.type"] for path in ("/g", "/g/a", "/g/b")] == [
        "domain threaded", "threaded", "domain invalid",
    ]  # fmt: skip
    with pytest.raises(StepError, match="EOPNOTSUPP") as refused:
        lab.take(EnterCgroup(who="me", path=b))
    assert "until it is threaded itself" in (refused.value.likely or "")
    with pytest.raises(StepError, match="EINVAL"):
        lab.take(SetLimit(path=a, file="cgroup.type", value="domain"))  # there is no way back
    lab.take_all([MakeThreaded(path=b), EnterCgroup(who="me", path=b)])
    assert "/g/b" in {f.path for f in lab.snapshot("cgroup").of_type(CgroupMembership) if f.process == "me"}


def test_who_moves_in_is_found_there_and_back_again(lab: Lab) -> None:
    walk = lab.walk(Plan.of("move", ("", [MakeCgroup(path=G), Spawn(child="me"), EnterCgroup(who="me", path=G)]))).run()

    def place() -> str:
        return next(f.path for f in lab.snapshot("cgroup").of_type(CgroupMembership) if f.process == "me")

    assert place() == "/g"
    walk.back()
    assert place() != "/g"


def test_a_cgroup_is_frozen_and_thawed(lab: Lab) -> None:
    loop = Exec(who="busy", argv=("sh", "-c", "while :; do :; done"))
    steps = [MakeCgroup(path=G), Spawn(child="busy", cgroup=G), loop, Freeze(path=G)]
    walk = lab.walk(Plan.of("freeze", ("", steps))).run()
    mine = next(path for path in Path(lab.info["cgroup"]).glob("h*/g"))

    def used() -> int:
        return int(mine.joinpath("cpu.stat").read_text().split()[1])

    while "frozen 1" not in mine.joinpath("cgroup.events").read_text():
        assert limits(lab)["/g:cgroup.freeze"] == "1"
    before = used()
    time.sleep(0.2)
    assert used() == before, "it got no time"
    walk.back()
    assert "/g:cgroup.freeze" not in limits(lab)
    until = time.monotonic() + 10
    while used() == before:
        assert time.monotonic() < until


def test_a_frozen_container_dies_when_it_is_killed(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], name="cold", detach=True)
    lab.take(Freeze(path="/sys/fs/cgroup/cold"))
    held.kill()
    assert held.wait(10) == 137


def test_a_cgroup_that_forks_is_killed_at_once(lab: Lab) -> None:
    held = lab.run("busybox", ["sh", "-c", "while :; do sleep 1000 & sleep 0.01; done"], name="bomb", detach=True)
    lab.take(KillCgroup(path="/sys/fs/cgroup/bomb"))
    assert held.wait(10) == 137
    assert {p.name for p in lab.snapshot("processes").of_type(Process)} == {"host", "init"}
