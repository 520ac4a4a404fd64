"""Steps, plans, facts and differences as data: they are made, printed, drawn, exported and stored without a kernel."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from step_examples import EXAMPLES

from labkit.container import spec
from labkit.errors import PlanError
from labkit.image.accounts import Account
from labkit.linux import syscalls
from labkit.linux.calls import Fd, Intent, Pid, Ret, mount
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.mounts import MakePrivate, Mount
from labkit.namespaces.names import SetHostname
from labkit.namespaces.processes import Exec, ServeAsInit
from labkit.namespaces.spawn import Spawn
from labkit.steps import fact, merge
from labkit.steps.backends.base import Part
from labkit.steps.call import Call, render
from labkit.steps.fact import PROBES, TYPES, Fact, Process, Uts
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Diff, Snapshot
from labkit.steps.step import Step

STEPS = [plan[-1] for plan in EXAMPLES]
KINDS = sorted({type(step) for step in STEPS} | {ServeAsInit}, key=lambda kind: kind.__name__)
CONTAINER = spec.plan(spec.Spec(name="c1", image="busybox", init=True, user=Account(1000, 1000)))
PLANS = [*EXAMPLES, CONTAINER]
named = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)


@contextlib.contextmanager
def no_kernel() -> Iterator[None]:
    """A tripwire before every way to the kernel that labkit has."""

    def tripped(*args: object, **options: object) -> Any:
        raise RuntimeError(f"the kernel was asked: {args} {options}")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("invoke", "call", "enter"):
            patch.setattr(syscalls, name, tripped)
        for name in ("open", "fork", "stat", "listdir", "readlink", "kill"):
            patch.setattr(os, name, tripped)
        for place, name in [(subprocess, "Popen"), (socket.socket, "__init__"), (Path, "open")]:
            patch.setattr(place, name, tripped)
        yield


def test_the_tripwire_is_one() -> None:
    with no_kernel(), pytest.raises(RuntimeError, match="the kernel was asked"):
        syscalls.call("getpid")


@named
def test_a_plan_prints_exports_and_says_what_it_needs_without_touching_the_kernel(plan: Plan) -> None:
    with no_kernel():
        lines, script, needs, parts = str(plan).splitlines(), plan.as_shell(), plan.needs(), plan.parts()
    assert lines[0] == f"{plan.name}: {len(plan)} steps"
    assert all(any(step.title in line for line in lines) for step in plan)
    assert script.startswith("#!/usr/bin/env bash\n") and f"# {len(plan)}. " in script
    assert all(need.partition(":")[0] in ("image", "namespace", "tool", "cgroup2", "cgroup1", "bpf") for need in needs)
    assert sum(len(part.intents) for part in parts) == sum(len([*step.calls()]) for step in plan)


@named
def test_a_plan_is_drawn_without_touching_the_kernel(plan: Plan) -> None:
    from labkit.steps import display
    from labkit.view import install

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(display, "_renderers", dict(display._renderers))
        install()
        with no_kernel():
            bundle = plan._repr_mimebundle_()
    assert bundle["text/plain"] == str(plan)
    assert str(bundle["text/html"]).count("<tr") > len(plan)


def test_a_dry_lab_walks_a_plan_and_asks_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    from labkit import Lab

    monkeypatch.setenv("LABKIT_BACKEND", "dry")
    lab = Lab()
    plan = lab.plans.container("busybox", ["true"], name="c1")
    walk = lab.walk(plan)
    with no_kernel():
        walk.next()
        walk.goto(5)
    assert [call.name for call in walk.trace.taken[0].calls] == ["mkdirat"]
    assert walk.position == 5 and {part.who for part in lab.backend.asked} == {"host", "c1"}  # type: ignore[attr-defined]
    lab.close()


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_every_script_is_one_that_bash_can_read() -> None:
    odd = [Spawn(child="it's"), Exec(who="it's", argv=("sh", "-c", "echo 'a'\nrm -rf \"$HOME\"")),
           MakeDirectory(path="/tmp/a\n# b; $(c)")]  # fmt: skip
    for plan in [*PLANS, Plan.of("a\nb", ("", odd))]:
        done = subprocess.run(["bash", "-n"], input=plan.as_shell(), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), plan.name
        comments = [line for line in plan.as_shell().splitlines() if line.startswith(f"# {len(plan)}. ")]
        assert len(comments) == 1


# steps


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_step_says_what_why_and_where_to_read_on(kind: type[Step]) -> None:
    what, why, where = (part.strip() for part in (kind.__doc__ or "").split("\n\n"))
    assert what.endswith(".") and "\n" not in what and len(what) > 10
    assert len(why.split()) > 8
    assert where.startswith("See: ") and kind.man()
    assert {*kind.probes} <= {*PROBES}


@pytest.mark.parametrize("step", STEPS, ids=[plan.name for plan in EXAMPLES])
def test_so_does_each_of_them_whatever_its_arguments(step: Step) -> None:
    what, why = step.explanation()
    assert what.endswith(".") and len(what) > 10 and len(why.split()) > 8
    assert step.summary() == what[:-1] and step.why() == why
    assert len(step.no_way_back) > 5


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_every_manual_page_that_a_step_names_exists() -> None:
    pages = sorted({page for kind in KINDS for page in kind.man()})
    assert len(pages) > 40
    if subprocess.run(["man", "-w", "2", "mount"], capture_output=True, check=False).returncode:
        pytest.skip("the manual pages of the kernel are not installed")
    asked = [(page, page.rstrip(")").partition("(")) for page in pages]
    lost = [page for page, (name, _, section) in asked
            if subprocess.run(["man", "-w", section, name], capture_output=True, check=False).returncode]  # fmt: skip
    assert lost == []


@pytest.mark.parametrize("step", STEPS, ids=[plan.name for plan in EXAMPLES])
def test_a_step_survives_json(step: Step) -> None:
    import json

    assert Step.from_json(json.loads(json.dumps(step.to_json()))) == step
    assert str(step).startswith(step.title) and "See: " in str(step)


def test_a_plan_is_cut_joined_and_thinned_by_kind() -> None:
    plan = Plan.of(
        "p", ("a", [MakePrivate(), SetHostname(name="x")]), ("none", []), ("b", [Mount(type="t", target="/t")])
    )
    assert plan.goals == (("a", 2), ("b", 1))
    assert [plan.goal_of(index) for index in range(4)] == ["a", "a", "b", ""]
    assert [type(step) for step in plan.without(MakePrivate)] == [SetHostname, Mount]
    assert len(plan.only_until(SetHostname)) == 2
    assert [*(plan + SetHostname(name="y"))][-1] == SetHostname(name="y")
    assert len(plan + plan) == 6 and (plan + plan).by_goal()[2:] == plan.by_goal()
    with pytest.raises(PlanError, match="no step Spawn"):
        plan.without(Spawn)
    with pytest.raises(PlanError, match="no step Spawn"):
        plan.only_until(Spawn)


# joining calls


def test_references_count_from_the_beginning_of_the_message() -> None:
    first = (Intent("getpid", ()), Intent("close", (Ret(0),)))
    second = (Intent("close", (Ret(0),)), Intent("clone3", ({"cgroup": Ret(1)},)), Intent("close", (Fd("x"),)))
    joined = merge.shifted([first, second])
    assert [intent.args for intent in joined] == [(), (Ret(0),), (Ret(2),), ({"cgroup": Ret(3)},), (Fd("x"),)]


def test_a_name_is_filled_in_wherever_it_stands() -> None:
    part = Part(
        "HOLE",
        (Intent("x", ("/HOLE/a", b"HOLE", (Pid("HOLE"), 1), {"k": "HOLE"}, None), "HOLE"),),
        ("HOLE.m",),
        "HOLE.m",
    )
    (filled,) = merge.renamed([part], "HOLE", "c1")
    assert filled == Part(
        "c1", (Intent("x", ("/c1/a", b"c1", (Pid("c1"), 1), {"k": "c1"}, None), "c1"),), ("c1.m",), "c1.m"
    )


# facts and differences


def _facts() -> Iterator[Fact]:
    for kind in TYPES.values():
        known = {"str": "x", "int": 1, "bool": True}
        values: dict[str, Any] = {f.name: known.get(str(f.type), ()) for f in fields(kind)}
        if kind is fact.Credentials:
            values |= dict.fromkeys(("uids", "gids"), (1, 1, 1, 1))
        if kind is fact.File:
            values |= {"size": 1, "device": None}
        yield kind(**values)


@pytest.mark.parametrize("one", [*_facts()], ids=lambda one: type(one).__name__)
def test_a_fact_survives_json_and_says_what_it_is_about(one: Fact) -> None:
    import json

    assert fact.from_json(json.loads(json.dumps(fact.to_json(one)))) == one
    assert one.probe in PROBES and str(one).startswith(one.title)
    assert one.about and all(hasattr(one, name) for name in one.about) and one.subject[0] == type(one).__name__


def test_a_difference_tells_change_from_loss_and_gain() -> None:
    before = Snapshot.of(("uts", "processes"), [Uts("uts#1", "lab"), Process("a", (3,), "host", "sh")])
    after = Snapshot.of(("uts", "processes"), [Process("b", (4,), "host", "sh"), Uts("uts#1", "alpha")])
    diff = Diff.between(before, after)
    assert [change.sign for change in diff] == ["-", "+", "~"]
    assert str(diff.only("uts")) == "~ names in uts#1: hostname lab -> alpha"
    assert str(Diff.between(before, before)) == "(nothing that a probe of this step can see)"
    assert [change.sign for change in Diff.between(after, before)] == ["+", "-", "~"]


def test_a_snapshot_has_one_order_whatever_order_it_was_made_in() -> None:
    facts = [Uts("uts#2", "b"), Uts("uts#1", "a"), Process("z", (3,), "", "sh"), Process("a", (4,), "", "sh")]
    assert Snapshot.of(("processes", "uts"), facts) == Snapshot.of(("uts", "processes"), reversed(facts))
    assert [type(each) for each in Snapshot.of(PROBES, facts)] == [Process, Process, Uts, Uts]
    assert Snapshot.of(PROBES, facts).only(["uts"]).probes == ("uts",)


# calls


@pytest.mark.parametrize(
    ("intent", "text"),
    [
        (mount(None, "/", None, 0x44000), 'mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)'),
        (Intent("openat", (-100, "/a\n", 0o2000000, 0)), 'openat(AT_FDCWD, "/a\\n", O_RDONLY|O_CLOEXEC, 0)'),
        (Intent("kill", (Pid("c1"), 9)), "kill(pid of c1, SIGKILL)"),
        (Intent("close", (Ret(0),)), "close(fd)"),
        (Intent("rt_sigprocmask", (0, (1, 2), None, 8)), "rt_sigprocmask(SIG_BLOCK, [HUP INT], NULL, 8)"),
        (Intent("setgroups", (2, [7, 8])), "setgroups(2, [7, 8])"),
    ],
)  # fmt: skip
def test_a_call_reads_as_strace_writes_it(intent: Intent, text: str) -> None:
    assert render(intent.name, intent.args) == text


def test_a_call_shows_no_number_that_is_another_in_the_next_run() -> None:
    assert str(Call.from_row("host", Intent("clone3", ({"flags": 0},), "c"), [4711, 0, 9, None])).endswith("= pid")
    assert str(Call.from_row("host", Intent("setsid", ()), [-1, 1, 9, None])) == "setsid() = -1 EPERM"
    refused = Call.from_row("host", Intent("unshare", (0,)), [-1, 22, 0, {"refused": "no"}])
    assert str(refused) == "unshare(0)   not made: no" and refused.failed
