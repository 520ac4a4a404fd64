"""Nothing of a notebook's signal state reaches a container or the lab's own processes.

execve(2) hands on which signals are ignored and which are blocked: ``nohup`` counts on it. So a notebook is started
here that ignores, blocks and handles as many as it can, and every process that a lab starts tells what it got.

See: signal(7), proc(5) "SigIgn", nohup(1).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import tiny

ROOT = Path(__file__).resolve().parents[2]
#: run first in a new process: ignores every signal it can, and blocks them all
DEAF = """
import os, signal, sys
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""
#: the notebook that comes of it: its handlers are its own, and every process of its lab shows its state
NOTEBOOK = r"""
import json, os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
from labkit import Lab

def state(text):
    return {line[:6]: int(line[8:], 16) for line in text.splitlines() if line[:6] in ("SigBlk", "SigIgn", "SigCgt")}

def of(pid):
    with open(f"/proc/{pid}/status") as file:
        return state(file.read())

show = ["cat", "/proc/self/status"]
told = {"itself": of("self")}
with Lab() as lab:
    told["pid 1"] = state(lab.run("busybox", show).stdout)
    told["child of an init"] = state(lab.run("busybox", show, init=True).stdout)
    told["with a terminal"] = state(lab.run("busybox", show, tty=True).stdout)
    web = lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
    told["started later"] = state(web.exec(show).stdout)
    terminal = lab.terminal(web, show)
    seen = b""
    while b"nonvoluntary_ctxt_switches" not in seen:
        seen += os.read(terminal.fd, 65536)
    terminal.close()
    told["in a terminal"] = state(seen.decode())
    rows = {row["comm"]: row["pid"] for row in lab.backend.look([])["processes"]}
    for name in ("labkit:[zygote]", "labkit:[host]"):
        told[name] = of(rows[name])
    told["supervisor"] = of(lab.info["supervisor"])
print(json.dumps(told))
"""
_CHLD, _INT, _TERM = (1 << number - 1 for number in (17, 2, 15))


@pytest.fixture(scope="module")
def told(own_place: Path) -> dict[str, dict[str, int]]:
    """What each process of a lab says of its signals, by what it is; `SigBlk`, `SigIgn` and `SigCgt` as bit sets."""
    command = [sys.executable, "-c", DEAF, NOTEBOOK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=50)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, int]] = json.loads(done.stdout)
    return found


def test_the_notebook_of_these_tests_ignores_and_blocks_nearly_everything(told: dict[str, dict[str, int]]) -> None:
    assert told["itself"]["SigIgn"].bit_count() > 55
    assert told["itself"]["SigBlk"].bit_count() > 55


@pytest.mark.parametrize("process", ["pid 1", "child of an init", "with a terminal", "started later", "in a terminal"])
def test_a_program_in_a_container_finds_all_signals_as_a_fresh_program_does(
    told: dict[str, dict[str, int]], process: str
) -> None:
    assert told[process] == {"SigBlk": 0, "SigIgn": 0, "SigCgt": 0}


def test_the_labs_own_processes_ignore_and_block_nothing_of_the_notebooks(told: dict[str, dict[str, int]]) -> None:
    assert told["supervisor"] == {"SigBlk": 0, "SigIgn": 0, "SigCgt": _INT | _TERM}
    assert told["labkit:[zygote]"] == {"SigBlk": 0, "SigIgn": 0, "SigCgt": _INT}
    assert told["labkit:[host]"] == {"SigBlk": 0, "SigIgn": _CHLD, "SigCgt": _INT}  # it lets the kernel reap orphans


@pytest.mark.skipif(os.geteuid() != 0, reason="there is no rootless tiny: it is a page, and root's")
def test_the_program_of_a_tiny_container_finds_them_so_too(tmp_path: Path) -> None:
    subprocess.run([ROOT / "images/busybox/build.sh", tmp_path], check=True, capture_output=True)
    program = f"import runpy; runpy.run_path({tiny.__file__!r}, run_name='__main__')"
    command = [sys.executable, "-c", DEAF, program, str(tmp_path), "sh", "-c", "cat /proc/self/status; exit 3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 3, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {line[0]: int(line[1], 16) for line in lines if line[0] in ("SigBlk:", "SigIgn:", "SigCgt:")} == {
        "SigBlk:": 0, "SigIgn:": 0, "SigCgt:": 0,
    }  # fmt: skip
