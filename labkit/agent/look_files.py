"""The files that a lab has made: everything in its tmpfs file systems.

The lab host writes to a tmpfs (the upper layer of its root, /run, /tmp, /dev), and a container to its
own upper layer, which lies in the same tmpfs, or to a tmpfs that it mounted. So the whole difference
between "before" and "after" is a walk over a few small trees, taken with descriptors and without ever
following a link: a container may have planted one.

See: openat2(2) RESOLVE_IN_ROOT, tmpfs(5).
"""

from __future__ import annotations

import os
import stat

from labkit.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from labkit.linux.mountinfo import Mount

    Row = dict[str, Any]

_IN_ROOT = 0x10 | 0x02  # RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_MOST = 20_000


def walk(tables: dict[int, list[Mount]]) -> list[Row]:
    """One row a file, from the mount tables by pid: ``pid`` (whose view it is), ``path``, mode, owner.

    Also its size, link target or device number, where it has one.
    """
    rows: list[Row] = []
    seen: set[tuple[int, int]] = set()
    for pid, mounts in tables.items():
        try:
            root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            for mount in mounts:
                if mount.type == "tmpfs":
                    _tree(rows, seen, root, mount, pid)
        finally:
            os.close(root)
    return rows


def _tree(rows: list[Row], seen: set[tuple[int, int]], root: int, mount: Mount, pid: int) -> None:
    how = {"flags": os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, "resolve": _IN_ROOT}
    fd, error, _, _ = syscalls.invoke("openat2", (root, mount.target, how))
    if error:
        return
    try:
        here = os.fstat(fd)
        covered = f"{os.major(here.st_dev)}:{os.minor(here.st_dev)}" != mount.device  # by another mount, a proc say
        if covered or (here.st_dev, here.st_ino) in seen:
            return
        seen.add((here.st_dev, here.st_ino))
        _directory(rows, seen, fd, mount.target.rstrip("/"), here.st_dev, pid)
    finally:
        os.close(fd)


def _directory(rows: list[Row], seen: set[tuple[int, int]], fd: int, path: str, device: int, pid: int) -> None:
    for name in sorted(os.listdir(fd)):
        if len(rows) >= _MOST:
            return
        try:
            info = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError:
            continue
        if info.st_dev != device:
            continue  # another file system is mounted there; tmpfs ones have their own turn
        row: Row = {
            "pid": pid, "path": f"{path}/{name}", "mode": info.st_mode, "uid": info.st_uid, "gid": info.st_gid,
        }  # fmt: skip
        if stat.S_ISREG(info.st_mode):
            row["size"] = info.st_size
        elif stat.S_ISLNK(info.st_mode):
            row["target"] = os.readlink(name, dir_fd=fd)
        elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
            row["device"] = [os.major(info.st_rdev), os.minor(info.st_rdev)]
        rows.append(row)
        if stat.S_ISDIR(info.st_mode) and (info.st_dev, info.st_ino) not in seen:
            seen.add((info.st_dev, info.st_ino))
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                inner = os.open(name, flags, dir_fd=fd)
            except OSError:
                continue
            try:
                _directory(rows, seen, inner, f"{path}/{name}", device, pid)
            finally:
                os.close(inner)
