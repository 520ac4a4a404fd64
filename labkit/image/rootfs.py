"""Root file systems: built from `images/NAME/build.sh`, kept in a store, found by name.

A store is a directory; a tree in it is never changed once it is there, because a running lab may
have it mounted as its lower layer:

    NAME/rootfs -> tree-3f9c0a11bc20      the current one; replaced by one rename(2)
    NAME/tree-3f9c0a11bc20/               named after the digest of all that it was made from

Root builds into the machine's store, whose files belong to root inside a container as well; anyone
else into a store of their own. `image_path` looks into both, the machine's first.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from labkit.errors import ImageError
from labkit.linux import home

MACHINE_STORE = Path("/var/lib/labkit/images")
_PACKAGE = Path(__file__).resolve().parents[1]
CONTEXTS = (_PACKAGE if (_PACKAGE / "images").is_dir() else _PACKAGE.parent) / "images"
"""Beside the package in a checkout, in it where it was installed from a wheel."""
SOURCES = ("busybox", "setpriv", "unshare", "nsenter")
"""Programs of this machine that build scripts copy: when one is upgraded, the image is out of date."""


def stores() -> tuple[Path, ...]:
    """Where images are looked for, in this order; `LABKIT_IMAGES` replaces them all."""
    if one := os.environ.get("LABKIT_IMAGES"):
        return (Path(one),)
    return (MACHINE_STORE,) if os.geteuid() == 0 else (MACHINE_STORE, Path(home.data()) / "labkit" / "images")


def image_path(name: str) -> Path:
    """The directory with the built tree of the image `name`; ImageError says how to build it."""
    trees = _trees(name)
    if len(trees) > 1:  # the machine's may be older than what this user built since
        trees.sort(key=lambda tree: tree.name != _tree_name(name))
    if trees:
        return trees[0]
    raise ImageError(
        f"the image {name!r} is not built yet",
        likely="it is built once by ./lab up; this machine has not done it",
        look=f"labkit image build {name}",
    )


def own_path(name: str) -> Path:
    """As `image_path`, of a tree whose files belong to this user; it is built where there is none, in about a second.

    The root of a rootless lab has rights over its user's files only: in a tree of the machine's root it could
    not write to /etc. A store that was chosen with `LABKIT_IMAGES` is taken as it is.
    """
    own = [tree for tree in _trees(name) if tree.stat().st_uid == os.geteuid()]
    if own or os.environ.get("LABKIT_IMAGES"):
        return own[0] if own else image_path(name)
    return build(name)


def build(name: str) -> Path:
    """Build the image `name` unless its current tree is up to date; return the tree.

    Whoever is killed in the middle leaves a `.tmp-` directory and the old tree in its place; two
    who build at once both succeed, and one of the two equal trees stays.
    """
    context = _context(name)
    own = stores()[-1] / name
    tree = own / _tree_name(name)
    try:
        own.mkdir(parents=True, exist_ok=True, mode=0o755)
        if not tree.is_dir():
            _make(context, tree)
        _point(own / "rootfs", tree)
    except OSError as error:
        raise ImageError(
            f"cannot build the image {name!r}: {error.strerror}: {error.filename}",
            likely="the store is not writable, or the disk is full",
            look=f"ls -ld {own}; df {own.parent}; or choose another store with LABKIT_IMAGES=DIRECTORY",
        ) from error
    return tree


def is_current(name: str) -> bool:
    """True when `build` would have nothing to do."""
    try:
        return image_path(name).name == _tree_name(name)
    except ImageError:
        return False


def names() -> tuple[str, ...]:
    """The images that this checkout knows how to build."""
    return tuple(sorted(script.parent.name for script in CONTEXTS.glob("*/build.sh")))


def _trees(name: str) -> list[Path]:
    _context(name)
    return [tree.resolve() for store in stores() if (tree := store / name / "rootfs").is_dir()]


def _context(name: str) -> Path:
    """The build context of `name`, which has to be a plain name: it becomes part of a path."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,127}", name) or not (CONTEXTS / name / "build.sh").is_file():
        raise ImageError(
            f"there is no image {name!r}",
            likely=f"it is misspelt; images here: {', '.join(names()) or 'none'}",
            look="labkit image list; a path to any directory serves as a root file system too",
        )
    return CONTEXTS / name


def _tree_name(name: str) -> str:
    """`tree-` and a digest of the context's files and of the programs that are copied."""
    context = _context(name)
    digest = hashlib.sha256()
    tools = [Path(found) for tool in SOURCES if (found := shutil.which(tool, path=_path()))]
    for file in [*sorted(path for path in context.rglob("*") if path.is_file()), *tools]:
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return f"tree-{digest.hexdigest()[:12]}"


def _make(context: Path, tree: Path) -> None:
    """Run the build script on a new directory beside `tree`, and rename it when it is whole."""
    scratch = Path(tempfile.mkdtemp(prefix=".tmp-", dir=tree.parent))
    try:
        done = subprocess.run(
            ["/bin/sh", context / "build.sh", scratch],
            env={"PATH": _path(), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ImageError(
                f"building {tree.parent.name!r} failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}",
                likely="a program that the image is made from is missing (busybox-static, util-linux)",
                look=f"sh -x {context / 'build.sh'} /tmp/tree",
            )
        try:
            scratch.rename(tree)
        except OSError:
            if not tree.is_dir():  # ENOTEMPTY: somebody else was faster, and built the same
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _point(link: Path, tree: Path) -> None:
    """Make `link` point to `tree` in one step: rename(2) replaces, symlink(2) does not."""
    if link.is_symlink() and os.readlink(link) == tree.name:
        return
    fresh = link.with_name(f".tmp-link-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(tree.name)
    fresh.rename(link)


def _path() -> str:
    """PATH with the sbin directories, which a user's PATH on Debian lacks."""
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
