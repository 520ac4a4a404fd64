"""Where the root file system of an image is: by name in the stores, or any directory by its path."""

from __future__ import annotations

import os
import shlex

from labkit.errors import ImageError
from labkit.image import passwd, rootfs


class Images:
    """What a lab's backend asks about images. Answers are kept: a running lab goes on with the tree it began with."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def find(self, image: str) -> str:
        """The directory of an image by name, or of a path (anything with a slash). Raises ImageError."""
        if image not in self._found:
            self._found[image] = str(rootfs.image_path(image)) if "/" not in image else _directory(image)
        return self._found[image]

    def user(self, image: str, name: str) -> tuple[int, int] | None:
        """(uid, gid) of a user of the image, or None."""
        return passwd.user(self.find(image), name)


def _directory(image: str) -> str:
    path = os.path.abspath(image)
    if not os.path.isdir(path):
        raise ImageError(
            f"{path} is not a directory", likely="no such path, or a file", look=f"ls -ld {shlex.quote(path)}"
        )
    return path
