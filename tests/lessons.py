"""What every lesson is held to, on a real kernel: its exercises, its faults, its quiz."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import pytest
from fitting import refused

from labkit import Lab, learn
from labkit.agent.subordinate import WANTED
from labkit.cgroups.limits import Limits
from labkit.learn.needs import Need
from labkit.steps.fact import PROBES
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Diff
from labkit.steps.step import Step

Steps = Sequence[Step]


def exercises(names: Iterable[str]) -> set[str]:
    """The ids of all exercises of these lessons."""
    return {check.id for name in names for check in learn.lesson(name).checks}


def lab_has(lab: Lab, *needs: Need) -> None:
    """Skip the test where who runs it was not granted what a lesson needs: the doctor says so at the lesson's top."""
    if Need.CGROUP in needs and not lab.lacking.cgroups:
        pytest.skip("the lesson needs cgroups, and none was delegated to who runs the tests")
    names = {"io" if name == "blkio" else name for name in lab.info["controllers"]}
    wanted = {need.word.removeprefix("controller:") for need in needs if need.word.startswith("controller:")}
    if not wanted <= names:
        pytest.skip("the lesson needs controllers that this lab has not: " + ", ".join(sorted(wanted - names)))
    if Need.PRESSURE in needs and not os.path.exists("/proc/pressure/cpu"):
        pytest.skip("the lesson needs a kernel that counts who waits")
    if Need.ORDINARY_USER in needs and not lab.lacking.has_ids(1000):
        pytest.skip("the lesson needs uid 1000, and this rootless lab has only root's")
    if Need.IDS in needs and not all(lab.lacking.has_ids(*ids) for ids in WANTED):
        pytest.skip("the lesson needs more ids than this rootless lab has")


def judged(lab: Lab, identity: str, steps: Steps) -> learn.Verdict:
    """What the exercise says to `steps`, taken in a fresh lab host."""
    plan = Plan.of("a try", ("", steps))
    if why := refused(lab, plan):
        pytest.skip(why)
    lab.reset()
    lab.ready(plan)
    lab.take_all(plan.steps)
    return learn.lesson(identity[:4]).check(identity).run(lab)


def recognises(lab: Lab, identity: str, ways: Iterable[tuple[str, Steps]]) -> None:
    """Each of these steps solves the exercise, and is called by a name in which this word occurs."""
    for way, steps in ways:
        verdict = judged(lab, identity, steps)
        assert verdict.solved and way in verdict.way, verdict


def tells_apart(lab: Lab, identity: str, wrong: Iterable[Steps]) -> None:
    """None of these steps solves the exercise, and each is answered with a hint of its own."""
    verdicts = [judged(lab, identity, steps) for steps in wrong]
    assert not any(verdicts)
    hints = [verdict.hint for verdict in verdicts]
    assert len(set(hints)) == len(hints) >= 4, "\n".join(hints)


def keeps_its_models(lab: Lab, name: str) -> None:
    """All that a lesson needs is there; its model solutions solve, and its repairs leave no difference."""
    lesson = learn.lesson(name)
    assert not lesson.lacks()
    lab_has(lab, *lesson.needs)
    for check in lesson.checks:
        lab.reset()
        lab.image("busybox")
        assert not check.run(lab)
        check.solve(lab)
        assert check.run(lab)
    for fault in lesson.faults:
        lab.reset()
        if lab.lacking.cgroups:  # as with images: what has been made visible stays so
            lab.trees(lab.lacking.hold(Limits()))
        before = lab.snapshot(*PROBES)
        fault.plant(lab)
        assert not fault.check(lab)
        fault.repair(lab)
        assert fault.check(lab)
        fault.clear(lab)
        assert not Diff.between(before, lab.snapshot(*PROBES))


def has_a_quiz(lab: Lab, name: str, *, least: int) -> None:
    """Its quiz can be put, and every question has a right answer."""
    quiz = learn.lesson(name).quiz
    assert quiz is not None
    right, total = quiz.solve(lab).score
    assert right == total >= least
