"""What a report says of the machine: enough to know why the same tests went otherwise elsewhere."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ringreport.files import said

ROOT = Path(__file__).resolve().parents[2]


def describe() -> dict[str, Any]:
    """As plain data."""
    return {
        "commit": said("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12").strip(),
        "kernel": platform.release(),
        "kernel_version": platform.version(),
        "processor": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_kib": _memory(),
        "distribution": _distribution(),
        "user": os.geteuid() if hasattr(os, "geteuid") else None,
        "python": sys.version,
        "python_packages": {each.name: each.version for each in metadata.distributions()},
        "debian_packages": _debian(),
    }


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _memory() -> int:
    try:
        return int(Path("/proc/meminfo").read_text().split()[1])
    except OSError:
        return 0


def _debian() -> dict[str, str]:
    """Of the packages in setup/apt those that are installed, by name."""
    if not shutil.which("dpkg-query"):
        return {}
    lines = [line for path in ROOT.glob("setup/apt/*.txt") for line in path.read_text().splitlines()]
    names = sorted({line for line in lines if line and not line.startswith("#")})
    rows = said("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n", *names).splitlines()
    installed = [row.split() for row in rows if row.startswith("installed ")]
    return {name: version for _, name, version in installed}
