"""`labkit up --replay`: JupyterLab on the recorded course, the same on every system."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from labkit import cli, up


def test_it_starts_jupyterlab_in_replay_and_passes_its_status_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(subprocess, "call", lambda command, env: asked.append((command, env)) or 3)
    assert cli.main(["up", "--replay", "--port", "9000"]) == 3
    [(command, env)] = asked
    assert command[1:3] == ["-m", "jupyterlab"] and "--ServerApp.port=9000" in command
    assert env["LABKIT_BACKEND"] == "replay"
    config = next(word for word in command if word.startswith("--config=")).partition("=")[2]
    assert Path(config).is_file()


def test_live_it_is_not_its_business(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["up"])
    assert "--replay" in capsys.readouterr().err


def test_without_recordings_or_jupyterlab_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(up.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["up", "--replay"]) == 1
    assert "-m pip install -e ." in capsys.readouterr().err
    monkeypatch.setattr(up, "NOTEBOOKS", tmp_path)
    assert cli.main(["up", "--replay"]) == 1
    assert "no recorded lessons" in capsys.readouterr().err
