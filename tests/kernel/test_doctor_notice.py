"""A lesson whose needs are not met says so at its top, and goes on from its recording where there is one."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from stage import ROOT, grant, play

from labkit import Lab, learn
from labkit.doctor import notice, picture

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="setting the stage needs root"),
    pytest.mark.skipif(
        not all(place.stat().st_mode & 0o005 == 0o005 for place in (ROOT, *ROOT.parents)),
        reason="other users cannot read this checkout",
    ),
]

BEGIN = """
import io
from labkit import Lab, learn
def begin(name):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), Lab(learn.lesson(name)) as lab:
        return [lab.backend.name, lab.recorded, said.getvalue().splitlines()]
print(json.dumps({name: told(lambda: begin(name)) for name in NAMES}))
"""


def begun(*names: str, user: str = "nobody", prefix: str = "", **environment: str) -> dict[str, Any]:
    """What the lab of each lesson is, and what is said at the top, for a user without privileges."""
    program = BEGIN.replace("NAMES", json.dumps(names))
    told: dict[str, Any] = play(program, grant(user), prefix=prefix, **environment)
    return told


def test_a_lesson_that_lacks_something_goes_on_as_it_was_recorded() -> None:
    told = begun("nb02", "nb03", "nb05", "nb06")
    backend, recorded, lines = told["nb02"]
    assert backend == "replay" and recorded.startswith("recorded on Linux ")
    assert lines[0] == "Lesson 02 needs what this machine has not."
    assert lines[1].startswith("  cgroups ") and "a lab has none of its own" in lines[1]
    assert lines[2:4] == [
        "    likely:  the cgroup that you are in is not yours: none was delegated",
        "    do:      systemd-run --user --scope -p Delegate=yes ./lab up",
    ]
    assert lines[4:] == [f"It goes on as it was {recorded}: take the steps that the lesson takes."]
    assert "user ids one" in told["nb05"][2][1], "each lesson is told of what it needs itself"
    assert told["nb06"][0] == "replay" and told["nb06"][2][1].startswith("  cgroups ")
    assert told["nb03"] == ["live", "", []], "what this lesson needs is there"


def test_where_no_lab_opens_the_cause_is_told() -> None:
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces"
    prefix = f"unshare --user --map-current-user --keep-caps sh -c '{forbid}; exec \"$@\"' -"
    backend, recorded, lines = begun("nb03", prefix=prefix)["nb03"]
    assert backend == "replay" and recorded
    assert lines[1].startswith("  lab does not open: the lab cannot be set up: unshare: No space left on device")
    assert "  switches user.max_user_namespaces is 0" in lines
    assert "    do:      sudo sysctl -w user.max_user_namespaces=15000" in lines


def test_who_insists_on_a_live_lab_is_told_what_is_refused_there() -> None:
    backend, recorded, lines = begun("nb02", LABKIT_BACKEND="live")["nb02"]
    assert (backend, recorded) == ("live", "")
    assert lines[-1] == "It goes on live; the steps that need it are refused, all others work."


def test_who_asks_for_a_recording_is_not_told_what_it_replaces() -> None:
    backend, recorded, lines = begun("nb02", LABKIT_BACKEND="replay")["nb02"]
    assert backend == "replay" and recorded and lines == []


def test_a_lesson_that_has_all_that_it_needs_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    notice.of.cache_clear()
    with Lab(learn.lesson("nb05")) as lab:
        assert lab.backend.name == "live"
        assert lab.generation == 1, "what was tried was tried in another lab"
    assert capsys.readouterr() == ("", "")


def test_the_notice_has_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_WAY", "sudo")
    notice.of.cache_clear()
    lacks = notice.of("nb03").lacks
    notice.of.cache_clear()
    picture.install()
    bundle = notice.Notice("nb03", lacks, "recorded on Linux 6.1")._repr_mimebundle_()
    assert "LABKIT_WAY=sudo" in bundle["text/plain"] and "root needs no sudo" in bundle["text/html"]
