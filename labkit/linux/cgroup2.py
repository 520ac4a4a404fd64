"""The cgroup2 tree: where it is, where we are in it, and how to make, empty and remove a group.

A cgroup is a directory. mkdir makes one, writing a pid into its ``cgroup.procs`` moves a process in,
children are born where their parent is, and rmdir removes it once nobody lives in it. On most machines
the tree is mounted at /sys/fs/cgroup. Where version 1 is still in charge ("hybrid") it hangs beside
the old hierarchies, at /sys/fs/cgroup/unified, without their controllers, and yet it can hold, freeze and kill.

    >>> from labkit.linux import cgroup2
    >>> cgroup2.mode(), cgroup2.own()
    ('hybrid', '/sys/fs/cgroup/unified/user.slice')

Everything that ends or removes takes `root`, a directory that the caller owns, and refuses to
work on anything but what lies below it; on the way down no symbolic link is followed.

See: cgroups(7), cgroup_namespaces(7), the kernel's admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import errno
import os
import time

from labkit.linux import mountinfo, names, proc
from labkit.linux.cgroup_files import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labkit.linux.mountinfo import Mount
    from labkit.linux.proc import Pid, Root

_SIGKILL = 9
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def mode(mounts: Sequence[Mount] | None = None) -> str:
    """``v2``: cgroup2 alone; ``hybrid``: beside version 1; ``v1``: version 1 alone; ``none``: neither is mounted."""
    types = {mount.type for mount in visible(mountinfo.read() if mounts is None else mounts)}
    if "cgroup2" in types:
        return "hybrid" if "cgroup" in types else "v2"
    return "v1" if "cgroup" in types else "none"


def own(pid: Pid = "self", root: Root = "/proc") -> str:
    """The directory of the cgroup that process `pid` is in, as seen here. Raises LookupError with the reason."""
    paths = [path for hierarchy, _, path in proc.cgroup_lines(pid, root) if hierarchy == 0]
    if not paths:
        raise LookupError("/proc/PID/cgroup has no line 0:: ; this kernel has cgroup2 neither mounted nor in use")
    return locate(mountinfo.read(root=root), paths[0])


def locate(mounts: Sequence[Mount], path: str, words: str = "") -> str:
    """The directory of the cgroup that /proc/PID/cgroup calls `path`.

    `words` is what that line says of its tree: ``cpu,cpuacct`` or ``name=systemd`` of version 1, nothing of version 2.
    Both `path` and the root of a mount are told relative to the reader's cgroup namespace, so one is
    below the other or it is not; a ``..`` in the remainder would be a name that nobody tells us. Of
    several mounts that show the cgroup, one that may be written to is preferred. Raises LookupError.
    """
    if path.endswith(" (deleted)"):
        raise LookupError(f"the cgroup {path.removesuffix(' (deleted)')} has been removed")
    found: list[tuple[bool, str]] = []
    listed = set(words.split(",")) if words else set()
    kind, tree = ("cgroup", words) if words else ("cgroup2", "cgroup2")
    candidates = [mount for mount in visible(mounts) if mount.type == kind and listed <= {*mount.super_options}]
    for mount in candidates:
        top, wanted = _components(mount.root), _components(path)
        below = wanted[len(top) :]
        if wanted[: len(top)] == top and ".." not in below:
            found.append(("rw" not in mount.options, os.path.join(mount.target, *below)))
    if found:
        return min(found, key=lambda each: each[0])[1]
    if not candidates:
        mount_it = f"mount -t {kind} -o {words} none DIRECTORY" if words else "mount -t cgroup2 none /sys/fs/cgroup"
        raise LookupError(f"no {tree} file system is mounted; try: {mount_it}")
    shown = ", ".join(f"{mount.root} on {mount.target}" for mount in candidates)
    raise LookupError(
        f"the cgroup {path} lies in no {tree} mount that is to be seen here ({shown}); "
        "a mount made outside this cgroup namespace shows another tree: mount a fresh one"
    )


def make(parent: str, name: str) -> str:
    """Make the cgroup `name` in the directory `parent`; returns its path. FileExistsError if it is there already."""
    path = os.path.join(parent, names.valid_name(name))
    os.mkdir(path)
    return path


def procs(path: str) -> list[int]:
    """The pids in the cgroup and in all below it, ascending.

    Processes that the reader's pid namespace cannot name are told as 0, and left out: kill(0) would hit ourselves.
    """
    found: set[int] = set()
    for directory in _tree(path):
        try:
            found.update(int(line) for line in _read(f"{directory}/cgroup.procs").split())
        except OSError as error:
            # Gone meanwhile; or a threaded group, whose processes its nearest domain lists.
            if error.errno not in ABSENT:
                raise
    return sorted(found - {0})


def populated(path: str) -> bool:
    """Whether a process that is not a zombie lives in it or below; False for a cgroup that is gone."""
    return _event(path, "populated")


def kill(path: str, *, root: str, timeout: float = 5.0) -> None:
    """SIGKILL every process in the cgroup and below it, those being forked included. A cgroup that is gone is no error.

    Writing to ``cgroup.kill`` (Linux 5.14) does it in one go. Without that file: freeze, so that none
    can fork or die and give its pid away, signal each, thaw. Raises TimeoutError if some still live
    after `timeout` seconds (uninterruptible sleep, mostly).
    """
    deadline = time.monotonic() + timeout
    fd = _open(path, root)
    if fd is None:
        return
    try:
        _write("cgroup.kill", "1", fd)
    except FileNotFoundError:
        _kill_one_by_one(path, root, deadline)
    finally:
        os.close(fd)
    if not _poll(lambda: not populated(path), deadline):
        raise TimeoutError(errno.ETIMEDOUT, f"processes {procs(path)} do not die; see /proc/PID/stack", path)


def freeze(path: str, frozen: bool = True, *, root: str, timeout: float = 5.0) -> None:
    """Stop every process in the cgroup and below it where it stands, or let them go on; returns when it is so."""
    fd = _open(path, root)
    if fd is None:
        raise FileNotFoundError(errno.ENOENT, "no such cgroup", path)
    try:
        _write("cgroup.freeze", "1" if frozen else "0", fd)
    finally:
        os.close(fd)
    if not _poll(lambda: _event(path, "frozen") == frozen, time.monotonic() + timeout):
        raise TimeoutError(errno.ETIMEDOUT, f"cgroup.freeze={int(frozen)} does not take effect", path)


def remove(path: str, *, root: str, timeout: float = 2.0) -> None:
    """Remove the cgroup and all below it, leaves first. A cgroup that is gone is no error.

    rmdir answers EBUSY while a process lives inside, and for a moment after the last one died: so it is
    tried again until `timeout` seconds are over, then OSError EBUSY tells who lives there. Kills nobody.
    """
    deadline = time.monotonic() + timeout
    name = os.path.basename(path)
    if name in ("", ".", ".."):
        raise ValueError(f"{path} does not end in the name of a cgroup")
    above = _open(os.path.dirname(path), root, itself=True)
    if above is None:
        return
    # One descriptor and a list of names, however deep a container has nested its groups.
    here, trail = above, [name]
    try:
        while trail:
            try:
                os.rmdir(trail[-1], dir_fd=here)
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                    raise
                below = _enter(trail[-1], here)
                child = next(_subdirectories(below), None) if below is not None else None
                if child is not None and below is not None:
                    os.close(here)
                    here = below
                    trail.append(child)
                    continue
                if below is not None:
                    os.close(below)
                if time.monotonic() > deadline:
                    raise OSError(errno.EBUSY, f"cgroup still in use by processes {procs(path)}", path) from None
                time.sleep(0.002)
                continue
            trail.pop()
            if trail:
                up = _enter("..", here)
                if up is None:  # another has removed the directory under us; begin again with what is left
                    return remove(path, root=root, timeout=max(0.0, deadline - time.monotonic()))
                os.close(here)
                here = up
    finally:
        os.close(here)


def visible(mounts: Sequence[Mount]) -> list[Mount]:
    """Those cgroup mounts that no later mount hides."""
    kinds = ("cgroup", "cgroup2")
    return [each for each in mounts if each.type in kinds and mountinfo.covering(mounts, each.target) is each]


def _components(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _tree(path: str) -> Iterator[str]:
    """The directory and all below it, without following links."""
    waiting = [path]
    while waiting:
        directory = waiting.pop()
        yield directory
        fd = _enter(directory)
        if fd is not None:
            try:
                waiting += [f"{directory}/{name}" for name in _subdirectories(fd)]
            finally:
                os.close(fd)


def _subdirectories(fd: int) -> Iterator[str]:
    with os.scandir(fd) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield entry.name


def _enter(name: str, above: int | None = None) -> int | None:
    try:
        return os.open(name, _DIRECTORY, dir_fd=above)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _open(path: str, root: str, *, itself: bool = False) -> int | None:
    """A descriptor of `path`, reached from `root` one step at a time; None if it is gone.

    Raises ValueError for a path that is not below `root` (or `root` itself, if allowed).
    """
    below = _components(path)[len(_components(root)) :]
    inside = mountinfo.within(path, root) and (below or itself) and not {".", ".."} & set(below)
    if not (inside and root.startswith("/") and _components(root)):
        raise ValueError(f"{path} does not lie below {root}: not ours to touch")
    here = -1
    for name in (root, *below):
        above = here
        try:
            here = os.open(name, _DIRECTORY, dir_fd=above if above >= 0 else None)
        except FileNotFoundError:
            return None
        finally:
            if above >= 0:
                os.close(above)
    return here


def _kill_one_by_one(path: str, root: str, deadline: float) -> None:
    while populated(path) and time.monotonic() < deadline:
        freeze(path, root=root)
        for pid in procs(path):
            try:
                os.kill(pid, _SIGKILL)
            except ProcessLookupError:
                continue
        freeze(path, False, root=root)


def _event(path: str, key: str) -> bool:
    try:
        return f"{key} 1" in _read(f"{path}/cgroup.events").split("\n")
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV):
            return False
        raise


def _poll(done: Callable[[], bool], deadline: float) -> bool:
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def _write(name: str, value: str, directory: int) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
