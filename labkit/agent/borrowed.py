"""The lower layer of a rootless lab host: the machine's top level, with its directories borrowed read-only.

As root the lab host's root is an overlay on / itself. A user namespace may not do that: the mounts below / came
from a more privileged one and are locked, and a lower layer in which they would be missing would show what they
hide (mount_namespaces(7) "Restrictions on mount namespaces"; the kernel says EINVAL). So the layer is a skeleton in
the lab host's own tmpfs, and each directory with something in it is mounted over it with all its mounts, and
read-only: what the user owns outside belongs to root in here, and is not the lab's to change.

See: open_tree(2), mount_setattr(2), user_namespaces(7).
"""

from __future__ import annotations

import os

from labkit.agent.separate import OWN
from labkit.linux import syscalls
from labkit.linux.constants import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_RECURSIVE,
    MOUNT_ATTR_RDONLY,
    MOVE_MOUNT_F_EMPTY_PATH,
    O_CLOEXEC,
    OPEN_TREE_CLONE,
)


class Borrowed:
    """The machine's directories, each as a detached read-only copy of its mount tree.

    Taken before the lab host mounts anything: its own mounts may be made below one of them.
    """

    def __init__(self) -> None:
        self.entries = [entry for entry in os.scandir("/") if entry.is_dir() or entry.is_symlink()]
        self.trees = {entry.name: _copy(entry.path) for entry in self.entries if _worth_it(entry)}

    def skeleton(self, directory: str) -> str:
        """Make the skeleton of / in `directory`, which must not exist; returns it, to be a lower layer."""
        os.mkdir(directory, 0o755)
        for entry in self.entries:
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), f"{directory}/{entry.name}")
            else:
                os.mkdir(f"{directory}/{entry.name}", 0o755)
        return directory

    def mount(self, root: str) -> None:
        """Hang the copies over the skeleton's directories in `root`."""
        for name, tree in sorted(self.trees.items()):
            syscalls.call("move_mount", tree, "", AT_FDCWD, f"{root}/{name}", MOVE_MOUNT_F_EMPTY_PATH)
            os.close(tree)


def _copy(path: str) -> int:
    tree = syscalls.call("open_tree", AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE)
    syscalls.call("mount_setattr", tree, "", AT_EMPTY_PATH | AT_RECURSIVE, {"attr_set": MOUNT_ATTR_RDONLY})
    return tree


def _worth_it(entry: os.DirEntry[str]) -> bool:
    """Whether there is something in it that may be seen: an empty one is more use as a place to mount on."""
    if entry.name in OWN or entry.is_symlink():
        return False
    try:
        return bool(os.listdir(entry.path))
    except OSError:  # somebody else's
        return False
