"""Room: memory for a lab, and disk where labs, images and answers are kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from labkit.doctor.finding import Finding
from labkit.doctor.patient import LINUX, Patient
from labkit.learn import progress
from labkit.learn.needs import Need

MIB = 1 << 20
#: least memory that is available, in MiB: below the first a notebook's kernel and a lab do not fit, below the
#: second JupyterLab, a browser on the same machine and three tenants get into each other's way
MEMORY = (256, 768)
#: least disk, the same way: a lab's files and the answers, then an image and a Python environment
DISK = (16, 256)
RUN = (16, 64)  #: where labs run: systemd gives a user a tenth of the memory for that, and a lab keeps little there


def memory(patient: Patient) -> Iterator[Finding]:
    """What the kernel would give to a new program, out of what there is."""
    rows = (line.split() for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    kib = {words[0]: int(words[1]) for words in rows}
    free, total = kib["MemAvailable:"] >> 10, kib["MemTotal:"] >> 10
    says = f"{free} MiB of {total} MiB are available"
    least, better = MEMORY
    if free >= better:
        yield Finding(about="memory", says=says)
        return
    scarce = total < 2 * better
    yield Finding(
        about="memory", says=says if free >= least else f"{says}; a lab and a notebook want {least}",
        likely="the machine is small" if scarce else "other programs have it", minor=free >= least,
        remedy="LABKIT_MEMORY=2048 vagrant reload, or give this machine 2 GiB" if scarce
        else "ps -eo rss,pid,args --sort=-rss | head", needs=(Need.LAB,),
    )  # fmt: skip


def disk(patient: Patient) -> Iterator[Finding]:
    """The file systems on which labs run, images lie and answers are kept."""
    told = []
    for what, place, (least, better) in _places():
        free, files = shutil.disk_usage(place).free // MIB, _inodes(place)
        if free < better or files == 0:
            yield Finding(
                about="disk", says=f"{free} MiB{' and no inode' * (files == 0)} free in {place}, where {what}",
                likely="the file system is full" if free < least or not files else "it is small, or filling up",
                remedy=f"df -h {place}; df -i {place}; du -xsh {place}/*", minor=free >= least and files != 0,
                needs=(Need.LAB,),
            )  # fmt: skip
        else:
            told.append(f"{free} MiB in {place}")
    if told:
        yield Finding(about="disk", says=f"free: {', '.join(told)}")


def _places() -> Iterator[tuple[str, str, tuple[int, int]]]:
    """What for, the nearest directory that is there, and what room is wanted; each file system once."""
    seen = set()
    wanted = [("your answers are kept", os.path.dirname(progress.path()), DISK)]
    if LINUX:
        from labkit.agent import journal
        from labkit.image import rootfs

        wanted = [("labs run", journal.place(), RUN), ("images lie", str(rootfs.stores()[0]), DISK), *wanted]
    for what, path, room in wanted:
        place = path
        while not os.path.isdir(place):
            place = os.path.dirname(place)
        device = os.stat(place).st_dev
        if device not in seen:
            seen.add(device)
            yield what, place, room


def _inodes(place: str) -> int | None:
    """Free inodes; None where there is no such limit."""
    if not hasattr(os, "statvfs"):
        return None
    found = os.statvfs(place)
    return found.f_favail if found.f_files else None
