"""Becoming root without being root: an outer user namespace for a lab of an ordinary user.

In a new user namespace a process has every capability, over what belongs to that namespace and
nothing else. uid 0 inside is the user's own uid outside; further uids can be had only where
``/etc/subuid`` grants some, through the setuid helper newuidmap(1), which must be called from the
*outer* namespace: hence the second process.

See: user_namespaces(7), newuidmap(1), subuid(5).
"""

from __future__ import annotations

import os

from labkit.linux import proc, syscalls
from labkit.linux.constants import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWUTS

#: with those into which the supervisor looks in from here: setns(2) lets it come back only to what its own
#: user namespace owns
_OWNED = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET


def everywhere() -> bool:
    """Whether uid 0 here is that of the machine, and not of some user namespace (of a container, say)."""
    return os.geteuid() == 0 and proc.id_map("self", "uid") == [(0, 0, 0xFFFFFFFF)]


def become_root() -> None:
    """Move this process into a user namespace (and others owned by it) in which it is root, if it is not yet.

    Raises OSError naming the call: EPERM or ENOSPC from unshare where the machine forbids it.
    """
    if os.geteuid() == 0:
        syscalls.call("unshare", _OWNED)
        return
    uid, gid, target = os.getuid(), os.getgid(), os.getpid()
    moved_read, moved_write = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(moved_write)
        if os.read(moved_read, 1):  # the parent is in its new namespace; at its death or failure there is nothing to do
            _map("newuidmap", target, uid, "/etc/subuid")
            _map("newgidmap", target, gid, "/etc/subgid")
        os._exit(0)
    os.close(moved_read)
    try:
        syscalls.call("unshare", CLONE_NEWUSER | _OWNED)
        os.write(moved_write, b"!")
    finally:
        os.close(moved_write)
        os.waitpid(helper, 0)
    # No helper or no grant: one uid and one gid, and setgroups(2) given up for good (user_namespaces(7)).
    if not proc.id_map("self", "uid"):
        _write("uid_map", f"0 {uid} 1")
    if not proc.id_map("self", "gid"):
        _write("setgroups", "deny")
        _write("gid_map", f"0 {gid} 1")


def _write(name: str, text: str) -> None:
    path = f"/proc/self/{name}"
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        error.filename = path  # write(2) knows only a number
        raise
    finally:
        os.close(fd)


def _map(helper: str, target: int, own: int, grants: str) -> None:
    """Map 0 to `own` and 1… to the range that `grants` gives this user, if any. Runs in the helper process."""
    extent = _grant(grants)
    path = next((f"{d}/{helper}" for d in ("/usr/bin", "/bin") if os.access(f"{d}/{helper}", os.X_OK)), "")
    if not extent or not path:
        return
    start, count = extent
    pid = os.fork()
    if pid == 0:
        null = os.open("/dev/null", os.O_WRONLY)
        os.dup2(null, 2)
        os.execv(path, [helper, str(target), "0", str(own), "1", "1", str(start), str(count)])
    os.waitpid(pid, 0)


def _grant(path: str) -> tuple[int, int] | None:
    import pwd

    name = ""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a uid without a name may have a grant all the same
        pass
    try:
        with open(path, encoding="utf-8") as rows:
            for row in rows:
                who, _, extent = row.strip().partition(":")
                if who in (name, str(os.getuid())):
                    start, _, count = extent.partition(":")
                    return int(start), int(count)
    except (OSError, ValueError):
        pass
    return None
