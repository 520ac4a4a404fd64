"""Whoever of a lab is killed, and whenever: nothing of it is left, and the next lab works.

Each round is a notebook in full work and one SIGKILL at a random moment.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from leaks import Machine, settle

from labkit import Lab, doctor
from labkit.linux import proc

VICTIMS = Path(__file__).parents[1] / "victims.py"
LESSON = 0.35  # seconds that it takes, about; a notebook that was faster than its murderer is no round
WHO = ("notebook", "supervisor", "both", "host", "zygote", "container")


class Victims:
    """The forks of `victims.py`, one at a time."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.words = open(place.with_suffix(".words"), "w+")  # noqa: SIM115  # closed in `close`
        self.server = subprocess.Popen(
            [sys.executable, str(VICTIMS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.words, text=True
        )

    def close(self) -> None:
        self.server.communicate()
        self.words.close()
        os.unlink(self.words.name)

    def round(self, who: str, delay: float) -> bool:
        """One notebook; `who` is killed `delay` seconds after its start. False if it was over before that."""
        assert self.server.stdin
        assert self.server.stdout
        before = Machine.now(self.place)
        self.server.stdin.write("go\n")
        self.server.stdin.flush()
        notebook = int(self.server.stdout.readline())
        time.sleep(delay)
        killed = kill(who, notebook)
        status = int(self.server.stdout.readline())
        self.words.seek(0)
        if status == 0 and who in ("notebook", "both"):
            killed = False  # it came to its end in that very moment
        assert status == (-9 if killed and who in ("notebook", "both") else 0), self.words.read()
        if who == "both":  # nobody is there to bury it: the doctor, or the next lab
            doctor.bury()
        left = settle(before, self.place)
        assert not left, f"{who} killed {delay:.3f} s after the start left behind:\n" + "\n".join(left)
        return killed


def kill(who: str, notebook: int) -> bool:
    """SIGKILL to one process of a lab, as soon as there is one."""
    while True:
        family = list(relatives(notebook))
        chosen = {pid for role, pid in family if role == who or (who == "both" and role in ("notebook", "supervisor"))}
        if len(chosen) == 1 + (who == "both"):
            for pid in sorted(chosen, reverse=True):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            while any(map(alive, chosen)):  # kill(2) returns before its target has gone
                time.sleep(0.001)
            return True
        if not family:
            return False
        time.sleep(0.001)


def alive(pid: int) -> bool:
    try:
        return proc.stat(pid).state not in "ZX"
    except ProcessLookupError:
        return False


def relatives(notebook: int) -> Iterator[tuple[str, int]]:
    """The processes of a notebook and its lab, each with its role: by descent, and one container of those there are."""
    with contextlib.suppress(ProcessLookupError, IndexError):
        if not alive(notebook):
            return
        parent = notebook
        yield "notebook", parent
        for role, which in (("supervisor", 0), ("host", 0), ("zygote", 0), ("container", -1)):
            parent = proc.children(parent)[which]
            yield role, parent


@pytest.fixture
def victims(own_place: Path, nothing_is_left: None) -> Iterator[Victims]:
    own_place.mkdir(exist_ok=True)
    one = Victims(own_place)
    yield one
    one.close()


@pytest.mark.timeout(180)  # 17 notebooks, one after the other, and those that came to their end before the kill
@pytest.mark.usefixtures("own_processes")
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("rounds", [17, pytest.param(170, marks=pytest.mark.long)])
def test_a_sigkill_at_any_moment_leaves_nothing(victims: Victims, who: str, rounds: int) -> None:
    chance = random.Random(f"{who} {rounds}")
    done = missed = 0
    while done < rounds:
        if victims.round(who, chance.uniform(0, LESSON)):
            done += 1
        else:
            missed += 1
            assert missed <= rounds, f"the lesson is shorter than {LESSON} s: most notebooks get away"
    with Lab() as lab:
        assert lab.run("busybox", ["echo", "fine"]).stdout == "fine\n"
