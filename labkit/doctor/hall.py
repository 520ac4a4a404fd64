"""Five minutes before the class: how fast a reset is, whether the hall can read it, what it will be asked, the wifi."""

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
from labkit.learn.progress import Book

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
    where, variables = _running()
    name = variables.get("LABKIT_THEME") or "normal"
    small = name != "stage"
    yield Finding(
        about="theme", says=f"{where} the theme {name}" + (": 13 px, not for the last row" if small else ": 22 px"),
        likely="nobody has asked for the stage" if small else "", minor=True,
        remedy='./lab up --class; or in a cell: theme.use("stage")' if small else "",
    )  # fmt: skip


def answers(patient: Patient) -> Iterator[Finding]:
    """Whether the questions of the class will be asked: what was answered while rehearsing is not asked again."""
    where, variables = _running()
    book = Book(variables.get("LABKIT_PROGRESS"))
    said = len({record["id"] for record in book.records() if record["kind"] == "predict"})
    waits = variables.get("LABKIT_GATE", "on")
    about = f"{said} predictions are answered and will not be asked" if said else "no prediction is answered yet"
    yield Finding(
        about="answers", says=f"{where} the gate {waits}; {about}", minor=True,
        likely="the lesson was rehearsed on this machine" if said else "",
        remedy="./lab up --class has a book of answers of its own; or Ask again beside a verdict" if said else "",
    )  # fmt: skip


def _running() -> tuple[str, dict[str, str]]:
    """The environment of the running JupyterLab, else of the one that would be started; and how to speak of it."""
    pid = own_server()
    if pid:
        return "JupyterLab runs with", _environment(pid)
    return "JupyterLab would start with", dict(os.environ)


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
