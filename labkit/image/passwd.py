"""Users of an image: its /etc/passwd, read without being led out of the image.

See: passwd(5).
"""

from __future__ import annotations

from pathlib import Path


def user(tree: str, name: str) -> tuple[int, int] | None:
    """(uid, gid) of user `name` in the root file system `tree`, or None.

    A passwd that is a symbolic link, or lies behind one, is not read: it could name a file of the machine.
    """
    path = Path(tree, "etc/passwd")
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return None
    for line in path.read_text(errors="replace").splitlines():
        row = line.split(":")
        if len(row) >= 4 and row[0] == name and row[2].isdigit() and row[3].isdigit():
            return int(row[2]), int(row[3])
    return None
