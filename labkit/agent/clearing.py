"""What the kernel leaves behind when a container's last process is gone, and how it is taken away.

A cgroup directory and an upper layer stay until somebody removes them. Without a pid namespace processes
may stay as well, and without a mount namespace its mounts. All of it is cleared by the one process that
reaps the container, so a failure here must not end that process: it is told, and the lab goes on.

See: cgroups(7) "cgroup.kill", umount(2), openat2(2) "RESOLVE_NO_XDEV".
"""

from __future__ import annotations

import errno
import os

from labkit.linux import cgroup2, syscalls
from labkit.linux.constants import (
    MNT_DETACH,
    MS_PRIVATE,
    MS_REC,
    O_CLOEXEC,
    O_DIRECTORY,
    O_NOFOLLOW,
    RESOLVE_NO_XDEV,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_CGROUPS = ("/sys/fs/cgroup", "/run/cgroup1")  # of version 2, and where the trees of version 1 hang


def clear(what: Mapping[str, Sequence[str]], reap: Callable[[], None]) -> str:
    """Remove ``cgroups`` with all that still lives in them, ``mounts`` and ``trees``; returns what went wrong.

    `reap` buries those of our own children that are dead by then.
    """
    try:
        for path in what.get("cgroups", ()):
            end_cgroup(path, reap)
        for path in what.get("mounts", ()):
            unmount(path)
        for path in what.get("trees", ()):
            if not remove_untouched(path):
                remove_tree(path)
    except (OSError, ValueError) as error:
        return f"not everything could be cleared: {error}"
    return ""


def end_cgroup(path: str, reap: Callable[[], None]) -> None:
    """Remove a cgroup; who still lives in it (a child that outlived its container) is killed first.

    In version 1 the dead are in it until they are buried, and one may be ours: who was on the way into the container.
    """
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
            raise
        root = next(root for root in _CGROUPS if path.startswith(f"{root}/"))
        if root == _CGROUPS[0]:  # and whoever is in a cgroup of version 1 is here as well
            cgroup2.kill(path, root=root)
        reap()
        cgroup2.remove(path, root=root)


def unmount(path: str) -> None:
    """Take away what is mounted at `path` and below, in use or not. Nothing mounted there is no error.

    Private first: /sys was bound there from a shared mount, and taking a mount off one peer takes it off all.
    """
    for call in (("mount", (None, path, None, MS_REC | MS_PRIVATE, None)), ("umount2", (path, MNT_DETACH))):
        _, error, _, _ = syscalls.invoke(*call)
        if error in (errno.EINVAL, errno.ENOENT):
            return
        if error:
            raise OSError(error, os.strerror(error), path)


def remove_untouched(path: str) -> bool:
    """Remove the directories of an overlay into which nothing was written: most are such, and a walk costs 40 calls."""
    try:
        for empty in ("upper", "work/work", "work", "root", ""):
            os.rmdir(f"{path}/{empty}")
    except OSError:
        return False
    return True


def remove_tree(path: str) -> None:
    """rm -rf for what a stranger has filled: it follows no link, enters no mount, and has no depth limit.

    One descriptor walks down and up again; a tree deeper than the limit on open files, or than Python's
    stack, is no more than a longer walk. Raises OSError EXDEV or EBUSY at a mount point.
    """
    above, name = os.path.split(path)
    try:
        here = os.open(above or ".", O_DIRECTORY | O_CLOEXEC)
    except FileNotFoundError:
        return
    waiting = [[name]]  # for each level the names that are still to be removed
    try:
        while waiting:
            if waiting[-1]:
                below = _remove(here, waiting[-1])
                if below is not None:
                    os.close(here)
                    here = below
                    waiting.append(_directories(here))
                continue
            waiting.pop()
            if waiting:
                up = os.open("..", O_DIRECTORY | O_CLOEXEC, dir_fd=here)
                os.close(here)
                here = up
    finally:
        os.close(here)


def _remove(here: int, names: list[str]) -> int | None:
    """Remove the last of `names` (and forget it), or open it where it is a directory with something in it."""
    name = names[-1]
    try:
        os.rmdir(name, dir_fd=here)
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        os.unlink(name, dir_fd=here)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        how = {"flags": O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, "resolve": RESOLVE_NO_XDEV}
        return syscalls.call("openat2", here, name, how)
    names.pop()
    return None


def _directories(here: int) -> list[str]:
    """The directories in the open one; whatever else is in it is removed at once."""
    found = []
    for name in os.listdir(here):
        try:
            os.unlink(name, dir_fd=here)
        except IsADirectoryError:
            found.append(name)
    return found
