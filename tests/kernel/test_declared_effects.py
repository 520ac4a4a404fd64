"""Declared effects: a step changes no fact outside its probes.

Everything is looked at before and after each step, not just what the step declares; what has changed
must be declared. For random plans, and for every kind of step at least once, so that a new kind of step
without an example here fails.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from fitting import fitting, refused
from hypothesis import HealthCheck, given, settings
from step_examples import EXAMPLES, kinds_without_example
from strategies import plans

from labkit import Lab
from labkit.steps.fact import PROBES
from labkit.steps.plan import Plan
from labkit.steps.step import Step

_QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def take_watched(lab: Lab, steps: Iterable[Step]) -> None:
    """Take `steps`, each between two looks at everything."""
    from labkit.steps.snapshot import Diff

    before = lab.snapshot(*PROBES)
    for step in steps:
        lab.take(step)
        after = lab.snapshot(*PROBES)
        changes = [change for change in Diff.between(before, after) if change.fact.probe not in step.probes]
        told = "\n".join(f"  [{change.fact.probe}] {change}" for change in changes)
        assert not changes, f"{type(step).__name__} ({step.title}) changed what it does not declare:\n{told}"
        before = after


@pytest.mark.parametrize("plan", [pytest.param(plan, id=plan.name) for plan in EXAMPLES])
def test_a_step_changes_only_what_it_declares(lab: Lab, plan: Plan) -> None:
    if why := refused(lab, plan):
        pytest.skip(why)
    lab.ready(plan)
    take_watched(lab, plan)


def test_every_kind_of_step_has_an_example() -> None:
    assert kinds_without_example() == set()


@pytest.mark.timeout(180)  # 40 examples of up to 15 steps each: 20 s where nothing else runs, more beside other work
@settings(max_examples=40, deadline=None, suppress_health_check=_QUIET)
@given(plan=plans())
def test_random_steps_change_only_what_they_declare(lab: Lab, plan: Plan) -> None:
    lab.reset()
    take_watched(lab, fitting(lab, plan))


@pytest.mark.long
@settings(max_examples=800, deadline=None, suppress_health_check=_QUIET)
@given(plan=plans(4, 20))
def test_random_steps_change_only_what_they_declare_for_a_long_time(lab: Lab, plan: Plan) -> None:
    lab.reset()
    take_watched(lab, fitting(lab, plan))


@pytest.mark.parametrize(
    "options", [{}, {"init": True}, {"user": 1000, "workdir": "/tmp"}, {"namespaces": ("uts", "pid")}]
)
def test_the_steps_of_a_container_change_only_what_they_declare(lab: Lab, options: dict[str, object]) -> None:
    plan = lab.plans.container("busybox", ["sleep", "1000"], hostname="c1", **options)
    if why := refused(lab, plan):
        pytest.skip(why)
    lab.ready(plan)
    take_watched(lab, plan)
