"""Where the root file system of an image is: by name in the stores, or any directory by its path."""

from __future__ import annotations

import os
import shlex

from labkit.errors import ImageError
from labkit.image import accounts
from labkit.linux import mountinfo

_SHOWN = 200  # letters of a path in an error


class Images:
    """What a lab's backend asks about images.

    Of an image the answer is kept: a running lab goes on with the tree it began with. A directory is the
    student's own, and may be another one at the next look.
    """

    own = False  #: whether only files of this user will do: in a rootless lab root has no rights over those of others

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._tops: dict[str, dict[str, str]] = {}
        self._accounts: dict[str, accounts.Files] = {}

    def find(self, image: str) -> str:
        """The directory of an image by name, or of a path (anything with a slash). Raises ImageError."""
        if "/" in image:
            return _plain(_directory(image)) if self.own else _directory(image)
        if image not in self._found:
            from labkit.image import rootfs  # builds images, too: a lab is open long before the first is needed

            self._found[image] = str(rootfs.own_path(image) if self.own else rootfs.image_path(image))
        return self._found[image]

    def top(self, image: str) -> dict[str, str]:
        """What lies at the top of the image: name, and whether it is a directory, a symlink or some other file."""
        if image not in self._tops or "/" in image:
            self._tops[image] = _top(self.find(image))
        return self._tops[image]

    def accounts(self, image: str) -> accounts.Files:
        """The contents of the image's /etc/passwd and /etc/group."""
        if image not in self._accounts or "/" in image:
            self._accounts[image] = accounts.read(self.find(image))
        return self._accounts[image]


def _top(path: str) -> dict[str, str]:
    try:
        with os.scandir(path) as entries:
            return {entry.name: _kind(entry) for entry in entries}
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}", look=f"ls -ld {shlex.quote(path)}") from error


def _kind(entry: os.DirEntry[str]) -> str:
    return "symlink" if entry.is_symlink() else "directory" if entry.is_dir() else "file"


def _plain(path: str) -> str:
    """`path`, if nothing is mounted below it. A user namespace has to keep such mounts, and an overlay shows none:
    mount_namespaces(7) "Restrictions on mount namespaces".
    """
    for mount in mountinfo.read():
        if mount.target.startswith(f"{path.rstrip('/')}/") and mount.target != "/":
            raise ImageError(
                f"a rootless lab cannot make a root file system of {path}: {mount.target} is mounted in it",
                likely="a layer over the tree would show what that hides, and who may not unmount it may not see it",
                look=f"cp -a what is needed of {shlex.quote(path)} elsewhere; or ./lab up --sudo-rule",
            )
    return path


def _directory(image: str) -> str:
    path = os.path.abspath(image)
    if not os.path.isdir(path):
        shown = path if len(path) <= _SHOWN else path[:_SHOWN] + "…"
        raise ImageError(
            f"{shown} is not a directory", likely="no such path, or a file", look=f"ls -ld {shlex.quote(shown)}"
        )
    return path
