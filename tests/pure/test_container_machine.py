"""The whole machine's figures: what psutil told, typed, and as text."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from labkit.container.machine import MachineUsage
from labkit.linux import machine

TOLD: dict[str, Any] = {
    "cpus": 2, "cpu": 12.5, "user": 10.0, "system": 2.0, "idle": 87.5, "memory": 1 << 30, "memory_total": 4 << 30,
    "swap": 1 << 20, "processes": 81, "disks": {"vda": [3 << 20, 1 << 20], "loop0": [0, 0]},
    "links": {"lo": [0, 0], "eth0": [5 << 20, 2 << 20]},
}  # fmt: skip


def test_what_was_told_is_typed() -> None:
    used = MachineUsage.parse(TOLD)
    assert (used.cpus, used.cpu, used.idle) == (2, 12.5, 87.5)
    assert used.disks == {"vda": (3 << 20, 1 << 20), "loop0": (0, 0)}
    assert used == MachineUsage.parse(json.loads(json.dumps(TOLD))), "a recording keeps it as JSON"


def test_it_can_be_read_in_a_notebook() -> None:
    assert str(MachineUsage.parse(TOLD)).splitlines() == [
        "CPU        12.500 s (user 10.000, system 2.000) on 2 CPUs",
        "idle       87.500 s",
        "memory     1024.0 MiB of 4096.0 MiB, and 1.0 MiB on disk",
        "processes  81",
        "disk       vda: 3.0 MiB read, 1.0 MiB written",
        "link       eth0: 5.0 MiB received, 2.0 MiB sent",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the bare machine is a Linux")
def test_this_machine_tells_its_own() -> None:
    used = MachineUsage.parse(machine.usage({}))
    assert used.cpus >= 1 and used.cpu > 0 and 0 < used.memory < used.memory_total and used.processes >= 1
    assert used.cpu >= used.user + used.system - 0.1
    assert MachineUsage.parse(machine.usage({})).cpu >= used.cpu
