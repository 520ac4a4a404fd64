"""Stable text: everything public has a text worth reading, the same in every run and on every machine.

One scene is played in several fresh labs, and in two Pythons at once; all that it shows must be the same,
letter for letter, and hold nothing that only this machine or this run could have put there.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit import Lab, learn
from labkit.errors import LabError
from labkit.namespaces.mounts import Mount
from labkit.namespaces.names import MakeMessageQueue
from labkit.namespaces.processes import Exec
from labkit.namespaces.spawn import Hold, Join, Spawn
from labkit.namespaces.users import MapIds
from labkit.steps.fact import PROBES
from labkit.steps.plan import Plan
from labkit.view import pictures

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("mnt", "pid", "user", "uts", "ipc", "net", "cgroup", "time")
_STEPS = [
    Spawn(child="one", namespaces=("pid", "uts")),
    Spawn(who="one", child="two", namespaces=("user", "mnt")),
    Exec(who="two", argv=("sleep", "1000")),
    Spawn(child="three", namespaces=("user",)),
    MapIds(child="three"),
    MakeMessageQueue(key=7),
    Hold(target="one", namespace="uts", path="/run/ns/one"),
    Spawn(child="four", namespaces=("net",)),
    Join(who="four", target="three", namespaces=("user",)),
    Mount(type="tmpfs", target="/mnt", data="size=1024k"),
]


def text(value: Any) -> str:
    """The text/plain of a value, as a notebook asks for it."""
    plain: str = value._repr_mimebundle_()["text/plain"]
    assert plain == str(value)
    return plain


def scene(lab: Lab) -> dict[str, str]:
    """Everything that there is to look at, by what it is."""
    shown: dict[str, str] = {"lab": text(lab)}
    container = lab.plans.container("busybox", ["sleep", "1000"], name="c1", namespaces=KINDS, user=1000, init=True)
    plans = [Plan.of("a scene", ("whatever there is", _STEPS)), container]
    for number, plan in enumerate(plans):
        walk = lab.walk(plan)
        shown[f"plan {number}"], shown[f"walk {number}, begun"] = text(plan), text(walk)
        while walk.position < len(plan):
            taken = walk.next()
            name = f"plan {number}, step {taken.number}"
            shown |= {
                f"{name}, itself": text(taken.step),
                f"{name}, taken": text(taken),
                f"{name}, diff": text(taken.diff),
            }
            shown |= {f"{name}, call {n}": text(call) for n, call in enumerate(taken.calls)}
        shown[f"trace {number}"] = text(walk.trace)
        shown[f"facts {number}"] = text(lab.snapshot(*PROBES))
        shown |= {f"picture {number}, {name}": text(getattr(pictures, name)(lab)) for name in pictures.PROBES}
        shown[f"picture {number}, call_strip"] = text(pictures.call_strip(walk.trace))
        walk.goto(len(plan) // 2)
        shown[f"walk {number}, back"] = text(walk) + walk.way_back
    shown |= errors(lab)
    lab.reset()
    web = lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
    shown |= {"container": text(web), "container, ended": text(lab.run("busybox", ["sh", "-c", "echo hi; exit 3"]))}
    shown["facts of a container"] = "\n".join(map(str, web.facts(*PROBES)))
    lesson = learn.lesson("nb03")
    fault = lesson.fault("full-table").plant(lab)
    shown |= {"fault": text(fault), "verdict": text(fault.check()), "check": text(lesson.check("studio").run(lab))}
    shown |= {"quiz": text(lesson.quiz.sit(lab)), "lesson": text(lesson)} if lesson.quiz else {}
    return shown


def errors(lab: Lab) -> dict[str, str]:
    """Errors of several kinds, as a cell would show them."""
    lab.reset()
    walk = lab.walk(Plan.of("p", ("p", [Mount(type="tmpfs", target="/nowhere")])))
    tried: list[Callable[[], object]] = [
        walk.next,
        walk.back,
        lambda: walk.goto(9),
        lambda: lab.run("no-such-image"),
        lambda: lab.run("/no/such/path"),
        lambda: lab.run("busybox", []),
        lambda: lab.run("busybox", hostname="x" * 65),
        lambda: lab.take(Exec(who="x", argv=("y",))),
        lambda: lab.run("busybox", ["true"], workdir="/nowhere"),
        lambda: lab.run("busybox", ["no-such-program"]).logs(),
    ]
    shown = {}
    for number, act in enumerate(tried):
        try:
            shown[f"no error {number}"] = str(act())
        except LabError as error:
            shown[f"error {number}"] = "\n".join(error._render_traceback_())
    return shown


def differences(one: dict[str, str], other: dict[str, str]) -> str:
    assert one.keys() == other.keys()
    return "\n".join(f"--- {name}\n{one[name]}\n+++\n{other[name]}" for name in one if one[name] != other[name])


def test_the_same_scene_has_the_same_text_in_every_fresh_lab(new_lab: Callable[[], Lab]) -> None:
    first = scene(new_lab())
    assert len(first) > 250 and all(first.values())
    for _ in range(2):
        assert not differences(first, scene(new_lab()))


def test_the_same_scene_has_the_same_text_in_two_pythons_at_once(lab: Lab) -> None:
    code = "import json, test_stable_text as t; lab = t.Lab(); print(json.dumps(t.scene(lab))); lab.close()"
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {[str(Path(__file__).parent), str(ROOT)]!r}; {code}"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert not differences(told[0], told[1])
    assert not differences(told[0], scene(lab))


@pytest.fixture
def numbers(lab: Lab) -> Callable[[], set[str]]:
    """All numbers that the kernel has given to what the lab holds at this moment."""

    def now() -> set[str]:
        raw = lab.backend.look(["namespaces", "mounts"])
        found = {row["pid"] for row in raw["processes"]} | {row["inode"] for row in raw["namespaces"]}
        found |= {row["id"] for row in raw["mounts"]}
        return {str(number) for number in found if number > 2000}  # smaller ones may well mean something else

    return now


def test_no_text_names_the_machine_or_the_moment(lab: Lab, numbers: Callable[[], set[str]]) -> None:
    given = numbers()
    shown = scene(lab)
    given |= numbers()
    words = [str(ROOT), str(lab.info["run"]), str(lab.info["lab"]), str(lab.info["supervisor"]), "/var/lib/labkit"]
    for name, told in shown.items():
        assert [word for word in words if word in told] == [], name
        assert given & {*re.findall(r"\d+", told)} == set(), f"{name}\n{told}"
        assert not re.search(r"0x[0-9a-f]{8,}|object at|(mnt|pid|uts|ipc|net|user):\[\d+\]", told), name
        assert not re.search(r"(?<![:\d])\d\d:\d\d:\d\d(?![:\d])", told), f"{name} tells the time of day"
        assert not re.search(r"\d (ns|µs|us|ms)\b", told), f"{name} tells the time that it took\n{told}"
