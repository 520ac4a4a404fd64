"""How a lab host comes into the machine, and what it is handed there.

It is born by one clone3, in all its namespaces and in its cgroup at once, so that there is no moment at which it is
half a lab host. What it should have of the machine's file systems comes to it as a detached mount: a tree that is
mounted nowhere until it mounts it itself, in a namespace to which no path leads from ours.

See: clone(2), open_tree(2), mount_setattr(2).
"""

from __future__ import annotations

import os

from labkit.linux import syscalls
from labkit.linux.constants import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_RECURSIVE,
    CLONE_INTO_CGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MS_PRIVATE,
    O_CLOEXEC,
    OPEN_TREE_CLONE,
    SIGCHLD,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_NAMESPACES = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC


class Host:
    """One running lab host, as its supervisor knows it."""

    def __init__(self, pid: int, sock: socket.socket, cgroup: str) -> None:
        self.pid, self.sock, self.cgroup = pid, sock, cgroup

    def ended(self) -> bool:
        """Whether it is dead already; it stays our zombie, so that its number stays its own."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def bear(cgroup: str, become: Callable[[], None]) -> int:
    """clone3: a child in new namespaces, and in `cgroup` unless that is empty, calls `become`, and never returns.

    Its pid. Raises OSError.
    """
    clone = {"flags": _NAMESPACES, "exit_signal": SIGCHLD}
    directory = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if cgroup else -1
    if cgroup:
        clone |= {"flags": _NAMESPACES | CLONE_INTO_CGROUP, "cgroup": directory}
    pid, error, _, _ = syscalls.invoke("clone3", (clone,))
    if pid == 0:
        try:
            if cgroup:
                os.close(directory)
            become()
        finally:
            os._exit(1)  # whatever happens in the child, it must not go on as a second supervisor
    if cgroup:
        os.close(directory)
    if error:
        raise OSError(error, f"clone3: {os.strerror(error)}")
    return pid


def detached(path: str, attributes: int) -> int:
    """A copy of the mount tree at `path` that is mounted nowhere yet. Raises OSError, or ValueError for a NUL."""
    tree = syscalls.call("open_tree", AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE)
    try:
        attr = {"attr_set": attributes, "propagation": MS_PRIVATE}
        syscalls.call("mount_setattr", tree, "", AT_EMPTY_PATH | AT_RECURSIVE, attr)
    except OSError:
        os.close(tree)
        raise
    return int(tree)
