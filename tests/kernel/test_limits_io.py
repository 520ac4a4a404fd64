"""A ceiling for a disk, on a disk of this test's own: a file behind a loop device.

What reaches the disk is held to it; another container, which reads the same disk in the same test, is not.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
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
LOOP_CTL_ADD, LOOP_CTL_REMOVE = 0x4C80, 0x4C81  # <linux/loop.h>


@pytest.fixture
def disk(lab: Lab, tmp_path: Path) -> Iterator[str]:
    """The number of a disk of its own, as io.max names it; a node of it is in the lab host's /dev."""
    if not {"io", "blkio"} & set(lab.info["controllers"]):
        pytest.skip(f"this lab has no controller io: {lab.info['no_controllers'] or lab.info['no_cgroup']}")
    file = tmp_path / "disk"
    file.write_bytes(bytes(SIZE * MIB))
    try:
        control = os.open("/dev/loop-control", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no loop device can be had here: {error}")
    number = fcntl.ioctl(control, LOOP_CTL_ADD, 1000)  # a new one: nobody has ever had a limit on it
    node = f"/dev/loop{number}"
    made = not os.path.exists(node)
    if made:  # /dev does not follow the kernel here
        os.mknod(node, 0o600 | stat.S_IFBLK, os.makedev(7, number))
    try:
        subprocess.run(["losetup", node, str(file)], check=True)
        yield f"7:{number}"
        subprocess.run(["losetup", "--detach", node], check=True)
    finally:
        if made:
            os.unlink(node)
        until_removed(control, number)
        os.close(control)


def until_removed(control: int, number: int) -> None:
    """Take the device away; for a moment after the last one has closed it it may be busy."""
    deadline = time.monotonic() + 10
    while True:
        try:
            fcntl.ioctl(control, LOOP_CTL_REMOVE, number)
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def seconds(lab: Lab, container: Container, disk: str) -> float:
    """How long it takes on this container's account to read the whole disk, past the page cache."""
    node = f"[ -e /dev/d ] || mknod /dev/d b {disk.replace(':', ' ')}"
    began = time.monotonic()
    visit(lab, container, ["sh", "-c", f"{node}; dd if=/dev/d of=/dev/null bs=256k iflag=direct 2>/dev/null"])
    return time.monotonic() - began


def read_by(container: Container) -> float:
    """MiB that its cgroup has read, of whatever disks: the programs themselves may come from one."""
    return (container.usage().read or 0) / MIB


def test_io_max_holds_within_15_percent(lab: Lab, disk: str) -> None:
    free = lab.run("busybox", ["sleep", "1000"], detach=True, limits=Limits())
    fast = seconds(lab, free, disk)
    assert SIZE <= read_by(free) < SIZE + 2, "counted, though nobody has a ceiling on this disk yet"
    held = lab.run("busybox", ["sleep", "1000"], detach=True, limits=Limits(io={disk: {"rbps": f"{RATE}M"}}))
    slow = seconds(lab, held, disk)
    assert SIZE / slow == pytest.approx(RATE, rel=0.15), (fast, slow)
    assert fast < slow / 2
    assert SIZE <= read_by(held) < SIZE + 2
