"""A ceiling for a disk, on a disk of this test's own: a file behind a loop device.

What reaches the disk is held to it; another container, which reads the same disk in the same test, is not.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import Lab
from labkit.cgroups import Limits
from labkit.container.container import Container
from labkit.learn.metering import visit

MIB = 1 << 20
RATE, SIZE = 4, 12  # MiB a second, MiB


@pytest.fixture
def disk(lab: Lab, tmp_path: Path) -> Iterator[str]:
    """The number of a disk of its own, as io.max names it; a node of it is in the lab host's /dev."""
    if not {"io", "blkio"} & set(lab.info["controllers"]):
        pytest.skip(f"this lab has no controller io: {lab.info['no_controllers'] or lab.info['no_cgroup']}")
    file = tmp_path / "disk"
    file.write_bytes(bytes(SIZE * MIB))
    found = subprocess.run(["losetup", "--find", "--show", str(file)], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(f"no loop device can be had here: {found.stderr.strip()}")
    node = found.stdout.strip()
    try:
        number = os.stat(node).st_rdev
        yield f"{os.major(number)}:{os.minor(number)}"
    finally:
        subprocess.run(["losetup", "--detach", node], check=True)


def seconds(lab: Lab, container: Container, disk: str) -> float:
    """How long it takes on this container's account to read the whole disk, past the page cache."""
    node = f"[ -e /dev/d ] || mknod /dev/d b {disk.replace(':', ' ')}"
    began = time.monotonic()
    visit(lab, container, ["sh", "-c", f"{node}; dd if=/dev/d of=/dev/null bs=256k iflag=direct 2>/dev/null"])
    return time.monotonic() - began


def test_io_max_holds_within_15_percent(lab: Lab, disk: str) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True, limits=Limits(io={disk: {"rbps": f"{RATE}M"}}))
    free = lab.run("busybox", ["sleep", "1000"], detach=True, limits=Limits(io={disk: {"rbps": "1000M"}}))
    fast, slow = seconds(lab, free, disk), seconds(lab, held, disk)
    assert SIZE / slow == pytest.approx(RATE, rel=0.15), (fast, slow)
    assert fast < slow / 2
    assert held.usage().read == SIZE * MIB
