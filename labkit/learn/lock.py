"""One writer at a time, on any system; the lock of a writer that dies is gone with it.

Linux and macOS lock the whole file, and only against those who ask. Windows locks bytes, and then nobody else can read
them; so the byte that is locked there lies far behind the end of the file, where it need not exist.

See: flock(2); "_locking" of Microsoft's C runtime, LockFile.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from collections.abc import Iterator
from typing import Any

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]
    _msvcrt: Any = importlib.import_module("msvcrt")

_FAR = 1 << 30  # _locking begins where the file's position is, and that is a 32-bit number to it


@contextlib.contextmanager
def locked(fd: int, *, patience: float) -> Iterator[bool]:
    """Hold the lock during the block: True. After `patience` seconds, or where there are none, without it: False."""
    held = _waited_for(fd, patience)
    try:
        yield held
    finally:
        if held:
            _release(fd)


def _waited_for(fd: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            _take(fd)
            return True
        except (BlockingIOError, PermissionError):  # somebody has it: flock's word for that, and Windows's
            time.sleep(0.01)
        except OSError:  # this file system has no locks, or this is a pipe
            return False
    return False


def _take(fd: int) -> None:
    if fcntl:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        os.lseek(fd, _FAR, os.SEEK_SET)
        _msvcrt.locking(fd, _msvcrt.LK_NBLCK, 1)


def _release(fd: int) -> None:
    if fcntl:
        fcntl.flock(fd, fcntl.LOCK_UN)
    else:  # by hand: when the file is closed Windows does it too, but says not how soon
        os.lseek(fd, _FAR, os.SEEK_SET)
        _msvcrt.locking(fd, _msvcrt.LK_UNLCK, 1)
