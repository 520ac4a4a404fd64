"""Where a user's data lies, also for a uid that no account file knows.

OpenShift and some hubs start a container as a uid without an entry in /etc/passwd; then HOME is missing, or /, or
names a directory that the uid may not write. What `./lab` starts has a HOME in that case (setup/lib.sh); this is for a
Python that was started by something else.

See: the XDG base directory specification, environ(7) "HOME".
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from functools import cache


def data() -> str:
    """The directory of this user's data: $XDG_DATA_HOME, or ~/.local/share, or one in the temporary directory.

    The last is made when missing. Where another user has taken its name, it is one that lives as long as this process
    is of use: nothing is read from a directory in which others may write.
    """
    if chosen := os.environ.get("XDG_DATA_HOME"):
        return chosen
    home = os.path.expanduser("~")
    if (os.path.isabs(home) and os.path.isdir(home) and os.access(home, os.W_OK)) or not hasattr(os, "geteuid"):
        return os.path.join(home, ".local", "share")
    return _own(os.path.join(tempfile.gettempdir(), f"labkit-data-{os.geteuid()}"))


@cache
def _own(path: str) -> str:
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    there = os.lstat(path)
    ours = stat.S_ISDIR(there.st_mode) and there.st_uid == os.geteuid() and not there.st_mode & 0o022
    return path if ours else tempfile.mkdtemp(prefix=f"{os.path.basename(path)}-")
