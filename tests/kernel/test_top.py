"""`labkit top` beside a lab: it sees its containers, ends at a key, and gives the terminal back as it was."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest
from stage import ROOT, SUDO_RULE, grant, play

from labkit import Lab
from labkit.cgroups import Limits
from labkit.errors import SpecError
from labkit.linux import proc

TOP = [sys.executable, "-m", "labkit", "top"]


def told(*options: str) -> list[dict[str, object]]:
    """The containers in the labs of this test, as the command tells them."""
    done = subprocess.run([*TOP, "--json", *options], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout)["containers"])


@pytest.mark.usefixtures("cgroups")
def test_it_sees_what_each_container_uses(lab: Lab) -> None:
    lab.run("busybox", ["sh", "-c", "while :; do :; done"], name="top-busy", detach=True)
    lab.run("busybox", ["sh", "-c", "sleep 1000 & sleep 1000 & wait"], name="top-idle", detach=True)
    found = {row["container"]: row for row in told()}
    busy, idle = found["top-busy"], found["top-idle"]
    assert isinstance(busy["cpu_percent"], float) and isinstance(idle["cpu_percent"], float)
    assert busy["cpu_percent"] > 10 * idle["cpu_percent"]
    assert (busy["processes"], idle["processes"]) == (1, 3)
    lines = subprocess.run([*TOP, "--once", "--sort", "cpu"], capture_output=True, text=True, check=True).stdout
    names = [line.split()[1] for line in lines.splitlines() if "top-" in line]
    assert names == ["top-busy", "top-idle"]


@pytest.mark.usefixtures("cgroups")
def test_it_sees_limits_and_who_meets_them(lab: Lab) -> None:
    try:
        lab.run("busybox", ["sh", "-c", "while :; do :; done"], name="top-held", detach=True,
                limits=Limits(cpu=0.1, memory="64M", pids=9))  # fmt: skip
    except SpecError as refused:
        pytest.skip(f"this lab can hold nobody to that: {refused.message}")
    held = next(row for row in told() if row["container"] == "top-held")
    assert (held["memory_max"], held["processes_max"], held["processes"]) == (64 << 20, 9, 1)
    assert isinstance(held["memory"], int) and 0 < held["memory"] < 64 << 20
    assert isinstance(held["throttled_percent"], float) and held["throttled_percent"] > 50


def test_a_lab_without_cgroups_is_seen_by_its_processes(lab: Lab) -> None:
    if lab.lacking.cgroups:
        pytest.skip("this lab has cgroups")
    lab.run("busybox", ["sh", "-c", "sleep 1000 & sleep 1000 & wait"], name="web", detach=True)
    [row] = [row for row in told() if row["container"] == "sh"]
    assert (row["processes"], row["memory"]) == (3, None)
    assert isinstance(row["cpu_percent"], float)


@pytest.mark.usefixtures("cgroups")
def test_who_has_ended_is_gone_from_it(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], name="top-short", detach=True)
    assert "top-short" in {row["container"] for row in told()}
    held.kill()
    held.wait()
    assert "top-short" not in {row["container"] for row in told()}
    lab.run("busybox", ["sleep", "1000"], name="top-again", detach=True)
    lab.close()
    assert "top-again" not in {row["container"] for row in told()}


#: a lab with one container, and what a look at it says
WATCHED = """
from labkit import Lab
from labkit.top.meter import Meter
with Lab() as lab:
    lab.run("busybox", ["sh", "-c", "sleep 1000 & sleep 1000 & wait"], name="web", detach=True)
    meter = Meter()
    meter.look()
    rows = [[row.container, row.processes, row.cpu_percent is not None] for row in meter.look()]
    print(json.dumps([lab.info["way"], lab.lacking.cgroups, meter.labs, rows]))
"""
elsewhere = pytest.mark.skipif(
    os.geteuid() != 0 or not all(place.stat().st_mode & 0o005 == 0o005 for place in (ROOT, *ROOT.parents)),
    reason="the stage needs root, and a checkout that others can read",
)


@elsewhere
@pytest.mark.skipif(not shutil.which("sudo"), reason="sudo is not installed here")
def test_who_has_a_lab_through_sudo_sees_it_where_it_is_roots() -> None:
    assert play(WATCHED, SUDO_RULE) == ["sudo", True, ["lab-1"], [["web", 3, True]]]


@elsewhere
@pytest.mark.skipif(not shutil.which("newuidmap"), reason="uidmap is not installed here")
def test_who_has_no_cgroups_sees_the_processes_of_a_rootless_lab() -> None:
    way, cgroups, labs, rows = play(WATCHED, grant("student"))
    assert (way, labs) == ("rootless", ["lab-1"])
    assert rows == [["web" if cgroups else "sh", 3, True]]


class Screen:
    """The command in a terminal of its own."""

    def __init__(self) -> None:
        self.leader, follower = pty.openpty()
        termios.tcsetwinsize(self.leader, (30, 140))
        self.follower = follower
        self.before = termios.tcgetattr(follower)
        self.process = subprocess.Popen(TOP, stdin=follower, stdout=follower, stderr=follower,
                                        env={**os.environ, "TERM": "xterm-256color"})  # fmt: skip
        self.text = b""

    def until(self, wanted: str, patience: float = 20.0) -> str:
        """Wait until this was written since the last time; returns what stands before it."""
        end = time.monotonic() + patience
        while wanted.encode() not in self.text:
            assert select.select([self.leader], [], [], max(0, end - time.monotonic()))[0], (wanted, self.text[-2000:])
            self.text += os.read(self.leader, 65536)
        before, _, self.text = self.text.partition(wanted.encode())
        return before.decode(errors="replace")

    def press(self, key: str) -> None:
        os.write(self.leader, key.encode())

    def ended(self) -> int:
        """Its status; the terminal is as it was."""
        self.until("\x1b[?1049l")
        status = self.process.wait(20)
        assert termios.tcgetattr(self.follower) == self.before
        return status


@pytest.fixture
def screen(lab: Lab) -> Iterator[Screen]:
    """The screen beside a lab with one container; it comes after the lab, and goes before it."""
    lab.run("busybox", ["sleep", "1000"], name="top-web", detach=True)
    opened = Screen()
    yield opened
    opened.process.kill()
    opened.process.wait()
    os.close(opened.leader)
    os.close(opened.follower)


@pytest.mark.usefixtures("cgroups")
def test_q_ends_it_after_it_was_paused_and_sorted(screen: Screen) -> None:
    screen.until("top-web")
    screen.press("p")
    screen.until("PAUSED")
    screen.press("s")
    screen.until("by cpu")
    screen.press("q")
    assert screen.ended() == 0


@pytest.mark.usefixtures("cgroups")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_gives_the_terminal_back_too(screen: Screen, number: signal.Signals, status: int) -> None:
    screen.until("top-web")
    screen.process.send_signal(number)
    assert screen.ended() == status


@pytest.mark.usefixtures("cgroups")
def test_ctrl_z_gives_the_shell_its_screen_and_fg_takes_it_again(screen: Screen) -> None:
    screen.until("top-web")
    screen.process.send_signal(signal.SIGTSTP)
    screen.until("\x1b[?1049l")
    deadline = time.monotonic() + 20
    while proc.stat(screen.process.pid).state != "T":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert termios.tcgetattr(screen.follower) == screen.before
    screen.process.send_signal(signal.SIGCONT)
    screen.until("\x1b[?1049h")
    screen.until("top-web")
    screen.press("q")
    assert screen.ended() == 0


@pytest.mark.usefixtures("cgroups")
def test_a_lab_that_dies_while_one_looks_leaves_a_screen_without_it(screen: Screen, lab: Lab) -> None:
    screen.until("top-web")
    lab.close()
    screen.until("labkit top:")  # the page that was begun meanwhile is over
    deadline = time.monotonic() + 20
    while "top-web" in screen.until("labkit top:"):  # from one page to the next
        assert time.monotonic() < deadline
    screen.press("q")
    assert screen.ended() == 0
