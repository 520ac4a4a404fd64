"""A container with an init: its program is a child of pid 1, which reaps, passes signals on, and ends as it does."""

from __future__ import annotations

import os
import signal
import time

import pytest

from labkit import Lab
from labkit.errors import StepError
from labkit.steps.fact import Process

KINDS = ("mnt", "pid", "user", "uts", "ipc", "net", "cgroup")
_ORPHAN = "(usleep 100000 &); exec sleep 1000"


def test_the_program_of_a_container_with_an_init_is_not_its_pid_1(lab: Lab) -> None:
    plain = lab.run("busybox", ["sh", "-c", "echo $$"])
    with_init = lab.run("busybox", ["sh", "-c", "echo $$"], init=True)
    assert (plain.stdout, with_init.stdout) == ("1\n", "2\n")


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "kill -9 $$"], 137),
        (["no-such-program"], 127),
        (["/etc/passwd"], 126),
    ],
)
@pytest.mark.parametrize("options", [{}, {"namespaces": KINDS, "user": 1000, "workdir": "/tmp"}])
def test_an_init_ends_as_its_program_does(lab: Lab, argv: list[str], code: int, options: dict[str, object]) -> None:
    assert lab.run("busybox", argv, init=True, **options).returncode == code


def test_an_init_passes_signals_on(lab: Lab) -> None:
    deaf = lab.run("busybox", ["sleep", "1000"], detach=True)
    deaf.kill(signal.SIGTERM)
    hears = lab.run("busybox", ["sleep", "1000"], detach=True, init=True)
    hears.kill(signal.SIGTERM)
    assert hears.wait(5) == 128 + signal.SIGTERM
    assert deaf.running


@pytest.mark.parametrize(("init", "zombies"), [(False, 1), (True, 0)])
def test_an_init_leaves_no_zombies(lab: Lab, init: bool, zombies: int) -> None:
    lab.run("busybox", ["sh", "-c", _ORPHAN], name="c1", detach=True, init=init)
    deadline = time.monotonic() + 10
    while True:  # until its program only sleeps, and the orphan, which was born before that, runs no more
        lives = sorted((p.comm, p.state_of_life) for p in lab.snapshot("processes").of_type(Process))
        others = [each for each in lives if not each[0].startswith("labkit:")]
        if others == [("sleep", "")] + [("usleep", "zombie")] * zombies:
            break
        assert time.monotonic() < deadline, lives


def test_a_start_that_fails_on_the_way_leaves_no_descriptor_and_no_process(lab: Lab) -> None:
    def world() -> tuple[int, list[str]]:
        return len(os.listdir("/proc/self/fd")), [p.name for p in lab.snapshot("processes").of_type(Process)]

    for init in (False, True):
        lab.run("busybox", ["true"], init=init)
        before = world()
        with pytest.raises(StepError, match="chdir"):
            lab.run("busybox", ["true"], init=init, workdir="/nowhere")
        assert world() == before
