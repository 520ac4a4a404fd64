"""The scenes of lesson 02: a container as a plan, and a plan as a container."""

from __future__ import annotations

from typing import Any

from labkit.learn.judging import LabLike
from labkit.namespaces.processes import Exec
from labkit.steps.plan import Plan


def box(lab: Any, **options: Any) -> Plan:
    """What a lab of this kind (root, rootless, without cgroups) takes to make a container, but for the program."""
    plan: Plan = lab.plans.container("busybox", **options)
    return plan.without(Exec)


def build(lab: LabLike, plan: Plan) -> None:
    """Carry it out, with what it is made from."""
    lab.ready(plan)
    lab.take_all(plan.steps)
