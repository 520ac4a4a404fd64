"""Where data lies for a user who has a home, and for a uid that has none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from labkit.linux import home

ROOT = Path(__file__).resolve().parents[2]
unix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="only on Unix a user may be without a home")


def test_the_directory_of_choice_or_that_of_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/chosen")
    assert home.data() == "/chosen"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home.data() == f"{tmp_path}/.local/share"


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"labkit-home-{os.geteuid()}"


@unix
def test_without_a_home_it_is_a_directory_of_its_own(temporary: Path) -> None:
    assert home.data() == f"{temporary}/.local/share" == home.data()
    assert temporary.stat().st_mode & 0o777 == 0o700


@unix
def test_a_process_without_a_home_is_given_one(temporary: Path, tmp_path: Path) -> None:
    home.provide()
    assert os.environ["HOME"] == str(temporary)
    os.environ["HOME"] = str(tmp_path)
    home.provide()
    assert os.environ["HOME"] == str(tmp_path), "one that serves stays"


@unix
@pytest.mark.parametrize("what", ["link", "file", "open"])
def test_what_others_have_put_there_is_left_alone(temporary: Path, what: str, tmp_path: Path) -> None:
    if what == "link":
        temporary.symlink_to(tmp_path)
    elif what == "file":
        temporary.touch()
    else:
        temporary.mkdir()
        temporary.chmod(0o777)
    found = Path(home.data()).parents[1]
    assert found != temporary and found.stat().st_mode & 0o777 == 0o700
    assert home.data() == f"{found}/.local/share", "the same for the life of a process"


@unix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="becoming another uid needs root")
@pytest.mark.parametrize("given", [{}, {"HOME": "/nonexistent"}, {"HOME": "/"}])
def test_so_it_is_for_a_uid_without_an_account(given: dict[str, str]) -> None:
    place = f"{tempfile.gettempdir()}/labkit-home-1234567"
    done = subprocess.run(
        ["setpriv", "--reuid", "1234567", "--regid", "0", "--clear-groups", sys.executable, "-S", "-c",
         f"import sys; sys.path.insert(0, {str(ROOT)!r}); from labkit.linux import home; print(home.data())"],
        capture_output=True, text=True, check=True, env=given, timeout=30,
    )  # fmt: skip
    assert done.stdout == f"{place}/.local/share\n"
    os.rmdir(place)
