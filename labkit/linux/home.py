"""Where a user's data lies, also for a uid that no account file knows.

OpenShift and some hubs start a container as a uid without an entry in /etc/passwd; then HOME is missing, or /, or
names a directory that the uid may not write. What `./lab` starts has a HOME in that case (setup/lib.sh), and so has
what the command `labkit` starts (`provide`). `data` is for any other Python, too.

See: the XDG base directory specification, environ(7) "HOME".
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from functools import cache


def data() -> str:
    """The directory of this user's data: $XDG_DATA_HOME, or .local/share in the home or in what serves as one.

    That is a directory in the temporary one, made when missing. Where another user has taken its name, it is one that
    no other process will find: nothing is read from a directory in which others may write.
    """
    return os.environ.get("XDG_DATA_HOME") or os.path.join(_home(), ".local", "share")


def provide() -> None:
    """Give this process, and what it will start, a HOME, if it has none that serves: Jupyter and IPython want one."""
    if hasattr(os, "geteuid"):
        os.environ["HOME"] = _home()


def _home() -> str:
    home = os.path.expanduser("~")
    if not hasattr(os, "geteuid") or (os.path.isabs(home) and os.path.isdir(home) and os.access(home, os.W_OK)):
        return home
    return _own(os.path.join(tempfile.gettempdir(), f"labkit-home-{os.geteuid()}"))


@cache
def _own(path: str) -> str:
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    there = os.lstat(path)
    ours = stat.S_ISDIR(there.st_mode) and there.st_uid == os.geteuid() and not there.st_mode & 0o022
    return path if ours else tempfile.mkdtemp(prefix=f"{os.path.basename(path)}-")
