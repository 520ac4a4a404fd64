"""The files of a report that both pytest's rings and the style ring write."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write(directory: Path, name: str, content: Any) -> None:
    """A value as JSON."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def said(*command: str) -> str:
    """What a program prints, its errors included; or why it could not be started."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"({command[0]}: {error})\n"
    return done.stdout + done.stderr


def after_a_failure(directory: Path, ring: str, since: float) -> None:
    """Write what is left on the machine, and the kernel's log `since` that second after the boot."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{ring}-leftovers.txt").write_text("\n".join(_leftovers()))
    lines = said("dmesg").splitlines(keepends=True)
    (directory / f"{ring}-kernel.log").write_text("".join(line for line in lines if _second(line) >= since))


def since_boot() -> float:
    """The clock that the kernel's log has."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else 0.0


def _second(line: str) -> float:
    """Of a line of dmesg, ``[  123.456] …``; any other counts as new."""
    try:
        return float(line.partition("[")[2].partition("]")[0])
    except ValueError:
        return float("inf")


def _leftovers() -> list[str]:
    """By kind, what bears the lab's name. (What one test has left behind is in its own message.)"""
    processes = said("ps", "-eo", "pid,ppid,user,stat,lstart,args").splitlines()
    return [
        *_section("processes", [line for line in processes if "labkit" in line]),
        *_section("mounts", [line for line in _lines("/proc/self/mountinfo") if "labkit" in line]),
        *_section("links", said("ip", "-o", "link").splitlines()),
        *_section("cgroups", _below("/sys/fs/cgroup", "labkit")),
        *_section("run directories", [str(path) for path in sorted(Path("/run").glob("labkit*/*"))]),
    ]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"# {title}", *(lines or ["(none)"]), ""]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError as error:
        return [f"({error})"]


def _below(top: str, word: str) -> list[str]:
    return said("find", top, "-type", "d", "-name", f"*{word}*").splitlines()
