"""Five minutes before the class: how fast a reset is, whether the hall can read it, whether the wifi matters."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from labkit.doctor.finding import Finding
from labkit.doctor.network import own_server
from labkit.doctor.patient import LINUX, Patient, installed
from labkit.errors import LabError
from labkit.learn.needs import Need

CONTAINERS, ROUNDS = 3, 3
SLOW = 1.0
"""Seconds that nobody in a hall notices yet."""
_SETTINGS = Path(sys.prefix, "share/jupyter/lab/settings")


def reset(patient: Patient) -> Iterator[Finding]:
    """A lab with containers in it, thrown away and fresh again; measured on a lab of its own."""
    if not patient.lab:
        yield Finding(about="reset", says="not measured: no lab opens")
        return
    from labkit.lab import Lab

    seconds = []
    try:
        with Lab() as lab:
            for _ in range(ROUNDS):
                for _ in range(CONTAINERS):
                    lab.run("busybox", "sleep 1000", detach=True)
                begin = time.perf_counter()
                lab.reset()
                seconds.append(time.perf_counter() - begin)
    except LabError as error:
        yield Finding(about="reset", says=f"not measured: {error.message}", likely=error.likely or "", minor=True,
                      remedy=error.look or "labkit doctor", needs=(Need.LAB,))  # fmt: skip
        return
    median = statistics.median(seconds)
    slow = median > SLOW
    yield Finding(
        about="reset", says=f"{median * 1000:.0f} ms for a lab with {CONTAINERS} containers (median of {ROUNDS})",
        minor=True, likely="the machine is busy, or swapping" if slow else "",
        remedy="top -o %CPU; free -m; close what else runs" if slow else "", needs=(Need.LAB,),
    )  # fmt: skip


def theme(patient: Patient) -> Iterator[Finding]:
    """The theme in which the running JupyterLab, else this terminal, would show its pictures."""
    pid = own_server()
    name = (_environment(pid) if pid else os.environ).get("LABKIT_THEME") or "normal"
    where = "JupyterLab runs with" if pid else "JupyterLab would start with"
    small = name != "stage"
    yield Finding(
        about="theme", says=f"{where} the theme {name}" + (": 13 px, not for the last row" if small else ": 22 px"),
        likely="nobody has asked for the stage" if small else "", minor=True,
        remedy='./lab down; LABKIT_THEME=stage ./lab up; or in a cell: theme.use("stage")' if small else "",
    )  # fmt: skip


def offline(patient: Patient) -> Iterator[Finding]:
    """What the front end would else fetch: its own pages, the terminal's script, news. The rest is checked above."""
    from labkit.view import xterm

    wrong = []
    if not (_SETTINGS.parent / "static/index.html").is_file():
        wrong.append(("JupyterLab's pages are missing", "./lab up"))
    if not _is_silent():
        wrong.append(("JupyterLab asks for news and updates", "./lab up, which sets it as the course wants it"))
    if LINUX and not xterm.installed():  # elsewhere there is no lab for a terminal to be in
        wrong.append(("the terminal's script is missing", installed(xterm.PACKAGE)))
    for says, remedy in wrong:
        yield Finding(about="offline", says=says, likely="JupyterLab was set up without ./lab up", remedy=remedy,
                      minor=True, needs=(Need.PLAYER,))  # fmt: skip
    if not wrong:
        yield Finding(about="offline", says="pages and scripts are on this machine; nothing asks the network")


def _is_silent() -> bool:
    try:
        said = json.loads((_SETTINGS / "overrides.json").read_text(encoding="utf-8"))
        return bool(said["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false")
    except (OSError, ValueError, KeyError):
        return False


def _environment(pid: int) -> dict[str, str]:
    """The environment that a process was started with; empty where we may not look."""
    try:
        rows = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(row.split("=", 1) for row in rows if "=" in row)
