"""A terminal in a container, held by its leader's end."""

from __future__ import annotations

import os
import select
import time

import pytest


@pytest.fixture
def terminal(lab):
    """A shell with a terminal in a running container."""
    opened = lab.terminal(lab.run("busybox", "sleep 1000", name="box", detach=True))
    read_until(opened.fd, b"/ # ")
    yield opened
    opened.close()


def read_until(fd, wanted, patience=10.0):
    """What the terminal writes, up to `wanted`."""
    text, end = b"", time.monotonic() + patience
    while wanted not in text:
        assert select.select([fd], [], [], end - time.monotonic())[0], f"no {wanted!r} in {text[-200:]!r}"
        text += os.read(fd, 4096)
    return text


def test_ctrl_c_reaches_a_program_because_the_agent_hands_no_ignored_signal_on(lab, terminal):
    os.write(terminal.fd, b"sleep 1000\n")
    read_until(terminal.fd, b"sleep 1000\r\n")
    deadline = time.monotonic() + 10  # for the program: before it is there, ^C would be the shell's own
    while len(lab.containers["box"].exec("pidof sleep").stdout.split()) < 2:
        assert time.monotonic() < deadline
    os.write(terminal.fd, b"\x03")
    os.write(terminal.fd, b"echo ended-with-$?\n")
    read_until(terminal.fd, b"ended-with-130\r\n")


def test_a_resized_terminal_tells_the_programs_inside(terminal):
    terminal.resize(33, 77)
    os.write(terminal.fd, b"stty size\n")
    read_until(terminal.fd, b"33 77\r\n")


def test_hanging_up_ends_the_shell(terminal):
    terminal.close()
    assert terminal.process.wait(5) is not None
