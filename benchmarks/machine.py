"""The machine on which the figures were taken, in one line each: a figure without it says nothing."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path


def cgroup2() -> str | None:
    """Where the cgroup v2 hierarchy is mounted: the whole tree, or `unified` beside the v1 controllers."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] == "cgroup2":
            return fields[4]
    return None


def own_cgroup2() -> str | None:
    """The directory of this process's own cgroup in the v2 hierarchy. See: cgroups(7), /proc/pid/cgroup."""
    mounted = cgroup2()
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if mounted and line.startswith("0::"):
            return mounted + line.removeprefix("0::").rstrip("/")
    return None


def cgroup_mode() -> str:
    """v2, hybrid or v1."""
    kinds = {line.split(" - ")[1].split()[0] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    if "cgroup" not in kinds:
        return "v2" if "cgroup2" in kinds else "none"
    return "v1 hybrid" if "cgroup2" in kinds else "v1"


def describe() -> list[str]:
    """Date, kernel, processor, cgroups, Python, and how busy the machine was with other things."""
    cpu = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    release = dict(line.split("=", 1) for line in _lines("/etc/os-release") if "=" in line)
    return [
        f"date      {datetime.date.today()}",
        f"system    {release.get('PRETTY_NAME', 'unknown').strip(chr(34))}, kernel {platform.release()}",
        f"machine   {os.cpu_count()} x {cpu[0] if cpu else platform.machine()}, {int(memory) / 2**20:.0f} GiB",
        f"cgroups   {cgroup_mode()}",
        f"python    {platform.python_version()}",
        f"load      {os.getloadavg()[0]:.2f} before the first measurement",
    ]


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if os.path.exists(path) else []
