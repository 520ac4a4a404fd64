"""Replay: without a lab, without privileges and without a place to put one, every lesson shows the same text.

Whether a recording fits its lesson is known sooner, from `tests/pure/test_replay_elsewhere.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import record, rehearsal

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


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


@pytest.mark.timeout(240)  # all cells of all lessons in one go
@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="setpriv is not installed")
def test_all_lessons_show_the_same_without_privileges(nobodys: Path) -> None:
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(nobodys), "TMPDIR": str(nobodys), "IPYTHONDIR": str(nobodys),
        "LABKIT_GATE": "off", "LABKIT_PROGRESS": str(nobodys / "progress.jsonl"), "LABKIT_BACKEND": "replay",
        "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    lessons = record.notebooks()
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider"]
    done = subprocess.run(
        unprivileged([*command, *map(str, lessons)]), cwd=ROOT, env=variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    cells = sum(len(rehearsal.cells(lesson)) for lesson in lessons)
    assert f"{cells} passed" in done.stdout, done.stdout[-4000:] + done.stderr[-1000:]
