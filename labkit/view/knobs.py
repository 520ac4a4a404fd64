"""The limits of a container as numbers that a panel draws as lines, and the sliders that change them.

A slider moves over factors, not over differences: from 4 to 8 MiB is as far as from 512 MiB to 1 GiB. Its right
end is *no limit*.

See: the kernel's admin-guide/cgroup-v2.rst "Interface Files".
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from labkit.cgroups.limits import Limits

_MIB = 2**20
_FILES = {"memory.max": "memory", "memory.high": "memory_high", "pids.max": "pids"}


@dataclass(frozen=True)
class Knob:
    """One slider: the limit that it changes, and between which values. `unit`: cpu, bytes, rate or count."""

    name: str
    label: str
    low: float
    high: float
    unit: str


def lines(limits: Limits) -> dict[str, float]:
    """What is limited, by name: cpu in percent of one CPU, bytes, processes, and rbps and wbps of all disks."""
    found: dict[str, float] = {}
    for file, value in limits.lines():
        if file == "cpu.max":
            quota, period = value.split()
            found["cpu"] = 100 * int(quota) / int(period)
        elif file in _FILES and value != "max":
            found[_FILES[file]] = int(value)
        elif file == "io.max":
            for word in value.split()[1:]:
                name, _, ceiling = word.partition("=")
                if name in ("rbps", "wbps") and ceiling != "max":
                    found[name] = found.get(name, 0) + int(ceiling)
    return found


def knobs(limits: Limits) -> list[Knob]:
    """The sliders of a container with these limits. A disk has one only if it is among the limits: which, else?"""
    now = lines(limits)
    top = max(512 * _MIB, 4 * now.get("memory", 0), 4 * now.get("memory_high", 0))
    made = [
        Knob("cpu", "CPU", 0.05, float(os.cpu_count() or 1), "cpu"),
        Knob("memory", "memory max", 4 * _MIB, top, "bytes"),
        Knob("memory_high", "memory high", 4 * _MIB, top, "bytes"),
        Knob("pids", "processes", 1, max(512, 4 * now.get("pids", 0)), "count"),
    ]
    words = {"rbps": "disk, read", "wbps": "disk, write"}
    return made + [Knob(name, words[name], _MIB / 16, 128 * _MIB, "rate") for name in words if name in now]


def change(limits: Limits, name: str, value: float | None) -> dict[str, Any]:
    """The keywords for `container.limits` that set slider `name` to `value`; None: no limit."""
    if name in ("rbps", "wbps"):
        ceiling = "max" if value is None else round(value)
        return {"io": {disk: {**rest, name: ceiling} for disk, rest in limits.io.items()}}
    if value is None:
        return {name: None}
    return {name: round(value, 3) if name == "cpu" else round(value)}
