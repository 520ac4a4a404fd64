"""A disk made of Debian packages by name: mmdebstrap gathers the tree, mke2fs writes it down as ext4.

Both work without root: then mmdebstrap makes a user namespace in which the tree is root's, and mke2fs reads it there.
What a tree needs beside packages is done by a script that may reach the package mirror. An image has a stamp, the
fingerprint of all that went into it, and is made again when that differs.

See: mmdebstrap(1) "HOOKS", mke2fs(8) "-d", user_namespaces(7).
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import sources

#: the tree without what mmdebstrap has mounted in it (a bind mount shows one file system, not those on top of it)
_WRITE = """
here=$(mktemp -d)
mount --bind "$1" "$here"
mke2fs -q -F -t ext4 -m 1 -E lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0 -L {label} -d "$here" {disk} {size}
"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What goes into an image. `script` is called with the tree, the directory of the image, and `arguments`."""

    release: str
    packages: tuple[str, ...]
    script: Path
    arguments: tuple[str, ...] = ()
    size: str = "3G"
    backports: bool = False

    def fingerprint(self) -> str:
        return hashlib.sha256((repr(self) + self.script.read_text() + _WRITE).encode()).hexdigest()


def is_current(recipe: Recipe, place: Path) -> bool:
    """Whether `place` holds what `recipe` makes."""
    stamp = place / "stamp"
    return stamp.exists() and stamp.read_text() == recipe.fingerprint()


def build(recipe: Recipe, place: Path, log: Path) -> None:
    """Make `place`/disk.img, and what hooks add. Raises CalledProcessError; `log` has what was said."""
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(parents=True)
    (place / "disk.img").touch()
    place.chmod(0o777)  # without root, the script may run as another user id
    (place / "disk.img").chmod(0o666)
    write = _WRITE.format(label="labkit", disk=shlex.quote(str(place / "disk.img")), size=recipe.size)
    script = f'bash {shlex.quote(str(recipe.script))} "$1" {shlex.join([str(place), *recipe.arguments])}'
    lines = sources.lines(recipe.release, backports=recipe.backports)
    command = [
        "mmdebstrap", "--mode=auto", "--variant=apt", "--format=null",
        *(f"--aptopt={setting}" for setting in sources.settings()),
        # The manual is part of the lessons; images of containers leave it out.
        "--dpkgopt=path-include=/usr/share/man/man[1-8]/*",
        f"--include={','.join(recipe.packages)}",
        f"--customize-hook={script}",
        "--customize-hook=rm -rf \"$1\"/var/lib/apt/lists/* \"$1\"/var/cache/apt/*.bin",
        f"--customize-hook=unshare --mount sh -euc {shlex.quote(write)} - \"$1\"",
        recipe.release, "-", *lines,
    ]  # fmt: skip
    with log.open("w") as said:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=True)
    (place / "stamp").write_text(recipe.fingerprint())
