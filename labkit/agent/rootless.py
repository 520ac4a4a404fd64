"""Becoming root without being root: an outer user namespace for a lab of an ordinary user.

In a new user namespace a process has every capability, over what belongs to that namespace and
nothing else. uid 0 inside is the user's own uid outside; further uids can be had only where
``/etc/subuid`` grants some, through the setuid helper newuidmap(1), which must be called from the
*outer* namespace: hence the second process.

See: user_namespaces(7), newuidmap(1), subuid(5).
"""

from __future__ import annotations

import os
import sys

from labkit.agent import subordinate
from labkit.linux import proc, syscalls
from labkit.linux.constants import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWUTS

#: with those into which the supervisor looks in from here: setns(2) lets it come back only to what its own
#: user namespace owns
_OWNED = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET


def everywhere() -> bool:
    """Whether uid 0 here is that of the machine, and not of some user namespace (of a container, say)."""
    return os.geteuid() == 0 and proc.id_map("self", "uid") == [(0, 0, 0xFFFFFFFF)]


def become_root() -> None:
    """Make this process root of a user namespace. It has to go on as a new program: see `begin_again`.

    Raises OSError naming the call: EPERM or ENOSPC from unshare where the machine forbids it.
    """
    uid, gid, target = os.getuid(), os.getgid(), os.getpid()
    moved_read, moved_write = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(moved_write)
        if os.read(moved_read, 1):  # the parent is in its new namespace; at its death or failure there is nothing to do
            _map("newuidmap", target, subordinate.layout(uid, subordinate.grants("/etc/subuid")))
            _map("newgidmap", target, subordinate.layout(gid, subordinate.grants("/etc/subgid")))
        os._exit(0)
    os.close(moved_read)
    try:
        syscalls.call("unshare", CLONE_NEWUSER)
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


def begin_again(control: int, place: str) -> None:
    """Exec the agent once more, now that it is root, with `control` as its standard input. Does not return.

    A process's memory belongs to the user namespace in which it called execve(2). Ours would be the machine's for
    ever, and its root alone could look into what we fork as soon as that has changed its uid: ptrace(2) "Ptrace
    access mode checking". `place` is where labs of this user live: by now we look like another.
    """
    os.dup2(control, 0)
    os.execve(sys.executable, sys.orig_argv, {**os.environ, "LABKIT_RUN": place})


def own_namespaces() -> None:
    """Further namespaces that belong to the user namespace in which we are root."""
    syscalls.call("unshare", _OWNED)


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


def _map(helper: str, target: int, extents: list[subordinate.Extent]) -> None:
    """Let the setuid `helper` write the map, if it is there and something was granted. Runs in the helper process."""
    path = next((f"{d}/{helper}" for d in ("/usr/bin", "/bin") if os.access(f"{d}/{helper}", os.X_OK)), "")
    if len(extents) == 1 or not path:
        return
    pid = os.fork()
    if pid == 0:
        null = os.open("/dev/null", os.O_WRONLY)
        os.dup2(null, 2)
        os.execv(path, [helper, str(target), *(str(number) for extent in extents for number in extent)])
    os.waitpid(pid, 0)
