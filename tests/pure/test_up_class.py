"""`./lab up --class`: the stage theme, the gate as chosen, and a book of answers in which nothing is written yet."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from labkit import cli, jupyter, up
from labkit.doctor import hall
from labkit.learn.progress import Book

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(jupyter, "STATE", tmp_path)
    return tmp_path


@pytest.fixture
def server(state: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """setup/server.py, with a JupyterLab that is only written down; `launched` are the environments of those."""
    monkeypatch.syspath_prepend(str(ROOT / "setup"))
    import server

    (state / "token").write_text("secret")
    (state / "work").write_text(str(state))
    monkeypatch.setattr(jupyter, "TOKEN", state / "token")
    monkeypatch.setattr(jupyter, "WORK", state / "work")
    monkeypatch.setattr(server, "FILE", state / "server.json")
    monkeypatch.setattr(server, "answers", lambda known, *, patience: True)
    monkeypatch.setattr(server, "end_process", lambda known: None)
    monkeypatch.setattr(server, "launched", [], raising=False)
    for name in ("LABKIT_THEME", "LABKIT_GATE", "LABKIT_PROGRESS", jupyter.CLASS):
        monkeypatch.setenv(name, "a user's own")  # so that it is put back afterwards
        monkeypatch.delenv(name)

    def launch(port: int) -> dict[str, Any]:
        server.launched.append({name: os.environ.get(name, "") for name in ("LABKIT_THEME", "LABKIT_GATE")})
        return dict(server.write_down(os.getpid(), port))

    monkeypatch.setattr(server, "launch", launch)
    return server


def start(server: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """What ./lab up calls, in a process of its own there."""
    for name in ("LABKIT_THEME", "LABKIT_GATE", "LABKIT_PROGRESS", jupyter.CLASS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["server.py", "start", "9000", *words])
    server.main()


def test_a_class_begins_with_a_book_in_which_nothing_is_answered(state: Path) -> None:
    given = jupyter.classroom("on")
    assert (given["LABKIT_THEME"], given["LABKIT_GATE"]) == ("stage", "on")
    Book(given["LABKIT_PROGRESS"]).add("predict", "nb03/own-pid", said="3")
    assert Path(given["LABKIT_PROGRESS"]).parent == state
    again = jupyter.classroom("off")
    assert again["LABKIT_GATE"] == "off" and Book(again["LABKIT_PROGRESS"]).records() == []


def test_a_class_is_started_anew_and_is_not_taken_over_by_an_ordinary_start(
    server: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ordinary, of_a_class = {"LABKIT_THEME": "", "LABKIT_GATE": ""}, {"LABKIT_THEME": "stage", "LABKIT_GATE": "off"}
    start(server, monkeypatch)
    start(server, monkeypatch)
    assert server.launched == [ordinary], "one that runs is found"
    start(server, monkeypatch, "--class", "off")
    start(server, monkeypatch, "--class", "off")
    assert json.loads(server.FILE.read_text())["class"] is True
    monkeypatch.setattr(sys, "argv", ["server.py", "address"])
    server.main()
    told = capsys.readouterr().out
    assert "for a class: theme stage" in told and "that ran before is stopped, with its kernels" in told
    start(server, monkeypatch)
    assert server.launched == [ordinary, of_a_class, of_a_class, ordinary]


def test_the_recorded_lessons_are_shown_to_a_class_as_well(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environments: list[dict[str, str]] = []
    fake = SimpleNamespace(port=1, identity_provider=SimpleNamespace(token=""), start=lambda: None)
    monkeypatch.setattr(up, "become", environments.append)
    monkeypatch.setattr(jupyter, "surroundings", dict)
    monkeypatch.setattr(jupyter, "server", lambda arguments: fake)
    assert cli.main(["up", "--replay", "--class", "off"]) == 0
    [given] = environments
    assert (given["LABKIT_BACKEND"], given["LABKIT_THEME"], given["LABKIT_GATE"]) == ("replay", "stage", "off")


@pytest.mark.parametrize(("said", "words"), [(0, "no prediction is answered yet"), (2, "2 predictions are answered")])
def test_the_doctor_says_whether_the_class_will_be_asked(
    said: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hall, "own_server", lambda: 0)
    monkeypatch.setenv("LABKIT_PROGRESS", str(tmp_path / "progress.jsonl"))
    monkeypatch.setenv("LABKIT_GATE", "on")
    for number in range(said):
        Book().add("predict", f"nb03/{number}", said="1")
    [finding] = hall.answers(None)  # type: ignore[arg-type]  # it asks the machine nothing
    assert "the gate on" in finding.says and words in finding.says
    assert ("./lab up --class" in finding.remedy) == bool(said)
