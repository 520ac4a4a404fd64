"""What is said of a step is true of its arguments, and said once; an error that a step expects is no alarm."""

from __future__ import annotations

import doctest
import json
from html import unescape
from typing import Any

import pytest

from labkit.cgroups.change import EnterCgroup, Freeze, HandDown, SetLimit
from labkit.cgroups.devices import EVERYTHING, AllowDevices
from labkit.cgroups.make import MakeCgroup
from labkit.errors import ReplayError
from labkit.linux import cgroup_units
from labkit.linux.calls import execve, mkdir
from labkit.linux.constants import EACCES, EEXIST, ENOENT, MS_BIND, MS_REMOUNT, SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from labkit.namespaces.files import MakeDirectory, Remove
from labkit.namespaces.mounts import Bind, MakePrivate, Mount, Unmount
from labkit.namespaces.ports import Listen
from labkit.namespaces.privileges import DropCapabilities
from labkit.namespaces.processes import Exec, Kill
from labkit.namespaces.roots import DetachOldRoot
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Enter, Join, Spawn, Unshare
from labkit.namespaces.users import BecomeUser, MapIds
from labkit.network.links import AddAddress, SetLink
from labkit.network.shaping import SetClass
from labkit.steps.call import Call
from labkit.steps.fact import Limit
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Diff, Snapshot
from labkit.steps.step import Step
from labkit.steps.trace import Taken, Trace
from labkit.view import describe, html, page
from labkit.view.pictures.calls import call_strip

CLASS = {"link": "eth0", "handle": "1:10", "burst": 16384}
NOTHING = Snapshot.of([], [])


@pytest.mark.parametrize(
    ("step", "said", "unsaid"),
    [
        (Spawn(child="till"), "a fork", "flag a namespace comes"),
        (Spawn(child="till"), "unshared for its children", "Start a process in new namespaces"),
        (Spawn(child="till", namespaces=("uts",)), "With each flag", "pid 1"),
        (Spawn(child="till", namespaces=("pid",)), "it is pid 1", "fork"),
        (Spawn(child="till", cgroup="/shop"), "born in its cgroup", "new namespaces."),
        (Unshare(namespaces=("uts",)), "begins with the old one's names", "stays"),
        (Unshare(namespaces=("pid",)), "stays where it is", "at once"),
        (Unshare(namespaces=("uts", "time")), "For time it stays behind", "pid"),
        (Join(target="c", namespaces=("net",)), "shared by joining", "counts for children"),
        (Join(target="c", namespaces=("pid",)), "A joined pid namespace counts for children", "time"),
        (Enter(path="/x", namespace="pid"), "counts for children", "uts"),
        (Exec(argv=("/bin/sh",)), "Namespaces, root", "PATH"),
        (Exec(argv=("sh",)), "each directory of PATH", "flag"),
        (Kill(target="c"), "Kill a process", "handle, ignore"),
        (Kill(target="c", signal=SIGTERM), "handle, ignore", "takes everything"),
        (Kill(target="c", signal=SIGSTOP), "does nothing until", "kills"),
        (Kill(target="c", signal=SIGCONT), "go on", "kills"),
        (Kill(target="c", signal=0), "send none", "kills"),
        (Mount(type="none", source="/a", target="/b", flags=MS_BIND), "the same files", "Attach a file system"),
        (Mount(type="t", target="/b", flags=MS_REMOUNT), "Change the options", "Attach a file system"),
        (Unmount(target="/x"), "refuses (EBUSY)", "MNT_DETACH"),
        (Unmount(target="/x", lazy=True), "Detach", "(EBUSY)"),
        (Bind(source="/a", target="/b", recursive=False), "does not come along", "shared"),
        (MakePrivate(target="/srv"), "this mount and its copies", "its parent"),
        (DetachOldRoot(put_old="/was"), "still there, at /was.", "/old"),
        (MapIds(), "written once", "setgroups"),
        (MapIds(deny_setgroups=True), "setgroups(2)", "root outside"),
        (BecomeUser(uid=0, gid=0), "Take on uid 0", "lost the right"),
        (BecomeUser(uid=5, gid=5), "lost the right", "uid 0 is root"),
        (Listen(port=80), "0.0.0.0 stands", "do not reach"),
        (Listen(port=80, address="127.0.0.1"), "do not reach", "0.0.0.0"),
        (DropCapabilities(keep=()), "Take away all capabilities.", "but those"),
        (Remove(path="/x", directory=True), "ENOTEMPTY", "open"),
        (MakeDirectory(path="/x"), "each mount needs one", "Every mount"),
        (MakeCgroup(path="/bakery"), "a group of processes", "container"),
        (HandDown(path="/", controllers=("cpu",), take_back=True), "Take controllers away", "Let the children"),
        (EnterCgroup(path="/x"), "0 stands", "tasks"),
        (EnterCgroup(path="memory:/x"), "tasks moves one thread", "container"),
        (Freeze(path="/x", frozen=False), "go on", "Stop"),
        (AllowDevices(path="devices:/x", rules=(EVERYTHING,)), "refuses none", "First everything is denied"),
        (SetLimit(path="/x", file="memory.max", value="1M"), "the wall", "Take away"),
        (SetLimit(path="/x", file="memory.max", value="max"), "Take away", "in force"),
        (SetLink(name="eth0", up=False), "Set a link down", "becomes a route"),
        (AddAddress(link="eth0", address="10.0.0.1/8", remove=True), "Take an address away", "Give a link"),
        (SetClass(rate=10**6, ceil=10**6, **CLASS), "borrows nothing", "up to"),
        (SetClass(rate=10**6, ceil=10**7, **CLASS), "it borrows", "borrows nothing"),
    ],
    ids=lambda value: value.title if isinstance(value, Step) else "",
)  # fmt: skip
def test_an_explanation_is_true_of_the_arguments(step: Step, said: str, unsaid: str) -> None:
    text = " ".join(step.explanation())
    assert said in text
    assert unsaid not in text
    assert step.why() in unescape(html.step_html(step))


def test_titles_are_true_of_the_arguments_too() -> None:
    assert Spawn(who="bakery", child="till").title == "start till, a fork of bakery"
    assert Unshare(namespaces=("pid",)).title == "make new namespaces for its next children: pid"
    assert Unshare(namespaces=("pid", "uts")).title == "leave for new namespaces: pid, uts"
    assert Mount(type="none", source="/a", target="/b", flags=MS_BIND).title == "bind /a to /b"
    assert MapIds(uids=()).title == "map no uid"
    assert MapIds(uids=((0, 5, 1), (1, 9, 2))).title == (
        "map uid 0 inside to 5 outside, 1 in all, uid 1 inside to 9 outside, 2 in all"
    )
    assert SetLimit(path="/x", file="memory.max", value="50331648").title.endswith("to 50331648 = 48 MiB")


def test_what_cannot_be_taken_back_is_said_of_the_arguments_too() -> None:
    assert Kill(target="c", signal=SIGKILL).no_way_back == "the dead do not come back"
    assert "dead" not in Kill(target="c", signal=SIGSTOP).no_way_back
    assert "dead" not in SignalPid(pid=1, signal=SIGTERM).no_way_back
    assert "uid 0" not in BecomeUser(uid=0, gid=0).no_way_back
    assert Mount(type="none", source="/a", target="/b", flags=MS_REMOUNT).undo(NOTHING) is None


# once


PLAN = Plan.of(
    "p", ("a", [Spawn(child="a"), Spawn(child="b"), Spawn(child="c", namespaces=("uts",)), Spawn(who="a", child="d")])
)


def test_the_second_time_an_explanation_is_folded() -> None:
    assert [describe.coming(step, number, PLAN)["again"] for number, step in enumerate(PLAN, 1)] == [
        False, True, False, True
    ]  # fmt: skip
    taken = [Taken(number, step, (), NOTHING, NOTHING) for number, step in enumerate(PLAN, 1)]
    shown = html.trace_html(Trace("p", taken))
    assert shown.count("<summary>Start a process: a fork.</summary>") == 2
    assert shown.count("Without a flag clone(2) makes no namespace") == 3, "on request it is all there"


def test_so_it_is_on_an_exported_page(monkeypatch: pytest.MonkeyPatch) -> None:
    walk: Any = type("walk", (), {"plan": PLAN, "position": 4, "trace": [
        Taken(number, step, (), NOTHING, NOTHING) for number, step in enumerate(PLAN, 1)]})  # fmt: skip
    assert page.html(walk).count("<summary>Start a process: a fork.</summary>") == 2


# expected


def made(errno: int, *, tolerated: bool) -> Call:
    intent = execve("/usr/bin/sh", ("sh",), {})
    return Call.from_row("c1", intent._replace(tolerate=(ENOENT,) * tolerated), [-1, errno, 900, None])


def test_a_call_knows_whether_its_error_was_expected() -> None:
    assert made(ENOENT, tolerated=True).expected
    assert not made(ENOENT, tolerated=False).expected
    assert not made(EACCES, tolerated=True).expected
    assert not Call.from_row("c1", mkdir("/x", tolerate=(EEXIST,)), [0, 0, 900, None]).expected
    assert str(made(ENOENT, tolerated=True)).endswith(" = -1 ENOENT, as expected")
    assert str(made(ENOENT, tolerated=False)).endswith(" = -1 ENOENT")


def test_it_is_shown_in_grey_and_not_in_red() -> None:
    expected, failed = made(ENOENT, tolerated=True), made(ENOENT, tolerated=False)
    row, other = describe.call(expected), describe.call(failed)
    assert (row["failed"], row["expected"], other["failed"], other["expected"]) == (False, True, True, False)
    assert "<strong>" not in html.call_html(expected) and "lk-dim" in html.call_html(expected)
    assert "<strong>ENOENT" in html.call_html(failed)
    strips = [call_strip(Trace("p", [Taken(1, PLAN[0], (each,), NOTHING, NOTHING)])).svg for each in (expected, failed)]
    red = [strip.count('class="lk-c6"') for strip in strips]
    assert red[0] < red[1]


def test_a_stored_trace_keeps_it_and_an_older_one_is_still_read() -> None:
    trace = Trace("p", [Taken(1, PLAN[0], (made(ENOENT, tolerated=True),), NOTHING, NOTHING)])
    text = trace.to_jsonl()
    assert Trace.from_jsonl(text).taken[0].calls[0].expected
    head, row = map(json.loads, text.splitlines())
    row["calls"][0] = row["calls"][0][:8]
    row["step"]["nonsense"] = 1
    with pytest.raises(ReplayError, match="not a trace: Spawn"):
        Trace.from_jsonl(f"{json.dumps(head)}\n{json.dumps(row)}\n")
    del row["step"]["nonsense"]
    assert not Trace.from_jsonl(f"{json.dumps(head)}\n{json.dumps(row)}\n").taken[0].calls[0].expected


# units


@pytest.mark.parametrize(
    ("file", "value", "said"),
    [
        ("memory.max", "50331648", "48 MiB"), ("memory.high", "1536", "1.5 KiB"), ("memory.low", "0", ""),
        ("memory.max", "1000", ""), ("memory.max", "max", ""), ("memory.limit_in_bytes", "67108864", "64 MiB"),
        ("memory.limit_in_bytes", "9223372036854771712", "no limit"), ("hugetlb.2MB.max", "4194304", "4 MiB"),
        ("cpu.max", "25000 100000", "0.25 CPUs"), ("cpu.max", "100000 100000", "1 CPU"), ("cpu.max", "max 100000", ""),
        ("cpu.cfs_quota_us", "25000", "25 ms"), ("cpu.cfs_quota_us", "-1", "no limit"),
        ("cpu.shares", "1024", "weight 100"),
        ("cpu.shares", "2", "weight 1"), ("cpu.weight", "100", ""), ("pids.max", "50", ""), ("cpuset.cpus", "", ""),
        ("io.max", "7:0 rbps=1048576 wbps=max riops=5000 wiops=max", "rbps 1 MiB/s"),
        ("cgroup.subtree_control", "cpu", ""),
        ("io.max", "7:0 rbps=max wbps=2048\n8:0 rbps=1048576", "wbps 2 KiB/s, rbps 1 MiB/s"),
        ("blkio.throttle.read_bps_device", "7:0 1048576", "1 MiB/s"),
        ("blkio.throttle.read_iops_device", "7:0 9999", ""),
        ("io.max rbps", "7:0 1048576", "1 MiB/s"), ("io.stat rbytes", "7:0 4096", "4 KiB"),
        ("memory.stat anon", "4096", "4 KiB"),
    ],
)  # fmt: skip
def test_a_value_has_what_it_comes_to_beside_it(file: str, value: str, said: str) -> None:
    assert cgroup_units.in_units(file, value) == said
    assert cgroup_units.beside(file, value) == (f"{value} = {said}" if said else value)


def test_facts_of_limits_and_their_changes_show_it() -> None:
    assert doctest.testmod(cgroup_units, raise_on_error=True).attempted
    one, other = Limit("/bakery", "memory.max", "33554432"), Limit("/bakery", "memory.max", "50331648")
    assert str(one) == "memory.max of cgroup /bakery: value 33554432 = 32 MiB"
    diff = Diff.between(Snapshot.of(["cgroup"], [one]), Snapshot.of(["cgroup"], [other]))
    assert str(diff) == "~ memory.max of cgroup /bakery: value 33554432 = 32 MiB -> 50331648 = 48 MiB"
    for shown in (html.diff_html(diff), html.fact_html(other), html.snapshot_html(Snapshot.of(["cgroup"], [other]))):
        assert "50331648 = 48 MiB" in shown
    assert describe.change("x", diff.changes)["fields"] == [["value", "33554432 = 32 MiB", "50331648 = 48 MiB"]]
