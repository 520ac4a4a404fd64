"""The student's disk: what differs from the image, in a file of its own.

See: qemu-img(1) "create", "check"; the kernel's filesystems/ext4/super.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

from places import SAVED, Place
from trouble import Trouble

_ROOM = 500 << 20  # bytes that a lesson's work may well take
_MAGIC = 0xEF53


def prepare(place: Place) -> None:
    """Make the disk, or make sure that it is whole. Raises Trouble when a machine had better not start from it."""
    step = "prepare the disk"
    if not is_whole(place.base):
        remedy = f"rm -r {place.path}, and ./lab vm --build"
        if place.disk.exists():  # on nothing else but that very image
            remedy = f"bring {place.path.name} again from where it came; or, without what is on its disk, {remedy}"
        raise Trouble(step, f"{place.base} is cut short, or no disk", remedy)
    free = shutil.disk_usage(place.path).free
    if free < _ROOM:
        raise Trouble(step, f"only {free >> 20} MB are free in {place.path}", "make room: 500 MB at least")
    if not place.disk.exists():
        place.fresh.touch()
        fresh = place.disk.with_suffix(".new")
        _qemu_img(place, "create", "-q", "-f", "qcow2", "-b", place.base.name, "-F", "raw", fresh.name)
        fresh.rename(place.disk)
    elif (status := _qemu_img(place, "check", "-q", "-r", "leaks", place.disk.name)) not in (0, 3):
        raise Trouble(
            step, f"{place.disk} is damaged (qemu-img check: {status})",
            f"LABKIT_FORGET=1 ./lab vm --reset; the next machine begins with what was last saved ({SAVED.name})",
        )  # fmt: skip


def is_whole(base: Path) -> bool:
    """Whether a file has the length that its ext4 says it has."""
    try:
        with base.open("rb") as file:
            file.seek(1024)
            superblock = file.read(64)
            length = file.seek(0, os.SEEK_END)
    except OSError:
        return False
    if len(superblock) < 64 or struct.unpack_from("<H", superblock, 56)[0] != _MAGIC:
        return False
    (blocks,) = struct.unpack_from("<I", superblock, 4)
    (power,) = struct.unpack_from("<I", superblock, 24)
    return length == blocks << (10 + power)


def _qemu_img(place: Place, *words: str) -> int:
    try:
        done = subprocess.run(["qemu-img", *words], cwd=place.path, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Trouble("prepare the disk", "qemu-img is not installed", "install it; Debian: qemu-utils") from None
    return done.returncode
