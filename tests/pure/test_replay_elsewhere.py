"""Each lesson is replayed on what looks like a Mac and like Windows; and each recording fits its lesson.

A plan that has changed since asks for what is not in the recording, and fails here; so does a recording that
knows what nobody asks for any more. `./lab record` makes them anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import record, rehearsal
from labkit.steps.backends.tape import Tape

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = record.notebooks()
lessons = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def replayed(notebook: Path, scratch: Path, platform: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Rehearse a lesson on what looks like another system, in a Python of its own."""
    own = {"LABKIT_BACKEND": "replay", "LABKIT_GATE": "off", "LABKIT_PROGRESS": str(scratch / "progress.jsonl")}
    variables = {name: value for name, value in {**os.environ, **own, **more}.items() if value}
    return subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning:labkit",
         str(ROOT / "tests" / "elsewhere.py"), platform, str(notebook)],
        env=variables, cwd=ROOT, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip


@lessons
@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_a_lesson_is_replayed_where_nothing_of_linux_is(notebook: Path, platform: str, tmp_path: Path) -> None:
    done = replayed(notebook, tmp_path, platform)
    assert (done.stdout, done.stderr) == (f"{len(rehearsal.cells(notebook))} cells\n", "")


def test_a_lesson_goes_on_from_its_recording_where_no_lab_opens(tmp_path: Path) -> None:
    done = replayed(NOTEBOOKS[3], tmp_path, "darwin", LABKIT_BACKEND="")
    assert done.returncode == 0 and "It goes on as it was recorded on Linux" in done.stderr, done.stderr


def test_a_recording_that_does_not_fit_its_lesson_fails(tmp_path: Path) -> None:
    done = replayed(NOTEBOOKS[3], tmp_path, "darwin", LABKIT_TRACE=str(record.recording_of(NOTEBOOKS[4])))
    assert done.returncode == 1 and "ReplayError: not in the recording: clone3(" in done.stderr


def test_a_recording_that_knows_more_than_its_lesson_asks_for_fails(tmp_path: Path) -> None:
    tape = Tape.from_jsonl(record.recording_of(NOTEBOOKS[3]).read_text(encoding="utf-8"))
    tape.answers[1, "nowhere", "look uts"] = [{"processes": []}]
    (tmp_path / "more.jsonl").write_text(tape.to_jsonl(), encoding="utf-8")
    done = replayed(NOTEBOOKS[3], tmp_path, "darwin", LABKIT_TRACE=str(tmp_path / "more.jsonl"))
    assert (done.returncode, done.stderr) == (1, "in the recording, and never asked: [('nowhere', 'look uts')]\n")


@lessons
def test_a_recording_is_small_says_when_and_names_no_machine(notebook: Path) -> None:
    path = record.recording_of(notebook)
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < record.LARGEST == 250_000
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", Tape.from_jsonl(text).date)
    names = [str(ROOT), "/var/lib/labkit", "/run/labkit", "labkit-lab", os.uname().nodename, sys.prefix]
    assert [name for name in names if name in text] == []
    assert not re.search(r'"[^"]*/site-packages/', text)


def test_there_is_a_recording_for_each_lesson_and_no_other() -> None:
    recordings = {path.stem for path in record.recording_of(NOTEBOOKS[0]).parent.glob("*.jsonl")}
    assert recordings == {path.stem for path in NOTEBOOKS}
