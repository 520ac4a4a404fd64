"""Back: for any plan, m and n, going to m and back to n leaves the machine as going to n does. Names included."""

from __future__ import annotations

import pytest
from fitting import fitting
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from strategies import plans

from labkit import Lab
from labkit.errors import WalkError
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.mounts import Bind, MakePrivate, Mount
from labkit.namespaces.names import SetDomainname, SetHostname
from labkit.namespaces.spawn import Spawn, Unshare
from labkit.steps.fact import PROBES
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Diff, Snapshot
from labkit.steps.walk import Walk

_QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def state(lab: Lab) -> Snapshot:
    return lab.snapshot(*PROBES)


def straight(lab: Lab, plan: Plan, position: int) -> Snapshot:
    """What the machine looks like after `position` steps, walked without any turn in a fresh lab host."""
    lab.reset()
    lab.walk(plan).goto(position)
    return state(lab)


def same(found: Snapshot, expected: Snapshot, walk: Walk) -> None:
    difference = Diff.between(expected, found)
    assert not difference, f"{difference}\n--- way back: {walk.way_back}\n{walk}"


def there_and_back(lab: Lab, plan: Plan, m: int, n: int) -> None:
    lab.reset()
    walk = lab.walk(plan).goto(m).goto(n)
    found = state(lab)
    assert walk.position == n and len(walk.trace) == n
    if n < m:
        assert "undone by" in walk.way_back or "because" in walk.way_back
    same(found, straight(lab, plan, n), walk)


@pytest.mark.timeout(180)  # 40 examples of up to 15 steps each: 20 s where nothing else runs, more beside other work
@settings(max_examples=40, deadline=None, suppress_health_check=_QUIET)
@given(plan=plans(), data=st.data())
def test_there_and_back_is_as_if_one_had_never_gone(lab: Lab, plan: Plan, data: st.DataObject) -> None:
    plan = fitting(lab, plan)
    n = data.draw(st.integers(0, len(plan)), label="n")
    m = data.draw(st.integers(n, len(plan)), label="m")
    there_and_back(lab, plan, m, n)


@pytest.mark.long
@settings(max_examples=800, deadline=None, suppress_health_check=_QUIET)
@given(plan=plans(4, 20), data=st.data())
def test_there_and_back_is_as_if_one_had_never_gone_for_a_long_time(lab: Lab, plan: Plan, data: st.DataObject) -> None:
    plan = fitting(lab, plan)
    n = data.draw(st.integers(0, len(plan)), label="n")
    m = data.draw(st.integers(n, len(plan)), label="m")
    there_and_back(lab, plan, m, n)


@settings(max_examples=15, deadline=None, suppress_health_check=_QUIET)
@given(plan=plans(), data=st.data())
def test_the_way_forward_again_leads_to_the_same_end(lab: Lab, plan: Plan, data: st.DataObject) -> None:
    """A back that had left something behind would stumble over it here (EEXIST), or give other names."""
    plan = fitting(lab, plan)
    assume(len(plan) > 1)
    n = data.draw(st.integers(0, len(plan) - 1), label="n")
    lab.reset()
    walk = lab.walk(plan).run().goto(n).run()
    found = state(lab)
    same(found, straight(lab, plan, len(plan)), walk)


@pytest.mark.parametrize("n", [0, 1, 4, 9, 13])
def test_the_container_goes_back_to_any_step(lab: Lab, n: int) -> None:
    plan = lab.plans.container("busybox", ["sleep", "1000"], hostname="c1")
    there_and_back(lab, plan, len(plan), n)


class Player(RuleBasedStateMachine):
    """A student at the step player: next, back, go to, reset, in any order."""

    lab: Lab

    @initialize(plan=plans(4, 9))
    def begin(self, plan: Plan) -> None:
        self.lab.reset()
        self.plan = plan = fitting(self.lab, plan)
        self.seen: dict[int, Snapshot] = {}
        self.walk = self.lab.walk(plan)

    @precondition(lambda self: self.walk.position < len(self.plan))
    @rule()
    def next(self) -> None:
        position = self.walk.position
        taken = self.walk.next()
        assert taken.number == self.walk.position == position + 1

    @precondition(lambda self: self.walk.position > 0)
    @rule()
    def back(self) -> None:
        position = self.walk.position
        self.walk.back()
        assert self.walk.position == position - 1

    @rule(data=st.data())
    def goto(self, data: st.DataObject) -> None:
        self.walk.goto(data.draw(st.integers(0, len(self.plan))))

    @rule()
    def reset(self) -> None:
        self.walk.reset()
        assert self.walk.position == 0

    @rule()
    def reset_the_lab_behind_its_back(self) -> None:
        self.lab.reset()
        self.walk.goto(self.walk.position)
        if self.walk.position:  # the walk notices when it is used next
            self.walk.goto(self.walk.position - 1)

    @invariant()
    def a_position_has_one_state(self) -> None:
        """Whatever way led here, it looks as it did the first time."""
        if hasattr(self, "walk"):
            assert [taken.step for taken in self.walk.trace] == list(self.plan.steps[: self.walk.position])
            found = state(self.lab)
            same(found, self.seen.setdefault(self.walk.position, found), self.walk)


def test_any_way_to_a_position_gives_the_same_state(lab: Lab) -> None:
    Player.lab = lab
    run_state_machine_as_test(
        Player, settings=settings(max_examples=10, stateful_step_count=8, deadline=None, suppress_health_check=_QUIET)
    )


@pytest.mark.long
def test_any_way_to_a_position_gives_the_same_state_for_a_long_time(lab: Lab) -> None:
    Player.lab = lab
    run_state_machine_as_test(
        Player, settings=settings(max_examples=300, stateful_step_count=20, deadline=None, suppress_health_check=_QUIET)
    )


# what it says of how it was done


def test_a_mount_is_undone_by_its_inverse(lab: Lab) -> None:
    walk = lab.walk(Plan.of("p", ("p", [MakeDirectory(path="/tmp/d"), Mount(type="tmpfs", target="/tmp/d")]))).run()
    generation = lab.generation
    walk.back()
    assert walk.way_back == "step 2 undone by: unmount /tmp/d"
    walk.back()
    assert walk.way_back == "step 1 undone by: remove /tmp/d"
    assert lab.generation == generation


def test_the_hostname_goes_back_to_what_it_was(lab: Lab) -> None:
    walk = lab.walk(Plan.of("p", ("p", [SetHostname(name="alpha")]))).run()
    walk.back()
    assert walk.way_back == "step 1 undone by: set the hostname to lab"
    assert not walk.next().error and walk.way_back == "", "who goes on has not just come back"


def test_unshare_cannot_be_undone_except_by_dying(lab: Lab) -> None:
    walk = lab.walk(Plan.of("p", ("p", [Spawn(child="me"), Unshare(who="me", namespaces=("uts",))]))).run()
    generation = lab.generation
    walk.back()
    assert walk.way_back == (
        "rebuilt to 1 in a fresh lab host, because step 2 (leave for new namespaces: uts): "
        "unshare cannot be undone except by dying: nobody returns to a namespace that no descriptor holds"
    )
    assert lab.generation == generation + 1


def test_an_inverse_that_is_refused_becomes_a_rebuild(lab: Lab) -> None:
    """A file was written into the directory meanwhile, so rmdir fails; a fresh machine has neither."""
    walk = lab.walk(Plan.of("p", ("p", [MakeDirectory(path="/tmp/d")]))).run()
    lab.take(MakeDirectory(path="/tmp/d/in the way"))
    walk.back()
    assert walk.way_back.startswith("rebuilt to 0 in a fresh lab host, because step 1 (make directory /tmp/d)")
    assert not [f for f in lab.facts("files") if getattr(f, "path", "").startswith("/tmp/d")]


def test_back_across_several_steps_says_each_way(lab: Lab) -> None:
    steps = [MakePrivate(), MakeDirectory(path="/tmp/d"), Bind(source="/usr", target="/tmp/d", recursive=False)]
    walk = lab.walk(Plan.of("p", ("p", [*steps, SetDomainname(name="one"), SetHostname(name="alpha")]))).run()
    walk.goto(2)
    ways = walk.way_back.split("; ")
    assert ways[0] == "step 5 undone by: set the hostname to lab"
    assert ways[1].startswith("rebuilt to 2 in a fresh lab host, because step 4 (set the NIS domain name to one)")
    assert len(ways) == 2


def test_back_after_a_failed_step_takes_away_what_it_did_by_half(lab: Lab) -> None:
    from labkit.overlay.mount import MountOverlay

    bad = MountOverlay(lower=("/nowhere",), directory="/run/lab/half", target="/run/lab/half/root")
    walk = lab.walk(Plan.of("p", ("p", [SetHostname(name="alpha"), bad]))).goto(1)
    before = state(lab)
    assert walk.next(check=False).error is not None
    assert state(lab) != before, "the directories were made before the mount failed"
    walk.goto(1)
    same(state(lab), before, walk)


@pytest.mark.parametrize(
    ("move", "words"), [("back", "beginning"), ("past", "no position 9"), ("before", "no position -1")]
)
def test_a_position_that_is_not_there_is_refused_in_words(lab: Lab, move: str, words: str) -> None:
    walk = lab.walk(Plan.of("p", ("p", [SetHostname(name="alpha")])))
    with pytest.raises(WalkError, match=words):
        if move == "back":
            walk.back()
        else:
            walk.goto(9 if move == "past" else -1)
    assert walk.position == 0 and walk.run().position == 1
