"""A process that runs labkit is shown by what it does for the lab; the fact keeps the kernel's own word."""

from __future__ import annotations

import pytest

from labkit.steps.fact import Process
from labkit.steps.snapshot import Diff, Snapshot
from labkit.view import describe, html
from labkit.view.pictures import process_tree

INIT, HOST = Process("init", (1,), "", "labkit:[host]"), Process("host", (2,), "init", "labkit:[zygote]")
BAKERY = Process("bakery", (3,), "host", "labkit:[bakery]")


@pytest.mark.parametrize(
    ("process", "runs"),
    [
        (INIT, "the lab host's init"), (HOST, "your steps"), (BAKERY, "your steps"),
        (Process("landlord", (5,), "host", "labkit:[landlor"), "your steps"),
        (Process("bakery", (3,), "host", "sleep"), "sleep"),
        (Process("poser", (9,), "host", "labkit:[zygote]"), "labkit:[zygote]"),
        (Process("poser", (9,), "host", "labkit:[host]"), "labkit:[host]"),
    ],
)  # fmt: skip
def test_what_a_process_runs(process: Process, runs: str) -> None:
    assert process.runs == runs
    assert str(process).endswith(f", runs {runs}")


def test_the_first_picture_of_the_course_has_words_that_a_student_knows() -> None:
    picture = process_tree([INIT, HOST])
    assert str(picture).splitlines()[1:] == ["init     1    the lab host's init", "└─ host  2    your steps"]
    assert "its comm: labkit:[zygote]" in picture.svg, "where the pointer rests stands what the kernel says"


def test_a_change_says_it_too_and_a_table_of_facts_has_the_comm() -> None:
    later = Process("bakery", (3,), "host", "sleep")
    diff = Diff.between(Snapshot.of(["processes"], [BAKERY]), Snapshot.of(["processes"], [later]))
    assert str(diff) == "~ process bakery: runs your steps -> sleep"
    assert describe.change("x", diff.changes)["fields"] == [["runs", "your steps", "sleep"]]
    assert "labkit:[" not in html.diff_html(diff)
    assert "labkit:[bakery]" in html.snapshot_html(Snapshot.of(["processes"], [BAKERY]))
    assert BAKERY.comm == "labkit:[bakery]"
