"""`labkit up --replay`: JupyterLab on the recorded course, the same on every system."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat.sign
import pytest

from labkit import cli, copies, jupyter, served, up


class Server:
    """JupyterLab, as far as `labkit up` asks for it."""

    port = 9001  # 9000 was taken
    identity_provider = SimpleNamespace(token="secret")
    told: list[str]
    ran = False

    @classmethod
    def initialize_server(cls, argv: list[str]) -> type[Server]:
        cls.told = argv
        return cls

    @classmethod
    def start(cls) -> None:
        cls.ran = True


def test_it_is_jupyterlab_in_replay_and_tells_the_port_that_it_got(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(served, "bring", Path)
    environments: list[dict[str, str]] = []
    monkeypatch.setattr(up, "become", environments.append)
    monkeypatch.setattr(jupyter, "surroundings", lambda: {"JUPYTER_CONFIG_DIR": "the course's"})
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", SimpleNamespace(LabApp=Server))
    assert cli.main(["up", "--replay", "--port", "9000", "--work", str(tmp_path)]) == 0
    assert environments == [{"JUPYTER_CONFIG_DIR": "the course's", "LABKIT_BACKEND": "replay"}]
    assert Server.ran and "--ServerApp.port=9000" in Server.told
    assert f"--ServerApp.root_dir={tmp_path}" in Server.told
    for option in ("--config=", "--LabServerApp.app_settings_dir="):
        assert Path(next(word for word in Server.told if word.startswith(option)).removeprefix(option)).exists()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "http://127.0.0.1:9001/lab/tree/index.md?token=secret"


def test_jupyterlab_has_the_settings_of_the_course_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, place in {"STATE": "", "TOKEN": "token", "CONFIG": "jupyter/config"}.items():
        monkeypatch.setattr(jupyter, name, tmp_path / "state" / place)
    monkeypatch.setenv("JUPYTER_PATH", "a user's own")
    given = jupyter.surroundings()
    assert "JUPYTER_PATH" not in given and given["HOME"] == os.environ["HOME"]
    token = Path(given["JUPYTER_TOKEN_FILE"])
    assert stat.S_IMODE(token.stat().st_mode) == 0o600 and len(token.read_text()) == 48
    config = Path(given["JUPYTER_CONFIG_DIR"])
    assert (config / "custom/custom.css").read_text() == (jupyter.COURSE / "custom.css").read_text()
    [chosen] = config.rglob("themes.jupyterlab-settings")
    chosen.write_text("{}")  # by the student
    assert jupyter.surroundings() == given
    assert chosen.read_text() == "{}"


def test_the_copies_are_signed_where_the_server_looks_and_their_directory_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jupyter, "STATE", tmp_path / "state")
    monkeypatch.setattr(jupyter, "WORK", tmp_path / "state/work")
    monkeypatch.setenv("LABKIT_PROGRESS", str(tmp_path / "data/progress.jsonl"))
    assert served.bring(str(tmp_path / "work")) == served.bring() == tmp_path / "work"
    assert capsys.readouterr().out == f"your copies of the lessons are in {tmp_path / 'work'}\n"
    notary = nbformat.sign.NotebookNotary(data_dir=str(tmp_path / "data/trust"))
    assert f"--NotebookNotary.data_dir={tmp_path / 'data/trust'}" in jupyter.options(1, tmp_path)
    with notary as signer:
        for path in (tmp_path / "work").glob("*.ipynb"):
            assert signer.check_signature(nbformat.read(path, as_version=4))
        stored = nbformat.read(next(jupyter.ROOT.glob("notebooks/00-*.ipynb")), as_version=4)
        assert not signer.check_signature(stored), "it has outputs, which anybody may have written"


def test_where_nothing_can_be_signed_the_copies_come_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("in the way")
    served.sign(copies.copy(tmp_path / "work"), tmp_path / "data/trust")
    assert capsys.readouterr().out.startswith("note: your copies could not be signed: ")


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
