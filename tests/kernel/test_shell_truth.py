"""Shell truth: the script of a plan, run by bash in a fresh lab host, leads to the same state as the plan.

Two shells never look like two actors in everything: they have other pids, other names, and helpers
(``unshare --fork`` waits for its child). So a state is first put into words that know nothing of this: only
the processes of the plan count, each namespace is called after who is in it, and a pid is "1" or "another".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

import pytest
from fitting import fitting, refused
from hypothesis import HealthCheck, assume, given, settings
from step_examples import EXAMPLES
from strategies import plans

from labkit import Lab
from labkit.cgroups import Limits
from labkit.linux.constants import SIGTERM
from labkit.namespaces.files import WriteFile
from labkit.namespaces.mounts import Mount
from labkit.namespaces.names import MakeMessageQueue
from labkit.namespaces.privileges import DropCapabilities, NewSessionKeyring
from labkit.namespaces.processes import Exec, Kill
from labkit.namespaces.reading import ReadFile, text
from labkit.namespaces.roots import Chroot, EscapeChroot, PivotRoot
from labkit.namespaces.spawn import Join, Spawn, Unshare
from labkit.steps.fact import PROBES, Fact, File, Namespace, Process
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Diff, Snapshot
from labkit.steps.step import Step

SCRIPT, LOG = "/run/script", "/run/script.log"
#: files that are there because there is a script: itself, what it says, and the notebook that mount(8) keeps
SCAFFOLD = (SCRIPT, LOG, "/run/mount", "/run/mount/utab", "/run/mount/utab.lock")
PATIENCE, REST = 20.0, 1.0  # seconds for the script to end, and for what it started to come to rest
_NUMBERED = re.compile(r"\b(mnt|pid|user|uts|ipc|net|cgroup|time)#\d+")


# a state in words that hold for shells and actors alike


def canonical(shot: Snapshot, plan: Plan, names: dict[int, str]) -> Snapshot:
    """The facts about the plan's processes. `names`: what the lab host's pids are called in the plan."""
    processes = {p.name: p for p in shot.of_type(Process)}
    called = {old: names.get(p.pids[0], "") for old, p in processes.items()}
    spaces = {n.name: _called(n, called) for n in shot.of_type(Namespace)}

    def word(value: object) -> object:
        if isinstance(value, str):
            return _NUMBERED.sub(lambda found: spaces.get(found.group(), "gone"), called.get(value, value))
        return value

    return Snapshot.of(PROBES, _facts(shot, plan, processes, called, spaces, word))


def _called(namespace: Namespace, called: dict[str, str]) -> str:
    who = sorted(filter(None, (called.get(member, "") for member in namespace.members)))
    held = sorted(by for by in namespace.held_by if by.startswith("mount "))
    return f"{namespace.kind} of {' '.join(who or held) or 'nobody'}"


def _facts(shot, plan, processes, called, spaces, word) -> Iterator[Fact]:  # type: ignore[no-untyped-def]
    programs = {step.who for step in plan if isinstance(step, Exec)}
    for fact in shot:
        if isinstance(fact, File) and fact.path in SCAFFOLD:
            continue
        values = {f.name: word(getattr(fact, f.name)) for f in fields(fact)}
        if isinstance(fact, Process):
            name = called[fact.name]
            if not name:
                continue
            parent = processes.get(fact.parent)
            while parent and not called[parent.name]:
                parent = processes.get(parent.parent)
            pids = tuple(1 if pid == 1 else 0 for pid in fact.pids)
            comm = fact.comm if name in programs else ""
            yield Process(name, pids, called[parent.name] if parent else "", comm, fact.state_of_life)
        elif isinstance(fact, Namespace):
            members = tuple(sorted(filter(None, (called.get(m, "") for m in fact.members))))
            held = tuple(sorted(by for by in fact.held_by if by.startswith("mount ")))
            if members or held:
                yield replace(fact, name=spaces[fact.name], owner=word(fact.owner), parent=word(fact.parent),
                              members=members, held_by=held)  # fmt: skip
        elif "process" in values and not values["process"]:
            continue  # about a helper
        elif str(values.get("ns", "")).endswith(" of nobody"):
            continue  # about a namespace in which only a helper is
        else:
            yield replace(fact, **values)


# the two ways


def by_steps(lab: Lab, plan: Plan) -> Snapshot:
    lab.reset()
    lab.ready(plan)
    lab.take_all(plan.steps)
    if any(isinstance(step, Exec) for step in plan):
        time.sleep(REST / 4)  # a program may do something of its own, become another one for instance
    shot = lab.snapshot(*PROBES)
    return canonical(shot, plan, {p.pids[0]: p.name for p in shot.of_type(Process)})


def begin(lab: Lab, plan: Plan) -> None:
    """Start the script in a fresh lab host, its output going to `LOG`."""
    lab.reset()
    lab.ready(plan)
    run = f"exec bash -eu {SCRIPT} >>{LOG} 2>&1 </dev/null"
    lab.take_all([WriteFile(path=SCRIPT, text=plan.as_shell()), WriteFile(path=LOG, text="")])
    lab.take_all([Spawn(child="script"), Exec(who="script", argv=("bash", "-c", run))])


def over(lab: Lab) -> bool:
    """Whether the script has ended, or has done all it does and waits for what it has started."""
    return "script" not in {p.name for p in lab.snapshot("processes").of_type(Process)} or " is pid " in said(lab)


def said(lab: Lab) -> str:
    return text(lab.take(ReadFile(path=LOG)))


def seen(lab: Lab, plan: Plan) -> Snapshot:
    """What the script has done so far."""
    shot = lab.snapshot(*PROBES)
    known = {int(pid): name for name, pid in re.findall(r"^(\S+) is pid (\d+)$", said(lab), re.M)}
    own = {p.pids[0]: p.name for p in shot.of_type(Process) if p.name in ("init", "host")}
    return canonical(shot, plan, known | own)


def agree(lab: Lab, plan: Plan, *, apart_from: tuple[str, ...] = ()) -> None:
    """Run both and compare, giving the script time to come to rest; `apart_from`: probes that are not compared."""
    expected = by_steps(lab, plan)
    begin(lab, plan)
    kept = [probe for probe in PROBES if probe not in apart_from]
    until(lambda: over(lab), PATIENCE)
    until(lambda: not Diff.between(expected.only(kept), seen(lab, plan).only(kept)), REST)
    difference = Diff.between(expected.only(kept), seen(lab, plan).only(kept))
    assert not difference, f"\n{difference}\n--- the script says\n{said(lab)}\n--- the script\n{plan.as_shell()}"


def alone(lab: Lab) -> bool:
    """Whether nobody is there but the lab host's own two."""
    return {p.name for p in lab.snapshot("processes").of_type(Process)} == {"init", "host"}


def until(true: Callable[[], bool], patience: float) -> None:
    """Wait until it is so, at most so many seconds."""
    deadline = time.monotonic() + patience
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)


# the container

ALL = ("mnt", "pid", "user", "uts", "ipc", "net", "cgroup")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"init": True},
        {"user": 1000, "workdir": "/tmp"},
        {"hostname": "alpha", "env": {"A": "it's $A"}},
        {"namespaces": ("uts", "pid")},
        {"namespaces": ("mnt", "pid", "uts")},
        {"namespaces": ()},
        {"namespaces": ALL},
        {"namespaces": ALL, "user": 1000, "init": True},
        {"limits": Limits(devices=["c 1:3 rw"])},
    ],
    ids=str,
)
def test_the_script_of_a_container_makes_the_same_container(lab: Lab, options: dict[str, object]) -> None:
    agree(lab, lab.plans.container("busybox", ["sleep", "1000"], name="c1", **options))


def test_the_script_of_a_cable_lays_the_same_cable(lab: Lab) -> None:
    container = lab.plans.container("busybox", ["sleep", "1000"], name="c1")
    agree(lab, container + lab.plans.link("c1", "10.9.0.2/24", egress="8M", ingress="4M"))


def test_a_script_that_is_ended_ends_all_it_has_started(lab: Lab) -> None:
    begin(lab, lab.plans.container("busybox", ["sleep", "1000"], name="c1", init=True))
    until(lambda: over(lab), PATIENCE)
    assert {"c1 is pid", "c1.main is pid"} <= {line.rpartition(" ")[0] for line in said(lab).splitlines()}
    lab.take(Kill(target="script", signal=SIGTERM))
    until(lambda: alone(lab), PATIENCE)
    assert alone(lab), said(lab)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Mount(who="c2", type="tmpfs", target="/nowhere"), "mount: /nowhere: mount point does not exist"),
        (Exec(who="c1", argv=("/no/such/program",)), "/no/such/program"),
        (Spawn(who="c2", child="c3", namespaces=("mnt",)), "unshare"),
        (Chroot(who="c2", path="/tmp"), "/bin/sh"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_script_that_fails_says_why_and_leaves_nobody(lab: Lab, bad: Step, words: str) -> None:
    born = [Spawn(child="c1", namespaces=("pid",)), Spawn(who="c1", child="c2")]
    begin(lab, Plan.of("fails", ("", [*born, DropCapabilities(who="c2", keep=("CAP_SYS_CHROOT",)), bad])))
    until(lambda: alone(lab), PATIENCE)
    assert alone(lab) and words in said(lab), said(lab)
    assert "c1 is pid" not in said(lab), "it went on after the step that failed"


# every kind of step

#: examples that a shell cannot follow, and why
CANNOT = {
    "Unshare the time namespace": "a shell is a new program, and exec enters the time namespace of the next child",
    "SetClockOffsets": "for the same reason it is too late to write the offsets",
    "Exec with other clocks": "for the same reason again",
    "Kill by the parent": "a shell reaps its children unasked",
    "SpawnInside": "a shell cannot give birth to a sibling",
}
#: examples in which a shell's capability sets are not those of the step: exec computes them anew
OTHER_CAPABILITIES = {
    *("MapIds", "MapIds of oneself"),
    *("Spawn with a user namespace", "Unshare the user namespace", "Join the user namespace"),
}


def _example(plan: Plan) -> object:
    why = CANNOT.get(plan.name)
    return pytest.param(plan, id=plan.name, marks=[pytest.mark.skip(reason=why)] if why else [])


@pytest.mark.parametrize("plan", [_example(plan) for plan in EXAMPLES])
def test_the_script_of_a_step_does_the_same(lab: Lab, plan: Plan) -> None:
    if why := refused(lab, plan):
        pytest.skip(why)
    agree(lab, plan, apart_from=("caps",) if plan.name in OTHER_CAPABILITIES else ())


def test_the_exceptions_are_examples() -> None:
    assert {*CANNOT, *OTHER_CAPABILITIES} <= {plan.name for plan in EXAMPLES}


# random plans


def possible(plan: Plan) -> bool:
    """Whether a shell can follow: it needs itself in each new root, and programs of its own where it forks."""
    away = {step.who for step in plan if isinstance(step, Chroot)}
    leaves = away | {step.who for step in plan if isinstance(step, (Unshare, Join)) and "mnt" in step.namespaces}
    renumbered: dict[str, bool] = {}
    for step in plan:
        if isinstance(step, Spawn) and "--fork" in step.shell() and "mnt" in step.namespaces and step.child in leaves:
            return False  # `unshare` waits in the mount namespace that the child leaves, and keeps it in view
        if isinstance(step, Spawn):
            renumbered[step.child] = renumbered.get(step.who, False) or "pid" in step.namespaces
        if isinstance(step, Join) and renumbered[step.who]:
            return False  # nsenter looks its target up in /proc, which is still that of the lab host
        if isinstance(step, PivotRoot):
            return False  # into an empty tmpfs: there is no shell in it
        if step.who in away and isinstance(step, (EscapeChroot, NewSessionKeyring, MakeMessageQueue)):
            return False  # perl wants /dev/null, and there is none in /usr
        if isinstance(step, Unshare) and {"time", "pid"} & {*step.namespaces}:
            return False  # the first command would be the init of the new pid namespace; for time see CANNOT
    return True


_QUIET = [*HealthCheck]


@settings(max_examples=25, deadline=None, suppress_health_check=_QUIET)
@given(plan=plans())
def test_the_script_of_a_random_plan_does_the_same(lab: Lab, plan: Plan) -> None:
    plan = fitting(lab, plan)
    assume(possible(plan))
    user = any(isinstance(step, Spawn) and "user" in step.namespaces for step in plan)
    agree(lab, plan, apart_from=("caps",) if user else ())


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=_QUIET)
@given(plan=plans(4, 16))
def test_the_script_of_many_random_plans_does_the_same(lab: Lab, plan: Plan) -> None:
    plan = fitting(lab, plan)
    assume(possible(plan))
    user = any(isinstance(step, Spawn) and "user" in step.namespaces for step in plan)
    agree(lab, plan, apart_from=("caps",) if user else ())
