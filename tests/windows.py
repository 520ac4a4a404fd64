"""Windows's locks, imitated: a range of bytes from the file's position on, refused at once when somebody else has it.

What a test puts in the place of ``msvcrt`` when it takes ``fcntl`` away. See: Python's "msvcrt", fcntl(2) "F_SETLK".
"""

from __future__ import annotations

import fcntl
import os
import sys

LK_UNLCK, LK_NBLCK = 0, 2
_DEEDS = {LK_UNLCK: fcntl.LOCK_UN, LK_NBLCK: fcntl.LOCK_EX | fcntl.LOCK_NB}


def locking(fd: int, mode: int, nbytes: int) -> None:
    """As in Python's own, as far as labkit uses it. Raises PermissionError when the bytes are locked."""
    try:
        fcntl.lockf(fd, _DEEDS[mode], nbytes, 0, os.SEEK_CUR)
    except OSError as error:
        raise PermissionError(13, "Permission denied") from error


def install() -> None:
    """From now on this Python finds Windows's locks, and not ours."""
    sys.modules["msvcrt"] = sys.modules[__name__]
    sys.modules["fcntl"] = None  # type: ignore[assignment]
