"""A disk made of Debian packages by name: mmdebstrap gathers the tree, mke2fs writes it down as ext4.

Both work without root: then mmdebstrap makes a user namespace in which the tree is root's, and mke2fs reads it there.
What a tree needs beside packages is done by a script that may reach the package mirror. An image has a stamp, the
fingerprint of all that went into it, and is made again when that differs.

See: mmdebstrap(1) "HOOKS", mke2fs(8) "-d", user_namespaces(7).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sources

#: The tree without what mmdebstrap has mounted in it (a bind mount shows one file system, not those on top of it), and
#: without what mmdebstrap takes back only when all hooks are done: what kept services from starting, its settings of
#: apt (which it wants to find again), this machine's identity.
_WRITE = """
here=$(mktemp -d)
rm -f "$1/usr/sbin/policy-rc.d"
for stub in "$1/sbin/start-stop-daemon" "$1/usr/sbin/start-stop-daemon"; do
    [ ! -e "$stub.REAL" ] || mv -f "$stub.REAL" "$stub"
done
: >"$1/etc/machine-id"
rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin
mount --bind "$1" "$here"
mv "$1/etc/apt/apt.conf.d/00mmdebstrap" {settings}
mke2fs -q -F -t ext4 -m 1 -E lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0 -L {label} -d "$here" {disk} {size}
mv {settings} "$1/etc/apt/apt.conf.d/00mmdebstrap"
"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What goes into an image. `script` is called with the tree, the directory of the image, and `arguments`.

    In the directory of the image, which is the script's own too, it finds copies of the files in `beside` and
    `carried`; only the latter are no part of the fingerprint, but `python`, what else is installed, is.
    """

    release: str
    packages: tuple[str, ...]
    script: Path
    beside: tuple[Path, ...] = ()
    carried: tuple[Path, ...] = ()
    arguments: tuple[str, ...] = ()
    size: str = "3G"
    backports: bool = False
    python: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """The same wherever the project lies."""
        said = (self.release, self.packages, self.arguments, self.size, self.backports, self.python, _WRITE)
        scripts = [path.read_text() for path in (self.script, *self.beside)]
        return hashlib.sha256(repr((said, scripts)).encode()).hexdigest()


def is_current(recipe: Recipe, place: Path) -> bool:
    """Whether `place` holds what `recipe` makes."""
    stamp = place / "stamp"
    return stamp.exists() and stamp.read_text() == recipe.fingerprint()


def build(recipe: Recipe, place: Path, log: Path) -> None:
    """Make `place`/disk.img, and what hooks add. Raises CalledProcessError; `log` has what was said."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # mmdebstrap inherits it: of a build that was killed, it may still be at work
        if place.exists():
            shutil.rmtree(place)
        with _room(place) as room:
            _fill(recipe, room, log, lock.fileno())
        (place / "stamp").write_text(recipe.fingerprint())


def _fill(recipe: Recipe, room: Path, log: Path, lock: int) -> None:
    inputs = (recipe.script, *recipe.beside, *recipe.carried)
    for path in inputs:
        shutil.copy(path, room)
    (room / "disk.img").touch()
    (room / "disk.img").chmod(0o666)
    with log.open("w") as said:
        subprocess.run(
            mmdebstrap(recipe, room), stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=True, pass_fds=(lock,)
        )
    for path in inputs:
        (room / path.name).unlink()


def _kept(cache: str) -> tuple[list[str], list[str]]:
    """Options that take packages from below `cache`, and those that put them there, for between script and image."""
    if not cache:
        return [], []
    debs = Path(cache, "debs")
    debs.mkdir(parents=True, exist_ok=True)
    place = "/var/cache/apt/archives"
    before = [
        "--skip=essential/unlink", '--aptopt=APT::Keep-Downloaded-Packages "true";',
        f'--setup-hook=mkdir -p "$1"{place}', f"--setup-hook=sync-in {shlex.quote(str(debs))} {place}",
    ]  # fmt: skip
    after = [
        f'--customize-hook=rm -rf "$1"{place}/partial "$1"{place}/lock',
        f"--customize-hook=sync-out {place} {shlex.quote(str(debs))}",
        f'--customize-hook=rm -f "$1"{place}/*.deb',
    ]
    return before, after


def mmdebstrap(recipe: Recipe, room: Path) -> list[str]:
    """The command that makes an image in `room`."""
    disk = shlex.quote(str(room / "disk.img"))
    settings = shlex.quote(str(room / "apt-settings"))
    write = _WRITE.format(label="labkit", disk=disk, settings=settings, size=recipe.size)
    script = shlex.join(["bash", str(room / recipe.script.name)])
    taken, kept = _kept(os.environ.get("LABKIT_CACHE", ""))
    return [
        "mmdebstrap", "--mode=auto", "--variant=apt", "--format=null", *taken,
        *(f"--aptopt={setting}" for setting in sources.settings()),
        # The manual is part of the lessons; images of containers leave it out.
        "--dpkgopt=path-include=/usr/share/man/man[1-8]/*",
        f"--include={','.join(recipe.packages)}",
        f'--customize-hook={script} "$1" {shlex.join([str(room), *recipe.arguments])}',
        *kept,
        f"--customize-hook=unshare --mount sh -euc {shlex.quote(write)} - \"$1\"",
        recipe.release, "-", *sources.lines(recipe.release, backports=recipe.backports),
    ]  # fmt: skip


@contextmanager
def _room(place: Path) -> Iterator[Path]:
    """Where an image is made: its place itself; without root, where another user id gets in, as homes seldom permit."""
    if os.geteuid() == 0:
        place.mkdir(parents=True)
        yield place
        return
    room = Path("/var/tmp") / f"labkit-{os.getuid()}-{hashlib.sha256(bytes(place)).hexdigest()[:12]}"
    if room.exists():
        shutil.rmtree(room)  # of a build that was killed
    room.mkdir()
    try:
        room.chmod(0o777)
        yield room
        place.mkdir(parents=True)
        subprocess.run(["cp", "--recursive", "--sparse=always", f"{room}/.", place], check=True)
    finally:
        shutil.rmtree(room)
