"""Plans for the lab at hand: without root it makes no devices, and has cgroups and ids only as they were granted.

That it refuses these things, with reason and remedy, is shown in kernel/test_ways.py.
"""

from __future__ import annotations

from dataclasses import replace

from labkit import Lab
from labkit.cgroups.places import ROOT_V1
from labkit.namespaces.filesystems import BuildDev
from labkit.namespaces.roots import Chroot, EscapeChroot
from labkit.namespaces.spawn import Spawn
from labkit.namespaces.users import MapIds
from labkit.steps.plan import Plan
from labkit.steps.step import Step


def refused(lab: Lab, plan: Plan) -> str:
    """Why the lab cannot take this plan; empty if it can."""
    for step in plan:
        if _in_cgroups(step) and not lab.lacking.cgroups:
            return "no cgroup was delegated to who runs the tests"
        if "bpf" in step.needs() and lab.rootless:
            return "a rootless lab gives the kernel no program"
        if _in_devices(step) and lab.info["controllers"].get("devices") != 1:
            return "there is no tree of version 1 for devices"
        if isinstance(step, BuildDev) and not step.bind and lab.rootless:
            return "a rootless lab makes no devices"
        if isinstance(step, MapIds) and not all(lab.lacking.has_ids(*extent[1:]) for extent in step.uids):
            return "this rootless lab has too few ids"
    return ""


def fitting(lab: Lab, plan: Plan) -> Plan:
    """The plan with each such step replaced by one that the lab can take, or left out."""
    ids = lab.lacking.for_containers()
    # who walks out of a root makes a directory at its top, and that is read-only without root: who cannot, stays out
    stay = {step.who for step in plan if isinstance(step, EscapeChroot)} if lab.rootless else set()
    steps: list[Step] = []
    for step in plan:
        if "cgroup2" in step.needs() and not isinstance(step, Spawn) and not lab.lacking.cgroups:
            continue
        if ("bpf" in step.needs() or _in_devices(step)) and refused(lab, type(plan).of("", ("", [step]))):
            continue
        if isinstance(step, Spawn) and not lab.lacking.cgroups:
            steps.append(replace(step, cgroup=""))
        elif isinstance(step, BuildDev) and lab.rootless:
            steps.append(replace(step, bind=True))
        elif isinstance(step, (Chroot, EscapeChroot)) and step.who in stay:
            continue
        elif isinstance(step, MapIds) and not all(lab.lacking.has_ids(*extent[1:]) for extent in step.uids):
            steps.append(replace(step, uids=ids, gids=ids))
        else:
            steps.append(step)
    return type(plan).of(plan.name, (plan.name, steps))


def _in_cgroups(step: Step) -> bool:
    return "cgroup2" in step.needs() or (isinstance(step, Spawn) and bool(step.cgroup))


def _in_devices(step: Step) -> bool:
    """Whether it is about the tree of version 1 for devices, if only to make a cgroup there."""
    return "cgroup1:devices" in step.needs() or getattr(step, "path", "").startswith(f"{ROOT_V1}/devices/")
