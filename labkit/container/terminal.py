"""A terminal in a container: the leader's end, for a widget or a test to read and write.

See: pty(7), ioctl_tty(2) "TIOCSWINSZ".
"""

from __future__ import annotations

import contextlib
import os
import struct

from labkit.container.container import Container
from labkit.linux.constants import SIGKILL


class Terminal:
    """A shell with a terminal. `fd` is the leader's descriptor; `process` the handle of the shell."""

    def __init__(self, fd: int, process: Container) -> None:
        self.fd, self.process = fd, process

    def resize(self, rows: int, columns: int) -> None:
        """Tell the programs inside how large their screen is; they get SIGWINCH."""
        import fcntl  # not everywhere where a recorded lesson is shown
        import termios

        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __repr__(self) -> str:
        return f"Terminal({self.process.name}, {f'descriptor {self.fd}' if self.fd >= 0 else 'closed'})"

    def close(self) -> None:
        """Hang up: the shell gets SIGHUP, and SIGKILL if it stays. Safe to call twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            with contextlib.suppress(Exception):  # the lab may be gone already, and with it the shell
                if self.process.wait(0.5) is None:
                    self.process.kill(SIGKILL)
                    self.process.wait(1)
