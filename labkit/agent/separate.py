"""Directories of the machine that are mounts of their own, in the root of a lab host that is root.

The lab host's root is an overlay on /, and an overlay does not cross mounts: where /usr is a file system of its own,
it would show the empty directory below, and the lab host would have no programs. So each such directory gets an
overlay as well, writable and gone with the lab like the first. What cannot be the lower layer of one (a file, some
file systems) is shown read-only.

Brought in are the top directories, and mounts below those that hold programs. Not: what the lab host mounts itself;
network file systems without programs, because one that does not answer would stop every lab; and all that is mounted
deeper (disks in /media, containers in /var/lib), because a copy keeps a file system in use on the machine.

See: Documentation/filesystems/overlayfs.rst "Multiple lower layers", proc(5) "/proc/pid/mountinfo", open_tree(2).
"""

from __future__ import annotations

import os

from labkit.agent import birth
from labkit.linux import mountinfo, syscalls
from labkit.linux.constants import (
    AT_FDCWD,
    MOUNT_ATTR_RDONLY,
    MOVE_MOUNT_F_EMPTY_PATH,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.linux.mountinfo import Mount

OWN = ("dev", "proc", "run", "sys", "tmp")  # the lab host mounts its own
_PROGRAMS = ("bin", "etc", "gnu", "lib", "lib32", "lib64", "libx32", "nix", "opt", "sbin", "usr")
_REMOTE = ("9p", "afs", "autofs", "ceph", "cifs", "fuse", "glusterfs", "nfs", "nfs4", "smb3")
_FLAGS = {"nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC}


def wanted(mounts: Sequence[Mount]) -> list[Mount]:
    """Which of the machine's mounts the lab host shows, those above before those below; none that another hides."""
    chosen = [mount for mount in mounts if _is_wanted(mount) and mountinfo.covering(mounts, mount.target) is mount]
    return sorted(chosen, key=lambda mount: mount.target.count("/"))


def _is_wanted(mount: Mount) -> bool:
    top, below, _ = mount.target[1:].partition("/")
    if not top or top in OWN:
        return False
    return top in _PROGRAMS or not (below or mount.type.partition(".")[0] in _REMOTE)


def show(mount: Mount, root: str, layers: str) -> None:
    """Mount it in `root`, where it is on the machine; its upper layer goes into the new directory `layers`.

    Raises OSError naming the call, for a place of programs. Any other stays the empty directory that it covers.
    """
    try:
        if not os.path.isdir(mount.target) or not _overlay(mount, root, layers):
            _copy(mount, root)
    except OSError:
        if mount.target.split("/")[1] in _PROGRAMS:
            raise


def _overlay(mount: Mount, root: str, layers: str) -> bool:
    """An overlay with the mount's own restrictions; False where its file system cannot be a lower layer."""
    for name in ("", "/upper", "/work"):
        os.mkdir(f"{layers}{name}", 0o755)
    there = os.stat(mount.target)
    os.chown(f"{layers}/upper", there.st_uid, there.st_gid)  # the merged directory has the owner and the mode of this
    os.chmod(f"{layers}/upper", there.st_mode & 0o7777)
    flags = sum(flag for word, flag in _FLAGS.items() if word in mount.options)
    options = f"lowerdir={_escaped(mount.target)},upperdir={layers}/upper,workdir={layers}/work"
    _, error, _, _ = syscalls.invoke("mount", ("overlay", f"{root}{mount.target}", "overlay", flags, options))
    return not error


def _escaped(path: str) -> str:
    """A path as an option of overlayfs, which separates options at commas and layers at colons."""
    return path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")


def _copy(mount: Mount, root: str) -> None:
    tree = birth.detached(mount.target, MOUNT_ATTR_RDONLY)
    try:
        syscalls.call("move_mount", tree, "", AT_FDCWD, f"{root}{mount.target}", MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree)
