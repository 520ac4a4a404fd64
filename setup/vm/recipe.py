"""The image of the course's machine: Debian 12, its cloud kernel, and what vm/provision.sh makes of it.

What goes in is this checkout, student's files and all that can be made again left out (vm/not-placed.txt), as Vagrant
hands it to its machine. So an image is current as long as the course is.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import image
from places import ROOT

RELEASE = "bookworm"
#: what makes a machine of a tree, and lets its host talk to it; the lists in setup/apt have the rest
SYSTEM = (
    "systemd-sysv", "udev", "dbus", "libpam-systemd", "kmod", "zstd", "e2fsprogs", "openssh-server",
    "qemu-guest-agent",
)  # fmt: skip
SIZE = "8G"  # what the student's disk may grow to


def course(tar: Path) -> image.Recipe:
    """The recipe for this checkout, whose project is in `tar`."""
    listed = [name for name in ("need", "want", "machine") for name in _listed(name)]
    return image.Recipe(
        release=RELEASE,
        packages=tuple(sorted({*SYSTEM, *listed})),
        script=ROOT / "setup/vm/course.sh",
        beside=(ROOT / "setup/vm/kernel.sh",),
        carried=(tar,),
        arguments=(RELEASE, _content(tar)),
        size=SIZE,
    )


def _content(tar: Path) -> str:
    """One word for names and contents: when a file was written is no reason for another image."""
    told = hashlib.sha256()
    with tarfile.open(tar) as members:
        for member in members:
            file = members.extractfile(member) if member.isfile() else None
            told.update(repr((member.name, member.mode & 0o111, file.read() if file else b"")).encode())
    return told.hexdigest()


def _listed(name: str) -> list[str]:
    lines = (ROOT / f"setup/apt/{name}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]
