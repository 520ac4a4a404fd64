"""Make this Python look as on a Mac or on Windows, as far as labkit can see, and rehearse a lesson in replay.

    python tests/elsewhere.py darwin|win32 NOTEBOOK

What those systems lack cannot be imported, or is not there; system calls through ctypes are not to be had. Jupyter's
own packages are portable and were made for the system at hand, so they are imported before that. Reading or writing
a text without saying its encoding is an error: on Windows it would be another one than here.
"""

from __future__ import annotations

import importlib.abc
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import windows

NOT_THERE = {
    "darwin": {"psutil", "pyroute2", "ctypes", "spwd"},
    "win32": {"psutil", "pyroute2", "ctypes", "spwd", "fcntl", "resource", "pwd", "grp", "termios", "pty", "tty"},
}
LINUX_ONLY = {
    os: """setns unshare pidfd_open memfd_create eventfd eventfd_read eventfd_write sched_setaffinity sched_getaffinity
        O_PATH O_TMPFILE O_NOATIME getxattr setxattr listxattr getresuid""",
    socket: "SOCK_SEQPACKET SO_PEERCRED AF_NETLINK AF_PACKET SOCK_CLOEXEC MSG_CMSG_CLOEXEC SOCK_NONBLOCK",
    signal: "pidfd_send_signal SIGRTMIN SIGRTMAX SIGPWR SIGSTKFLT",
}
UNIX_ONLY = {
    os: """fork forkpty getuid geteuid getgid getegid setuid setgid setsid uname mkfifo mknod chroot chown fchmod
        waitpid wait4 register_at_fork pread pwrite openpty set_blocking O_CLOEXEC O_DIRECTORY O_NOFOLLOW
        O_NONBLOCK O_NOCTTY""",
    socket: "AF_UNIX socketpair send_fds recv_fds SCM_RIGHTS CMSG_LEN CMSG_SPACE MSG_DONTWAIT MSG_NOSIGNAL",
    signal: """SIGKILL SIGCHLD SIGSTOP SIGCONT SIGHUP SIGQUIT SIGPIPE SIGALRM SIGUSR1 SIGUSR2 SIGTRAP SIGBUS SIGSYS
        SIGWINCH SIGXFSZ sigwait pthread_sigmask sigpending""",
}


DOCTOR = "print(report)"  # the cell that tells of the machine at hand, which is another one here


class Absent(importlib.abc.MetaPathFinder):
    """Finds nothing for the names of packages that are not there, and says so."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """As in importlib."""
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def pretend(platform: str) -> None:
    """Take away what `platform` has not."""
    absent = NOT_THERE[platform]
    if platform == "win32":
        windows.install()
    for name in [name for name in sys.modules if name.partition(".")[0] in absent]:
        del sys.modules[name]
    sys.meta_path.insert(0, Absent(absent))
    sys.platform = platform
    for lacking in (LINUX_ONLY, *([UNIX_ONLY] if platform == "win32" else [])):
        for module, names in lacking.items():
            for name in names.split():
                if hasattr(module, name):
                    delattr(module, name)


def main(platform: str, notebook: str) -> int:
    """Rehearse; the exit status is 1 where a text differs, or where the recording knows what nobody asks for."""
    import subprocess  # noqa: F401
    import tempfile  # noqa: F401

    import anywidget  # noqa: F401
    import IPython.display  # noqa: F401
    import ipywidgets  # noqa: F401

    pretend(platform)
    from labkit import rehearsal, view
    from labkit.steps.backends import replay

    view.install()  # as in a notebook: players and cards are made, too
    shown = list(rehearsal.rehearse(Path(notebook)))
    other = [(cell, text) for cell, text in shown if cell.stored not in (None, text) and cell.source != DOCTOR]
    for cell, text in other:
        print(f"cell {cell.number} shows\n{text}\ninstead of\n{cell.stored}", file=sys.stderr)
    idle = [what for tape in replay.opened() for what in tape.idle()]
    if idle:
        print(f"in the recording, and never asked: {idle}", file=sys.stderr)
    print(f"{len(shown)} cells")
    return 1 if other or idle else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
