"""The doctor on a Mac and on Windows: it has nothing of Linux there, and says what to do.

A Python is made to believe that it runs there: `sys.platform` says so, and what such a Python lacks is taken away.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: not there on Windows; macOS lacks fewer, and to do without is the harder way
MISSING = ("fcntl", "resource", "termios", "pty", "tty", "grp", "spwd")
NAMES = ("memfd_create", "pidfd_open", "geteuid", "getuid", "statvfs", "uname", "setns", "unshare")
DISGUISE = f"""
import ctypes, os, platform, sys
import asyncio, importlib.metadata, jupyter_core.paths, pathlib, shutil, socket, subprocess, uuid  # of this system
platform.uname()
shutil.disk_usage = lambda path, found=shutil.disk_usage("/"): found  # which asks os.statvfs on this system
sys.platform = sys.argv[1]
from tests import windows
windows.install()
for name in {MISSING!r}:
    sys.modules[name] = None
for name in {NAMES!r}:
    if hasattr(os, name):
        delattr(os, name)
class CDLL(ctypes.CDLL):
    def __init__(self, name, *rest, **named):
        if name is None:
            raise TypeError("there is no C library of that name here")
        super().__init__(name, *rest, **named)
ctypes.CDLL = CDLL
from labkit import cli
sys.exit(cli.main(sys.argv[2:]))
"""


def doctor(system: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``labkit doctor`` on such a system."""
    given = {key: value for key, value in os.environ.items() if not key.startswith("LABKIT_")}
    command = [sys.executable, "-c", DISGUISE, system, "doctor", *options]
    return subprocess.run(
        command, cwd=ROOT, env={**given, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def findings(system: str, *options: str, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status and findings."""
    done = doctor(system, "--json", *options, **environment)
    assert done.stderr == ""
    return done.returncode, {finding["about"]: finding for finding in json.loads(done.stdout)["findings"]}


@pytest.mark.parametrize(("system", "name"), [("darwin", "macOS"), ("win32", "Windows")])
@pytest.mark.parametrize("options", [[], ["--class"], ["--fix"]])
def test_it_says_that_this_is_not_linux_and_what_helps(system: str, name: str, options: list[str]) -> None:
    status, about = findings(system, *options)
    kernel = about["kernel"]
    assert (status, kernel["mark"]) == (1, "WRONG")
    assert kernel["says"].startswith(f"this is {name};")
    assert "vagrant up" in kernel["remedy"] and "./lab up --replay" in kernel["remedy"]
    assert len(kernel["lessons"]) >= 6, "all of them"
    assert ({"theme", "offline"} <= {*about}) == ("--class" in options)
    assert {"disk", "clock", "packages", "widgets", "fonts"} <= {*about}
    assert [each for each, finding in about.items() if finding["mark"] == "WRONG"] == ["kernel"]


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_recordings_need_no_linux(system: str) -> None:
    status, about = findings(system, LABKIT_BACKEND="replay")
    assert (status, about["kernel"]["mark"]) == (0, "note")


def test_the_page_is_one_page_there_too() -> None:
    done = doctor("darwin")
    assert done.returncode == 1 and done.stderr == ""
    assert done.stdout.splitlines()[-1].startswith("1 thing is WRONG. Lessons touched: 00, ")
