"""Replay: a recorded lesson shows the same text without a lab, without privileges, without a place to put one.

The recordings are made by ``python tests/notebooks/record.py``. One that no longer fits the plans of its
lesson fails here, because it has no answer to what the lesson asks.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.steps.backends.tape import Tape

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TRACES = ROOT / "notebooks" / "traces"
LARGEST = 200_000  # bytes: a recording is read, and kept in git
NOBODY = 65534
#: lessons that cannot be replayed, and why
LIVE_ONLY = {
    "00-is-this-machine-ready": "it asks for the real pid of the lab's supervisor",
    "01-one-server-three-tenants": "it looks at the bare machine, as its tenants would, with psutil",
}
RECORDED = [path for path in NOTEBOOKS if path.stem not in LIVE_ONLY]


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A directory in which an unprivileged user may write."""
    with tempfile.TemporaryDirectory(prefix="labkit-replay-") as directory:
        os.chmod(directory, 0o777)
        yield Path(directory)


def unprivileged(command: list[str]) -> list[str]:
    """`command` as a user without privileges, for whom /run is empty."""
    if os.geteuid() != 0:
        return command
    drop = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--bounding-set=-all"]
    empty = 'mount -t tmpfs -o mode=755 tmpfs /run && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", empty, "sh", *drop, "--no-new-privs", *command]


def replay(notebook: Path, trace: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run nbval on `notebook` without a lab."""
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "LABKIT_GATE": "off",
        "LABKIT_PROGRESS": str(home / "progress.jsonl"), "LABKIT_BACKEND": "replay", "LABKIT_TRACE": str(trace),
        "IPYTHONDIR": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider"]
    return subprocess.run(
        unprivileged([*command, str(notebook)]), cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )


def test_every_lesson_is_recorded_or_says_why_not() -> None:
    assert {path.stem for path in TRACES.glob("*.jsonl")} == {path.stem for path in RECORDED}
    assert {*LIVE_ONLY} <= {path.stem for path in NOTEBOOKS}


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="setpriv is not installed")
@pytest.mark.parametrize("notebook", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_lesson_shows_the_same_without_privileges(notebook: Path, nobodys: Path) -> None:
    done = replay(notebook, TRACES / f"{notebook.stem}.jsonl", nobodys)
    cells = sum(cell["cell_type"] == "code" for cell in json.loads(notebook.read_text())["cells"])
    assert f"{cells} passed" in done.stdout, done.stdout[-4000:] + done.stderr[-1000:]


def test_a_recording_that_does_not_fit_its_lesson_fails(nobodys: Path) -> None:
    other = TRACES / f"{RECORDED[-1].stem}.jsonl"
    shutil.copy(RECORDED[0], nobodys)
    done = replay(nobodys / RECORDED[0].name, other, nobodys)
    assert "the recording holds no answer to" in done.stdout


@pytest.mark.parametrize("notebook", RECORDED, ids=lambda path: path.stem)
def test_a_recording_is_small_and_names_no_machine(notebook: Path) -> None:
    path = TRACES / f"{notebook.stem}.jsonl"
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < LARGEST
    assert Tape.from_jsonl(text).answers
    names = [str(ROOT), "/var/lib/labkit", "/run/labkit", "labkit-lab", os.uname().nodename, sys.prefix]
    assert [name for name in names if name in text] == []
    assert not re.search(r'"[^"]*/site-packages/', text)
