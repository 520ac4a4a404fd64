"""Files of the kernel that are read again and again: opened once, and then a single call each.

Opening a file by its name takes the kernel longer than saying what is in it. An open file of a cgroup can be read as
often as one likes, and says ENODEV when the cgroup has gone; it does not keep it from going.

The calls are made without letting go of the interpreter's lock, as all of `labkit.linux.syscalls`. They take a
microsecond or two, while who has let go of the lock beside a thread that computes waits five milliseconds to get it
back, and that for every file.

See: pread(2), the kernel's admin-guide/cgroup-v2.rst, `sys.setswitchinterval`.
"""

from __future__ import annotations

import os

from labkit.closing import Closing
from labkit.linux import syscalls
from labkit.linux.cgroup_files import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_ROOM = 8192  # bytes: two pages hold what the kernel says of a machine with a hundred disks
_MORE = 1 << 20


class OpenFiles(Closing):
    """The open files of (name, path), those that there are. Close it, or use it in a ``with``."""

    def __init__(self, files: Iterable[tuple[str, str]]) -> None:
        self._files: list[tuple[str, int, list[Any]]] = []
        for name, path in files:
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                if error.errno not in ABSENT:
                    self.close()
                    raise
                continue
            self._files.append((name, fd, syscalls.prepare("pread64", (fd, _ROOM, 0))))
        if self._files:
            _leave_some(self._files[-1][1])

    def descriptor(self, name: str) -> int:
        """The open file of this name, -1 without one. poll(2) reports POLLPRI on it if the kernel announces changes."""
        return next((fd for known, fd, _ in self._files if known == name), -1)

    def texts(self, *names: str) -> dict[str, str]:
        """What they say at this moment, or those with these names; two of one name are joined, one that has gone says
        nothing."""
        found: dict[str, str] = {}
        for name, fd, words in self._files:
            if names and name not in names:
                continue
            count, error = syscalls.enter(words)
            if error:
                if error not in ABSENT:
                    raise OSError(error, f"pread64: {os.strerror(error)}", name)
                continue
            raw = words[2][:count] if count < _ROOM else os.pread(fd, _MORE, 0)
            found[name] = found.get(name, "") + raw.decode("ascii")
        return found

    def close(self) -> None:
        """Safe to call twice."""
        while self._files:
            os.close(self._files.pop()[1])


def _leave_some(highest: int) -> None:
    """Raise the soft limit on open files where `highest` says that half of them are in use.

    A hundred containers have more files than the 1024 that a process usually may open, and whoever opens the next one,
    in a notebook that is anybody, would be refused. See: getrlimit(2) "RLIMIT_NOFILE".
    """
    import resource  # there is none where a recorded lesson is looked at on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * soft if hard == resource.RLIM_INFINITY else min(4 * soft, hard)
    if highest > soft / 2 and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
