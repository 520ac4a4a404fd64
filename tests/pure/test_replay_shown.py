"""What was recorded is shown as recorded: in the player and above each picture, never in the text that is compared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labkit import Lab, learn, view
from labkit.errors import ReplayError
from labkit.steps import display
from labkit.view.cards import Card
from labkit.view.pictures import process_tree


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("LABKIT_BACKEND", "replay")
    with Lab(learn.lesson("nb03")) as lab:
        yield lab
    display.recorded("")


def test_a_picture_has_a_badge_with_kernel_and_date(replayed: Lab) -> None:
    bundle = process_tree(replayed)._repr_mimebundle_()
    assert f"</span>{replayed.recorded}: not live</span>" in bundle["text/html"]
    assert "recorded" not in bundle["text/plain"] and "2026" not in bundle["text/plain"]
    assert replayed.recorded.startswith("recorded on Linux 6.") and replayed.recorded in str(replayed)


def test_so_have_an_exercise_a_fault_and_a_quiz(replayed: Lab) -> None:
    lesson = learn.lesson("nb03")
    posed = lesson.check("own-name").pose(replayed)
    assert Card(posed).recorded == replayed.recorded
    display.recorded("")
    assert Card(posed).recorded == ""


def test_what_is_live_has_none(replayed: Lab) -> None:
    tree = process_tree(replayed)
    display.recorded("")
    assert "lk-recorded" not in tree._repr_mimebundle_()["text/html"]


def test_another_lab_of_the_same_python_plays_the_same_recording(replayed: Lab) -> None:
    with Lab() as other:
        assert other.recorded == replayed.recorded


def test_what_was_not_recorded_is_refused_in_one_line_with_the_reason_and_the_way_on(replayed: Lab) -> None:
    with pytest.raises(ReplayError, match=r"^not in the recording: the start of busybox-1\n") as refused:
        replayed.run("busybox", ["uptime"])
    assert "this lab is not live but recorded on Linux 6." in str(refused.value)
    assert "look:   take the steps that the lesson takes" in str(refused.value)
    with pytest.raises(ReplayError, match="a look at files, net here"):
        replayed.snapshot("net", "files")


@pytest.mark.parametrize("name", ["stage", "normal"])
def test_the_theme_that_the_environment_names_reaches_the_whole_page(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setenv("LABKIT_THEME", name)
    monkeypatch.setattr("IPython.get_ipython", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle["text/html"]))
    view.announce()
    assert [".jp-Notebook{--jp-code-font-size:22px" in html for html in shown] == ([True] if name == "stage" else [])
