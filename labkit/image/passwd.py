"""Users of an image: its /etc/passwd, read without being led out of the image.

See: passwd(5).
"""

from __future__ import annotations

from pathlib import Path

_MOST = 1 << 20  # bytes that are read: who made the image chose the file's size, too


def user(tree: str, name: str) -> tuple[int, int] | None:
    """(uid, gid) of user `name` in the root file system `tree`, or None.

    A passwd that is a symbolic link, or lies behind one, is not read: it could name a file of the machine.
    """
    path = Path(tree, "etc/passwd")
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as file:
        text = file.read(_MOST).decode(errors="replace")
    for line in text.splitlines():
        row = line.split(":")
        if len(row) >= 4 and row[0] == name and all(word.isascii() and word.isdigit() for word in row[2:4]):
            return int(row[2]), int(row[3])
    return None
