"""What the doctor shows: its page, its data, its text, its picture, whatever was found."""

from __future__ import annotations

import json
import re

import pytest

from labkit import cli
from labkit.doctor import Finding, Report, command, picture
from labkit.learn.needs import Need

FINE = Finding(about="kernel", says="Linux 6.18")
NOTE = Finding(about="manual", says="a <page> is missing", likely="it is small", remedy="apt install man-db",
               minor=True, needs=(Need.MANUAL,))  # fmt: skip
WRONG = Finding(about="images", says="none", likely="not built", remedy="labkit image build x", needs=(Need.BUSYBOX,),
                cure=lambda: ["built the image x"])  # fmt: skip
GOOD = Report((("the machine", (FINE,)), ("the notebook", (NOTE,))))
BAD = Report((("the machine", (FINE,)), ("the notebook", (NOTE, WRONG))))
WELL = Report((("the machine", (FINE,)),))
READY = "This machine is ready: nothing here stops the lessons."
ESCAPE = re.compile(r"\033\[[0-9;]*m")


def run(monkeypatch: pytest.MonkeyPatch, reports: list[Report], *options: str) -> int:
    """``labkit doctor`` on machines that are found like this, one after the other."""
    monkeypatch.setattr(command, "examine", lambda **_: reports.pop(0))
    return cli.main(["doctor", *options])


def test_the_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, [BAD]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "the machine",
        "  ok     kernel      Linux 6.18",
        "the notebook",
        "  note   manual      a <page> is missing",
        "                     likely:  it is small",
        "                     do:      apt install man-db",
        "                     lessons: 00, 01, 02, 03, 04, 05, 06, 07",
        "  WRONG  images      none",
        "                     likely:  not built",
        "                     do:      labkit image build x",
        "                     lessons: 01, 02, 03, 04, 05, 06, 07",
        "",
        "1 thing is WRONG. Lessons touched: 01, 02, 03, 04, 05, 06, 07.",
    ]


def test_a_note_stops_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, [GOOD]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "the notebook",
        "  note   manual      a <page> is missing",
        "                     likely:  it is small",
        "                     do:      apt install man-db",
        "                     lessons: 00, 01, 02, 03, 04, 05, 06, 07",
        "",
        READY,
    ]


def test_where_all_is_well_it_is_one_line_and_more_for_those_who_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for options in ([], ["--class"]):
        assert run(monkeypatch, [WELL], *options) == 0
        assert capsys.readouterr().out == f"{READY}\n"
    for option in ("--verbose", "-v"):
        assert run(monkeypatch, [WELL], option) == 0
        assert capsys.readouterr().out == f"the machine\n  ok     kernel      Linux 6.18\n\n{READY}\n"


def test_fix_says_what_it_did_and_looks_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, [BAD, WELL], "--fix") == 0
    assert capsys.readouterr().out == f"labkit: built the image x\n{READY}\n"
    assert run(monkeypatch, [GOOD], "--fix") == 0
    assert capsys.readouterr().out.startswith("labkit: nothing that --fix may mend by itself\n")


def test_without_fix_nothing_is_cured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, [BAD]) == 1  # a second report would be asked for, and is not there


def test_the_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, [BAD], "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["fixed"]) == (False, [])
    assert told["findings"][2] == {
        "group": "the notebook", "about": "images", "mark": "WRONG", "says": "none", "likely": "not built",
        "remedy": "labkit image build x", "cured by --fix": True,
        "lessons": ["nb01", "nb02", "nb03", "nb04", "nb05", "nb06", "nb07"],
    }  # fmt: skip


def test_colour_never_stands_alone() -> None:
    coloured = command.page(BAD, colour=True)
    assert {*ESCAPE.findall(coloured)} == {"\033[32m", "\033[33m", "\033[1;31m", "\033[0m"}
    assert ESCAPE.sub("", coloured) == command.page(BAD), "what colour says, the words say"
    html = picture.report_html(BAD)
    assert all(f">{mark}</span>" in html for mark in ("ok", "note", "WRONG"))


def test_a_pipe_gets_no_colour(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(monkeypatch, [BAD])
    assert "\033" not in capsys.readouterr().out


def test_the_text_is_the_same_wherever_nothing_stops_a_lesson() -> None:
    other = Report((("the machine", (Finding(about="kernel", says="Linux 6.12"), NOTE)), ("the notebook", (FINE,))))
    assert str(other) == str(GOOD) == READY
    assert str(BAD).startswith("ok     the machine\nWRONG  the notebook\n")
    assert "do:      labkit image build x" in str(BAD) and "WRONG  the notebook" in str(BAD)


def test_the_picture_escapes_what_was_found() -> None:
    picture.install()
    bundle = GOOD._repr_mimebundle_()
    assert bundle["text/plain"] == str(GOOD)
    assert "a &lt;page&gt; is missing" in bundle["text/html"] and "<page>" not in bundle["text/html"]


def test_the_picture_is_folded_unless_something_is_wrong() -> None:
    assert f'<details><summary><span class="lk-title">{READY}</span>' in picture.report_html(GOOD)
    assert "(1 to note)" in picture.report_html(GOOD) and "to note" not in picture.report_html(WELL)
    assert "<details open=" in picture.report_html(BAD)


def test_a_list_of_findings_is_what_a_report_is() -> None:
    assert list(BAD) == [FINE, NOTE, WRONG] and BAD.wrong == (WRONG,)
