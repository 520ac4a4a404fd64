"""Containers side by side: with a step and without it; built by a plan and by tiny.py."""

from __future__ import annotations

import ast
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import labkit
from labkit.cgroups.make import MakeCgroup
from labkit.container.spec import LAB
from labkit.errors import LabError, StepError, errno_name
from labkit.learn import seen
from labkit.learn.asking import Renewable
from labkit.linux.nsfs import KINDS
from labkit.namespaces.files import WriteFile
from labkit.namespaces.filesystems import BuildDev, HidePaths, MountProc, MountSysfs
from labkit.namespaces.mounts import MakePrivate, Mount
from labkit.namespaces.names import LoopbackUp, SetHostname
from labkit.namespaces.privileges import DropCapabilities, NoNewPrivileges
from labkit.namespaces.processes import Exec
from labkit.namespaces.reading import ReadFile
from labkit.namespaces.roots import DetachOldRoot, PivotRoot
from labkit.namespaces.spawn import Spawn, Unshare
from labkit.overlay.mount import MountOverlay
from labkit.steps import fact
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

IMAGE = f"{LAB}/images/busybox"
_PATIENCE = 5.0  # seconds for tiny.py to build its container

#: the steps of lesson 02, before the program moves in; an engine takes a few more
FIFTEEN: tuple[type[Step], ...] = (
    MakeCgroup, Spawn, Unshare,
    MakePrivate, MountOverlay, PivotRoot, MountProc, MountSysfs, BuildDev, DetachOldRoot,
    SetHostname, LoopbackUp,
    HidePaths, DropCapabilities, NoNewPrivileges,
)  # fmt: skip
#: kinds of steps that can be left out of the bakery's plan: what it tries at the end, in words and as a step
TRIES: dict[type[Step], tuple[str, Step]] = {
    MakePrivate: ("read its /proc", ReadFile(who="bakery", path="/proc/self/status")),
    MountProc: ("read its /proc", ReadFile(who="bakery", path="/proc/self/status")),
    BuildDev: ("read /dev/zero", ReadFile(who="bakery", path="/dev/zero")),
    DetachOldRoot: ("read the server's files", ReadFile(who="bakery", path="/old/etc/passwd")),
    HidePaths: ("set a kernel switch", WriteFile(who="bakery", path="/proc/sys/kernel/domainname", text="bakery")),
    DropCapabilities: ("mount a disk", Mount(who="bakery", type="tmpfs", target="/mnt")),
}


def fifteen(plan: Plan) -> Plan:
    """The plan of a container without what is not among the fifteen."""
    others = {type(step) for step in plan} - {*FIFTEEN, Exec}
    return plan.without(*others) if others else plan


def leave_out(lab: Renewable, plan: Plan, *kinds: type[Step]) -> str:
    """For each kind of step: what the bakery tries, how it goes in the whole container, and how without that step."""
    rows = [("left out", "the bakery tries to", "whole", "without the step")]
    for kind in kinds:
        words, attempt = TRIES[kind]
        rows.append((kind.__name__, words, _goes(lab, plan, attempt), _goes(lab, plan.without(kind), attempt)))
    return "\n".join(f"{a:<17} {b:<24} {c:<7} {d}".rstrip() for a, b, c, d in rows)


def _goes(lab: Renewable, plan: Plan, attempt: Step) -> str:
    lab.reset()
    lab.ready(plan)
    try:
        lab.take_all(plan.without(Exec).steps)
    except StepError as error:
        return f"there is no container: {error.call.partition('(')[0]}, {errno_name(error.errno)}"
    try:
        lab.take(attempt)
    except StepError as error:
        return errno_name(error.errno)
    return "works"


def tiny(function: str = "") -> str:
    """The page labkit/tiny.py, or one function of it, as text: it can be read where it cannot be imported."""
    page = Path(labkit.__file__).with_name("tiny.py").read_text(encoding="utf-8")
    if not function:
        return page
    found = next(node for node in ast.parse(page).body if isinstance(node, ast.FunctionDef) and node.name == function)
    return "".join(page.splitlines(keepends=True)[found.lineno - 1 : found.end_lineno])


def run_tiny(lab: Any, page: str) -> str:
    """Run `page`, the text of tiny.py, as a program of the lab host; returns the process in its container."""
    program = ("tail", "-f", "/dev/null")
    lab.take_all([Spawn(child="tiny"), Exec(who="tiny", argv=("python3", "-c", page, IMAGE, *program))])
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        # raw rows: a snapshot would give names, and to whom depends on how far tiny.py has come
        if any(row["comm"] == program[0] for row in lab.backend.look([])["processes"]):
            facts: Snapshot = lab.snapshot("processes")
            return next(process.name for process in facts.of_type(fact.Process) if process.comm == program[0])
        time.sleep(0.02)
    if lab.rootless:
        raise LabError(
            "tiny.py has not built its container", likely="it makes device nodes, which only the machine's root may",
            look="./lab up --sudo-rule gives you labs as root",
        )  # fmt: skip
    raise LabError("tiny.py has not built its container", look="print(lab.snapshot('processes'))")


def compare(facts: Snapshot, one: str, other: str) -> str:
    """What two containers have in common and in what they differ, in two lines."""
    alike, different = [], []
    first, second = _traits(facts, one), _traits(facts, other)
    for trait, value in first.items():
        if value == second[trait]:
            alike.append(trait)
        else:
            different.append(f"{trait} ({_unlike(value, second[trait])})")
    return f"the same:  {', '.join(alike)}\ndifferent: {', '.join(different) or 'nothing'}"


def _unlike(one: object, other: object) -> str:
    """In what two values differ: of tables the rows that only one of them has, by their first column."""
    if isinstance(one, set) and isinstance(other, set):
        return ", ".join(sorted({row[0] if isinstance(row, tuple) else row for row in one ^ other}))
    return f"{one}, {other}"


def _traits(facts: Snapshot, who: str) -> dict[str, object]:
    rights = seen.one(facts, fact.Credentials, process=who)
    mounts = {
        (m.mountpoint, m.layer, m.type, m.root, _flags(m.options), m.propagation) for m in seen.mounts(facts, who)
    }
    links = seen.every(facts, fact.Link, ns=seen.namespace(facts, who, "net"))
    place = seen.one(facts, fact.CgroupMembership, process=who)
    return {
        "kinds of namespaces": {kind for kind in KINDS if seen.apart(facts, who, kind)},
        "pid inside": seen.own_pid(facts, who),
        "root": seen.root(facts, who),
        "mounts": mounts,
        "links": {(link.name, link.up) for link in links},
        "rights": replace(rights, process="") if rights else None,
        "host name": seen.hostname(facts, who),
        "cgroup": place.path if place else "",
    }


def _flags(options: str) -> frozenset[str]:
    """Mount flags; when the time of access is written down makes no wall."""
    return frozenset(options.split(",")) - {"relatime", "strictatime"}
