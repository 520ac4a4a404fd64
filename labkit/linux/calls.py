"""System calls that have not happened yet.

Each function here has the name and the arguments of a system call and returns an `Intent`: the call as data, to be
shown, counted, sent to another process, and made there. Where a call needs what an earlier one returned, it names it:

- `Ret(0)`       the return value of the first call of the same step
- `Fd("image")`  a file descriptor that the executing process keeps under that name
- `Pid("c1")`    the number by which the executing process knows its child c1
- `Index(3)`     the number of the network link that the kernel told of in what call 3 received

    >>> from labkit.linux.constants import MS_PRIVATE, MS_REC
    >>> mount(None, "/", None, MS_REC | MS_PRIVATE)
    Intent(name='mount', args=(None, '/', None, 278528, None), keep='', tolerate=())

See: syscalls(2); each function's own page in section 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from labkit.linux.constants import AT_FDCWD, CLONE_PARENT, O_CLOEXEC, O_RDONLY, O_TRUNC, O_WRONLY, SIGCHLD


class Ret(NamedTuple):
    """The return value of call `number` (from 0) of the same step."""

    number: int


class Fd(NamedTuple):
    """A file descriptor kept under `name` by the process that executes the step."""

    name: str


class Pid(NamedTuple):
    """The pid of process `name`, in the pid namespace of the process that executes the step."""

    name: str


class Joined(NamedTuple):
    """A string put together where it is used: ``Joined(("/proc/", Pid("c1"), "/uid_map"))``."""

    parts: tuple[str | Pid | Fd, ...]


class Index(NamedTuple):
    """The number of a network link, from the RTM_NEWLINK that call `number` of the same step received."""

    number: int


class Packed(NamedTuple):
    """Bytes put together where they are used; a number among them is an int of four bytes, in the machine's order."""

    parts: tuple[bytes | Pid | Index, ...]


FdLike = int | Ret | Fd
Path = str | Joined


class Intent(NamedTuple):
    """A system call to be made.

    `keep` gives the returned file descriptor a name in the executing process. `tolerate` lists the
    errno values that do not stop the step: they belong to what the step wants to know.
    """

    name: str
    args: tuple[Any, ...]
    keep: str = ""
    tolerate: tuple[int, ...] = ()


def bind(fd: FdLike, address: bytes) -> Intent:
    return Intent("bind", (fd, address))


def capset(*, effective: int, permitted: int, inheritable: int = 0) -> Intent:
    sets = {"effective": effective, "permitted": permitted, "inheritable": inheritable}
    return Intent("capset", ({}, sets))


def chdir(path: str) -> Intent:
    return Intent("chdir", (path,))


def chroot(path: str) -> Intent:
    return Intent("chroot", (path,))


def clone3(child: str, flags: int, *, cgroup: FdLike | None = None) -> Intent:
    """The child is born as the process called `child` and waits there for its own steps.

    With CLONE_PARENT it becomes a sibling, and who is told of its end is the parent's business: clone(2).
    """
    args = {"flags": flags, "exit_signal": 0 if flags & CLONE_PARENT else SIGCHLD}
    return Intent("clone3", (args if cgroup is None else {**args, "cgroup": cgroup},), keep=child)


def close(fd: FdLike) -> Intent:
    return Intent("close", (fd,))


def close_range(first: int, last: int, flags: int) -> Intent:
    return Intent("close_range", (first, last, flags))


def dup3(old: FdLike, new: int, flags: int = 0) -> Intent:
    return Intent("dup3", (old, new, flags))


def execve(path: str, argv: Sequence[str], environment: Mapping[str, str]) -> Intent:
    return Intent("execve", (path, tuple(argv), tuple(f"{k}={v}" for k, v in environment.items())))


def fchdir(fd: FdLike) -> Intent:
    return Intent("fchdir", (fd,))


def fchmodat(path: str, mode: int) -> Intent:
    return Intent("fchmodat", (AT_FDCWD, path, mode))


def fchownat(path: str, uid: int, gid: int, flags: int = 0) -> Intent:
    return Intent("fchownat", (AT_FDCWD, path, uid, gid, flags))


def fsconfig(fd: FdLike, command: int, key: str | None, value: str | None, aux: int = 0) -> Intent:
    return Intent("fsconfig", (fd, command, key, value, aux))


def fsmount(fd: FdLike, flags: int, attributes: int, *, keep: str = "") -> Intent:
    return Intent("fsmount", (fd, flags, attributes), keep)


def fsopen(fstype: str, flags: int, *, keep: str = "") -> Intent:
    return Intent("fsopen", (fstype, flags), keep)


def ioctl(fd: FdLike, request: int, argument: int = 0) -> Intent:
    return Intent("ioctl", (fd, request, argument))


def keyctl_join_session_keyring(name: str | None) -> Intent:
    return Intent("keyctl", (1, name))


def kill(pid: int | Pid, signal: int) -> Intent:
    return Intent("kill", (pid, signal))


def listen(fd: FdLike, backlog: int) -> Intent:
    return Intent("listen", (fd, backlog))


def mkdir(path: str, mode: int = 0o755, *, tolerate: tuple[int, ...] = ()) -> Intent:
    return Intent("mkdirat", (AT_FDCWD, path, mode), "", tolerate)


def mknod(path: str, mode: int, device: int) -> Intent:
    return Intent("mknodat", (AT_FDCWD, path, mode, device))


def mount(source: Path | None, target: str, fstype: str | None, flags: int = 0, data: str | None = None) -> Intent:
    return Intent("mount", (source, target, fstype, flags, data))


def mount_setattr(dirfd: FdLike, path: str, flags: int, **attr: int) -> Intent:
    return Intent("mount_setattr", (dirfd, path, flags, attr))


def move_mount(source: FdLike, target: str, flags: int) -> Intent:
    """Attach the detached mount `source` at `target`. See: move_mount(2)."""
    return Intent("move_mount", (source, "", AT_FDCWD, target, flags))


def open_(path: Path, flags: int = O_RDONLY, mode: int = 0, *, keep: str = "") -> Intent:
    return Intent("openat", (AT_FDCWD, path, flags | O_CLOEXEC, mode), keep)


def open_tree(path: str, flags: int, *, keep: str = "") -> Intent:
    return Intent("open_tree", (AT_FDCWD, path, flags), keep)


def openat2(dirfd: FdLike, path: str, *, keep: str = "", **how: int) -> Intent:
    return Intent("openat2", (dirfd, path, how), keep)


def pidfd_open(pid: int | Pid, *, keep: str = "") -> Intent:
    return Intent("pidfd_open", (pid, 0), keep)


def pidfd_send_signal(pidfd: FdLike, signal: int) -> Intent:
    return Intent("pidfd_send_signal", (pidfd, signal, None, 0))


def pivot_root(new_root: str, put_old: str) -> Intent:
    return Intent("pivot_root", (new_root, put_old))


def prctl(option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> Intent:
    return Intent("prctl", (option, arg2, arg3, arg4, arg5))


def read(fd: FdLike, size: int) -> Intent:
    return Intent("read", (fd, size))


def recv(fd: FdLike, size: int) -> Intent:
    return Intent("recvfrom", (fd, size, 0, None, None))


def rt_sigprocmask(how: int, signals: Sequence[int]) -> Intent:
    """The C library calls it sigprocmask and lets nobody block the two signals that its threads use."""
    return Intent("rt_sigprocmask", (how, tuple(signals), None, 8))


def send(fd: FdLike, data: bytes | Packed) -> Intent:
    return Intent("sendto", (fd, data, 0, None, 0))


def setdomainname(name: str) -> Intent:
    return Intent("setdomainname", (name.encode(),))


def setgroups(gids: Sequence[int]) -> Intent:
    return Intent("setgroups", (len(gids), list(gids)))


def sethostname(name: str) -> Intent:
    return Intent("sethostname", (name.encode(),))


def setns(fd: FdLike, nstype: int) -> Intent:
    return Intent("setns", (fd, nstype))


def setresgid(rgid: int, egid: int, sgid: int) -> Intent:
    return Intent("setresgid", (rgid, egid, sgid))


def setresuid(ruid: int, euid: int, suid: int) -> Intent:
    return Intent("setresuid", (ruid, euid, suid))


def setsid() -> Intent:
    return Intent("setsid", ())


def socket(domain: int, kind: int, protocol: int, *, keep: str = "") -> Intent:
    return Intent("socket", (domain, kind, protocol), keep)


def symlink(target: str, path: str) -> Intent:
    return Intent("symlinkat", (target, AT_FDCWD, path))


def umask(mask: int) -> Intent:
    return Intent("umask", (mask,))


def umount2(target: str, flags: int = 0) -> Intent:
    return Intent("umount2", (target, flags))


def unlink(path: str, flags: int = 0) -> Intent:
    """flags=AT_REMOVEDIR makes it rmdir(2)."""
    return Intent("unlinkat", (AT_FDCWD, path, flags))


def unshare(flags: int) -> Intent:
    return Intent("unshare", (flags,))


def msgget(key: int, flags: int) -> Intent:
    return Intent("msgget", (key, flags))


def wait4(pid: int | Pid, options: int = 0) -> Intent:
    return Intent("wait4", (pid, 0, options, None))


def write(fd: FdLike, data: bytes | Joined) -> Intent:
    return Intent("write", (fd, data))


def write_file(path: Path, text: str, *, at: int = 0, truncate: bool = False) -> Iterator[Intent]:
    """open, write, close: three calls. `at` is the number of calls of the step before these.

    One write(2) and no more: files of /proc take a map or a limit whole or not at all.
    """
    yield open_(path, O_WRONLY | (O_TRUNC if truncate else 0))
    yield write(Ret(at), text.encode())
    yield close(Ret(at))
