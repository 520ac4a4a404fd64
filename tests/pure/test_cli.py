"""The command line: what it understands, and how it says what it does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

import labkit
from labkit import cli, doctor
from labkit.errors import LabError


def test_without_a_command_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    said = capsys.readouterr().out
    assert all(command in said for command in ("doctor", "top", "image", "agent-command"))


def test_it_knows_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"labkit {labkit.__version__}\n"


@pytest.mark.parametrize("argv", [["dance"], ["doctor", "--cure"], ["image"], ["image", "build"]])
def test_what_it_does_not_understand_is_status_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(argv)
    assert end.value.code == 2
    assert "usage: labkit" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nothing", "../busybox", "", "-x", "a/b"])
def test_an_image_that_is_not_there_is_one_message(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", "path", "--", name]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"labkit: there is no image {name!r}\n")
    assert "look:" in said.err


def test_top_says_where_there_can_be_no_lab(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert cli.main(["top"]) == 1
    assert "a lab runs on Linux" in capsys.readouterr().err


def test_an_interrupt_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**options: bool) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "main", interrupted)
    assert cli.main(["doctor"]) == 130


def test_an_error_of_the_lab_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failed(**options: bool) -> int:
        raise LabError("nothing works", likely="no power", look="the plug")

    monkeypatch.setattr(doctor, "main", failed)
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().err == "labkit: nothing works\n  likely: no power\n  look:   the plug\n"


def test_a_reader_who_leaves_early_is_no_error() -> None:
    """As in ``labkit | head -0``: the reader is gone before anything is written."""
    program = "import time; time.sleep(0.3); from labkit import cli; raise SystemExit(cli.main(['image', 'list']))"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "labkit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"labkit {labkit.__version__}\n"
