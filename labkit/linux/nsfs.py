"""Namespaces as files: asking one whose it is, what it lies in and what kind it is.

``/proc/PID/ns/uts`` opened gives a file descriptor that *is* the namespace: it keeps it alive after
its last process, setns(2) enters it, and ioctl(2) asks it about its relations. The files live in a file
system of their own, nsfs, and their inode number is the namespace's identity.

    >>> import os
    >>> from labkit.linux import nsfs
    >>> fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    >>> nsfs.kind(fd)
    'net'
    >>> owner = nsfs.userns(fd)         # the user namespace whose root may configure this network

See: ioctl_ns(2) (once ioctl_nsfs(2)), namespaces(7), setns(2).
"""

from __future__ import annotations

import os
import struct

from labkit.linux.constants.ioctls import (
    NS_GET_NSTYPE,
    NS_GET_OWNER_UID,
    NS_GET_PARENT,
    NS_GET_USERNS,
    SIOCGSKNS,
)
from labkit.linux.constants.process import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
)


class Kind:
    """One kind of namespace: its name in /proc/PID/ns, its CLONE_ flag, and the manual page that explains it.

    `file` is the link of the process's own namespace, `children` that in which its next child will be born.
    """

    __slots__ = ("children", "file", "flag", "isolates", "man", "name")

    def __init__(self, name: str, flag: int, man: str, isolates: str, *, deferred: bool = False) -> None:
        self.name = name
        self.flag = flag
        self.man = man
        self.isolates = isolates
        self.file = f"ns/{name}"
        # unshare of these two does not move the caller, only the children it has afterwards.
        self.children = f"ns/{name}_for_children" if deferred else self.file

    def __repr__(self) -> str:
        return f"<Kind {self.name} {self.flag:#x}>"


#: name: kind, in the order in which Linux got them (2002, 2006, 2006, 2008, 2009, 2013, 2016, 2020).
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("mnt", CLONE_NEWNS, "mount_namespaces(7)", "mount points"),
        Kind("uts", CLONE_NEWUTS, "uts_namespaces(7)", "hostname and NIS domain name"),
        Kind("ipc", CLONE_NEWIPC, "ipc_namespaces(7)", "System V IPC and POSIX message queues"),
        Kind("pid", CLONE_NEWPID, "pid_namespaces(7)", "process ids", deferred=True),
        Kind("net", CLONE_NEWNET, "network_namespaces(7)", "interfaces, addresses, routes, ports, rules"),
        Kind("user", CLONE_NEWUSER, "user_namespaces(7)", "user and group ids, capabilities, keyrings"),
        Kind("cgroup", CLONE_NEWCGROUP, "cgroup_namespaces(7)", "the root of the cgroup tree"),
        Kind("time", CLONE_NEWTIME, "time_namespaces(7)", "monotonic and boot-time clocks", deferred=True),
    )
}

_BY_FLAG = {kind.flag: kind.name for kind in KINDS.values()}


def supported(proc: str = "/proc") -> tuple[str, ...]:
    """The names of the kinds that the running kernel was built with, in the order of `KINDS`."""
    present = set(os.listdir(f"{proc}/self/ns"))
    return tuple(name for name in KINDS if name in present)


def kind_of_flag(flag: int) -> str:
    """The name of the kind that a CLONE_NEW* flag makes. Raises KeyError for any other flag."""
    return _BY_FLAG[flag]


def flags_of(names: tuple[str, ...] | list[str]) -> int:
    """The flags of these kinds together. Raises ValueError for a kind that Linux has not."""
    flags = 0
    for name in names:
        if name not in KINDS:
            raise ValueError(f"no namespace kind {name!r}; there are {', '.join(KINDS)}")
        flags |= KINDS[name].flag
    return flags


def _ioctl(fd: int, request: int) -> int:
    from fcntl import ioctl  # here, since `KINDS` is of use where there is no Linux too

    return ioctl(fd, request)


def identity(fd: int) -> int:
    """The inode number. While the namespace lives, nothing else has it; afterwards it may be used again."""
    return os.fstat(fd).st_ino


def nstype(fd: int) -> int:
    """The CLONE_NEW* flag of an open namespace. Raises OSError ENOTTY for a file that is none."""
    return _ioctl(fd, NS_GET_NSTYPE)


def kind(fd: int) -> str:
    """The name of its kind, as in `KINDS`."""
    return _BY_FLAG[nstype(fd)]


def userns(fd: int) -> int:
    """A new file descriptor of the user namespace that owns it; for a user namespace, of its parent.

    Raises PermissionError if the owner lies outside the caller's own user namespace.
    """
    return _ioctl(fd, NS_GET_USERNS)


def parent(fd: int) -> int:
    """A new file descriptor of the namespace it lies in; only user and pid namespaces are nested.

    Raises PermissionError at the outermost one or where the parent is out of the caller's sight,
    OSError EINVAL for the kinds that form no tree.
    """
    return _ioctl(fd, NS_GET_PARENT)


def owner_uid(fd: int) -> int:
    """The user who made this *user* namespace, as an id in the caller's one. OSError EINVAL for other kinds."""
    from fcntl import ioctl

    word = ioctl(fd, NS_GET_OWNER_UID, struct.pack("I", 0))
    uid: int = struct.unpack("I", word)[0]
    return uid


def of_socket(fd: int) -> int:
    """A new file descriptor of the network namespace in which a socket was born. Needs CAP_NET_ADMIN there."""
    return _ioctl(fd, SIOCGSKNS)
