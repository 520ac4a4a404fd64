"""Where the course's machine lies on this computer: .machine/, beside the project.

    .machine/1f3c…/         an image by its fingerprint, with the kernel that it boots
        disk.img            what vm/provision.sh made; never written to again
        disk.qcow2          the student's disk: what differs from disk.img
    vm/saved/student.tgz    what vm/keep.sh saved of it, as with Vagrant

A disk stays with the image that it was made on, however new the course is: it is worth nothing on another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / ".machine"
UNFINISHED = "building"
SAVED = ROOT / "vm/saved/student.tgz"


@dataclass(frozen=True)
class Place:
    """One image, and what has come of it."""

    path: Path

    @property
    def base(self) -> Path:
        return self.path / "disk.img"

    @property
    def disk(self) -> Path:
        return self.path / "disk.qcow2"

    @property
    def kernel(self) -> Path:
        return self.path / "vmlinuz"

    @property
    def console(self) -> Path:
        return self.path / "console.log"

    @property
    def port(self) -> Path:
        """On which the machine that runs, or ran last, answers."""
        return self.path / "port"

    @property
    def unsaved(self) -> Path:
        """There from the moment a machine runs until its work is in vm/saved."""
        return self.path / "unsaved"

    @property
    def fresh(self) -> Path:
        """There until what an earlier machine saved is in this one."""
        return self.path / "fresh"


def images(house: Path = HOUSE) -> list[Place]:
    """Those that are whole, the newest last."""
    stamps = [stamp for stamp in house.glob("*/stamp") if stamp.parent.name != UNFINISHED]
    return [Place(stamp.parent) for stamp in sorted(stamps, key=lambda stamp: stamp.stat().st_mtime)]


def mine(house: Path = HOUSE) -> Place | None:
    """The place whose machine is meant: the one with the student's disk, else the newest image."""
    whole = images(house)
    return next((place for place in whole if place.disk.exists()), whole[-1] if whole else None)


def superfluous(keep: Place, house: Path = HOUSE) -> list[Path]:
    """Images that no disk stands on, and what builds have left that were cut short."""
    return [each for each in house.glob("*/") if each != keep.path and not Place(each).disk.exists()]
