"""A uid that no account file knows, as OpenShift and some hubs give it: every command of ./lab works for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UID = 1234567 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])  # of this worker alone
HOMES: list[dict[str, str]] = [{}, {"HOME": "/nonexistent"}, {"HOME": "/"}]
homes = pytest.mark.parametrize("home", HOMES, ids=["no HOME", "HOME is missing", "HOME is /"])

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming another uid needs root"),
    pytest.mark.skipif(
        not all(place.stat().st_mode & 0o005 == 0o005 for place in (ROOT, *ROOT.parents)),
        reason="other users cannot read this checkout",
    ),
    pytest.mark.skipif(not (ROOT / ".venv").is_dir(), reason="the environment is conda's, not that of ./lab"),
]


@pytest.fixture(scope="module")
def clone() -> Iterator[Path]:
    """This checkout as a clone of that uid, its environment made of links to ours."""
    place = Path(tempfile.mkdtemp(prefix="labkit-clone-"))  # not in pytest's own directories, which are root's alone
    place.chmod(0o755)
    kept = ("lab", "setup", "vm", "labkit", "images", "notebooks", "pyproject.toml")
    for name in kept:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, place / name)
    venv = place / ".venv"
    (venv / "bin").mkdir(parents=True)
    for program in (ROOT / ".venv/bin").iterdir():
        (venv / "bin" / program.name).symlink_to(program)
    (venv / "lib").symlink_to(ROOT / ".venv/lib")
    shutil.copy2(ROOT / ".venv/pyvenv.cfg", venv)
    shutil.copytree(ROOT / ".venv/share", venv / "share")
    stamp = "ROOT=$PWD; source setup/lib.sh; source setup/python.sh; find_environment; fingerprint pyproject.toml"
    subprocess.run(["bash", "-euc", f"{stamp} >.venv/.labkit"], cwd=place, check=True)
    subprocess.run(["chown", "-hR", f"{UID}:0", place], check=True)
    yield place
    for left in (f"/tmp/labkit-{UID}", f"/tmp/labkit-home-{UID}"):
        shutil.rmtree(left, ignore_errors=True)
    shutil.rmtree(place)


def as_uid(command: list[str | Path], **environment: str) -> list[str]:
    """The command line that runs `command` as that uid, with hardly any environment."""
    become = ["setpriv", "--reuid", str(UID), "--regid", "0", "--clear-groups", "--inh-caps=-all"]
    given = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LABKIT_IMAGES": os.environ.get("LABKIT_IMAGES", ""),
        **environment,
    }
    return [*become, "env", "-i", *(f"{key}={value}" for key, value in given.items() if value), *map(str, command)]


def run(clone: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = as_uid([clone / "lab", *words], **environment)
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/", timeout=50
    )


@homes
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--help"], "usage: ./lab COMMAND"),
        (["top", "--once"], "no lab of this user is running"),
        (["down"], "JupyterLab of this directory is not running"),
        (["up", "--no-start"], ""),
        (["vm", "--stop"], "The machine does not run"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_command_works(clone: Path, home: dict[str, str], words: list[str], says: str) -> None:
    done = run(clone, *words, **home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert says in done.stdout and "id:" not in done.stderr


@homes
def test_the_doctor_examines(clone: Path, home: dict[str, str]) -> None:
    done = run(clone, "doctor", "--json", **home)
    findings = {finding["about"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert findings["lab"]["mark"] == "note", "it opens, rootless"
    assert f"uid {UID} has none" in findings["lab"]["likely"]
    assert findings["lab"]["remedy"].startswith(f"give uid {UID} a line in /etc/passwd")
    assert done.returncode == 0, done.stdout


@homes
def test_jupyterlab_starts_and_stops(clone: Path, home: dict[str, str]) -> None:
    try:
        done = run(clone, "up", "--port", "18931", **home)
        assert done.returncode == 0 and "http://127.0.0.1:" in done.stdout, done.stdout + done.stderr
    finally:
        assert run(clone, "down", **home).stdout == "JupyterLab is stopped\n"


@homes
@pytest.mark.parametrize("by", ["lab", "python"])
def test_the_recorded_course_is_served(clone: Path, home: dict[str, str], by: str) -> None:
    start: list[str | Path] = [clone / "lab"] if by == "lab" else [clone / ".venv/bin/python", "-m", "labkit"]
    command = as_uid([*start, "up", "--replay", "--port", "18941"], **home)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=clone) as server:
        assert server.stdout is not None
        lines = []
        for line in server.stdout:  # to the end, if it dies: the test's time limit is that of a hang
            lines.append(line)
            if "http://127.0.0.1:" in line:
                break
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
    assert any("http://127.0.0.1:" in line for line in lines), "".join(lines)


@homes
def test_a_lesson_is_replayed_in_any_python(clone: Path, home: dict[str, str]) -> None:
    program = """
import sys
sys.path.insert(0, sys.argv[1])
from labkit import Lab, learn
from labkit.learn import progress
print(Lab(learn.lesson("nb00")).info["kernel"] != "", progress.path())
"""
    command = as_uid([sys.executable, "-c", program, clone], LABKIT_BACKEND="replay", **home)
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", timeout=50)
    assert done.stdout == f"True /tmp/labkit-home-{UID}/.local/share/labkit/progress.jsonl\n"


def test_the_sudo_rule_is_refused_with_the_reason_and_a_remedy(clone: Path) -> None:
    done = run(clone, "up", "--sudo-rule")
    assert done.returncode == 1
    assert f"uid {UID} has none" in done.stderr and "./lab up --no-sudo-rule" in done.stderr
    assert run(clone, "up", "--no-sudo-rule", "--no-start").returncode == 0
