"""Process titles: what ps, top and pstree call this process.

There are two. The *comm*, at most 15 bytes, belongs to the kernel; prctl(2) sets it. The *command
line* belongs to the process: the kernel only remembers from which address to which execve put the
arguments, and /proc/PID/cmdline reads them there. So a process changes its title by writing over its
own argv, within the room that its arguments took.

    >>> from labkit.linux import titles
    >>> titles.set_title("labkit:[c1]")     # ps: labkit:[c1]

If the last byte of that room is not NUL, Linux takes the whole for a title that ends at the first NUL,
and cmdline shows no tail of emptied arguments (fs/proc/base.c, get_mm_cmdline).

A title is for human eyes. Nothing in labkit ever finds a process by it.

See: prctl(2) "PR_SET_NAME", proc(5) "/proc/pid/cmdline", execve(2).
"""

from __future__ import annotations

import ctypes
import os

from labkit.linux import proc
from labkit.linux.constants.prctl import PR_SET_NAME

#: Bytes of a comm (TASK_COMM_LEN - 1).
COMM_MAX = 15

_libc = ctypes.PyDLL(None, use_errno=True)
_room: tuple[int, int] | None = None


def set_comm(name: str) -> None:
    """Set the calling thread's name; what is longer than 15 bytes is cut there by the kernel."""
    if _libc.prctl(PR_SET_NAME, ctypes.c_char_p(os.fsencode(name)), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "prctl(PR_SET_NAME)")


def room() -> tuple[int, int]:
    """From and to which address the arguments lie: where a title can be written.

    Reads /proc/self once and remembers it, also for children forked later (their memory is a copy): call it
    before /proc is out of reach.
    """
    global _room
    if _room is None:
        stat = proc.stat("self")
        _room = stat.arg_start, stat.arg_end
    return _room


def set_title(title: str) -> str:
    """Make `title` this process's comm and command line, cut to the room there is; returns what was shown."""
    set_comm(title)
    start, end = room()
    size = end - start
    raw = os.fsencode(title).replace(b"\0", b" ")[: max(size - 2, 0)]
    if size >= 2:
        ctypes.memmove(start, raw + bytes(size - len(raw) - 1) + b".", size)
    return os.fsdecode(raw)
