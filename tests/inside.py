"""Attacks from within: programs for the machine's own Python, run in a container whose root is the machine's.

The container is made as any other; only its image is the directory "/", so that it finds an interpreter with
ctypes. What a program prints is compared; `PRELUDE` lets it make any call and see its errno.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from labkit import Lab
from labkit.container.container import Container
from labkit.linux.signatures import TABLE, signature

PYTHON = os.path.realpath(sys.executable)
#: calls that labkit never makes: number on x86_64, number on aarch64
_MORE = {
    "open_by_handle_at": (304, 265), "ptrace": (101, 117), "reboot": (169, 142), "swapon": (167, 224),
    "acct": (163, 89), "syslog": (103, 116), "clock_settime": (227, 112), "pidfd_getfd": (438, 438),
    "process_vm_readv": (310, 270), "add_key": (248, 217), "bpf": (321, 280), "init_module": (175, 105),
    "settimeofday": (170, 170),
}  # fmt: skip
NUMBERS = {name: signature(name).number for name in TABLE} | {
    name: numbers[os.uname().machine == "aarch64"] for name, numbers in _MORE.items()
}
PRELUDE = f"""
import ctypes, errno, os, socket, struct, sys, time
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = {NUMBERS!r}

def call(name, *args):
    "What the kernel returns, or the name of the errno."
    words = [arg.encode() if isinstance(arg, str) else arg for arg in args]
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in words]
    value = _libc.syscall(ctypes.c_long(_numbers[name]), *words)
    return value if value != -1 else errno.errorcode[ctypes.get_errno()]

def attempt(function, *args):
    "What a function of Python returns, or the name of the errno."
    try:
        return function(*args)
    except OSError as error:
        return errno.errorcode[error.errno]

"""


def on_the_machines_root(lab: Lab) -> None:
    """Skip a test that needs a container there, which a rootless lab cannot have."""
    if lab.rootless:
        pytest.skip("a rootless lab cannot make a container of /: test_ways")


def python(lab: Lab, program: str, *args: str, **options: Any) -> Container:
    """Run `program` in a container on the machine's own root. A rootless lab cannot have that: the test is skipped."""
    on_the_machines_root(lab)
    return lab.run("/", [PYTHON, "-I", "-S", "-c", PRELUDE + program, *args], **options)


def python_in(container: Container, program: str, *args: str, **options: Any) -> Container:
    """Run `program` in a container that `python` has started."""
    return container.exec([PYTHON, "-I", "-S", "-c", PRELUDE + program, *args], **options)


def said(ran: Container) -> str:
    """Its output; anything on standard error, or an exit status, is a fault of the test's own."""
    assert (ran.returncode, ran.stderr) == (0, ""), ran.logs()
    return ran.stdout.strip()
