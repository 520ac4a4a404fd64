"""Becoming root without being root: an outer user namespace for a lab of an ordinary user.

In a new user namespace a process has every capability, over what belongs to that namespace and
nothing else. uid 0 inside is the user's own uid outside; further uids can be had only where
``/etc/subuid`` grants some, through the setuid helper newuidmap(1), which must be called from the
*outer* namespace: hence the second process.

See: user_namespaces(7), newuidmap(1), subuid(5).
"""

from __future__ import annotations

import os

from labkit.linux import syscalls
from labkit.linux.constants import CLONE_NEWNS, CLONE_NEWUSER


def become_root() -> None:
    """Move this process into a user namespace (and a mount namespace owned by it) in which it is root.

    Raises OSError naming the call: EPERM or ENOSPC from unshare where the machine forbids it.
    """
    uid, gid, target = os.getuid(), os.getgid(), os.getpid()
    moved_read, moved_write = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(moved_write)
        os.read(moved_read, 1)  # until the parent is in its new namespace
        done = _map("newuidmap", target, uid, "/etc/subuid") and _map("newgidmap", target, gid, "/etc/subgid")
        os._exit(0 if done else 1)
    os.close(moved_read)
    try:
        syscalls.call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
    finally:
        os.close(moved_write)
        _, status = os.waitpid(helper, 0)
    if status == 0:
        return
    # No helper or no grant: one uid and one gid, and setgroups(2) given up for good (user_namespaces(7)).
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _map(helper: str, target: int, own: int, grants: str) -> bool:
    """Map 0 to `own` and 1… to the range that `grants` gives this user. Runs in the helper process."""
    extent = _grant(grants)
    path = next((f"{d}/{helper}" for d in ("/usr/bin", "/bin") if os.access(f"{d}/{helper}", os.X_OK)), "")
    if not extent or not path:
        return False
    start, count = extent
    pid = os.fork()
    if pid == 0:
        null = os.open("/dev/null", os.O_WRONLY)
        os.dup2(null, 2)
        os.execv(path, [helper, str(target), "0", str(own), "1", "1", str(start), str(count)])
    return os.waitpid(pid, 0)[1] == 0


def _grant(path: str) -> tuple[int, int] | None:
    import pwd

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
        with open(path, encoding="utf-8") as rows:
            for row in rows:
                who, _, extent = row.strip().partition(":")
                if who in (name, str(os.getuid())):
                    start, _, count = extent.partition(":")
                    return int(start), int(count)
    except (OSError, KeyError, ValueError):
        pass
    return None
