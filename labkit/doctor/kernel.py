"""Which kernel this is, and whether it is one at all that the lessons can take apart."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator

from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient
from labkit.learn.needs import Need

OLDEST = (6, 1)


def kernel(patient: Patient) -> Iterator[Finding]:
    """Linux, and new enough."""
    name = os.uname()
    version = tuple(int(part) for part in re.findall(r"\d+", name.release)[:2])
    says = f"{name.sysname} {name.release} on {name.machine}"
    old = "" if version >= OLDEST else "labkit is made for Linux {}.{} and newer".format(*OLDEST)
    yield Finding(about="kernel", says=says, likely=old, needs=(Need.LAB,),
                  remedy="vagrant up; or: sudo apt-get install linux-image-amd64" if old else "")  # fmt: skip


def elsewhere(patient: Patient) -> Iterator[Finding]:
    """Another system: no lab, but there are recordings, and a virtual machine."""
    name = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, sys.platform)
    yield Finding(
        about="kernel", says=f"this is {name}; the lessons take their steps on a Linux kernel",
        likely="namespaces, cgroups and overlayfs are Linux's own", needs=(Need.LAB,), minor=patient.replayed,
        remedy="vagrant up gives you one; ./lab up --replay shows the lessons as they were recorded",
    )  # fmt: skip
