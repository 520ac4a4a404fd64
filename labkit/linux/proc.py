"""Reading /proc: what the kernel will tell about a process, asked one file at a time.

Every process has a directory in /proc, named by its pid *as the pid namespace of that mount sees it*.
The files are not stored anywhere: reading one calls a function in the kernel that prints the answer.

    >>> from labkit.linux import proc
    >>> proc.nspid("self")                          # one number for each pid namespace it is in
    [4711]
    >>> proc.namespaces("self")["uts"]              # the inode number is the namespace's identity
    4026531838

A process may vanish between two reads, and its pid be given to another. So each function here either
answers for one process, wholly, or raises ProcessLookupError. To ask several questions of the *same*
process, hold its directory open: a directory of a dead process never comes to mean a new one.

    >>> here = proc.hold(4711)
    >>> proc.stat(".", root=here).ppid, proc.cmdline(".", root=here)

A process chooses its own name and arguments, newlines, parentheses and broken UTF-8 included; lines
are cut at "\\n" alone, and bytes that are not UTF-8 come back as surrogates (os.fsencode restores them).

See: proc(5), namespaces(7), user_namespaces(7), time_namespaces(7), cgroups(7).
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    #: A number, "self", or "." where the root is the open directory of one process.
    Pid = int | str
    #: A mounted procfs: its path, or a file descriptor of it (or of one process's directory in it).
    Root = str | int

_PF_EXITING = 0x4  # include/linux/sched.h
_LINKS = ("mnt", "pid", "user", "uts", "ipc", "net", "cgroup", "time", "pid_for_children", "time_for_children")


class Stat:
    """One line of /proc/PID/stat. Times are in clock ticks (sysconf SC_CLK_TCK, 100 a second), addresses in bytes."""

    __slots__ = (
        "arg_end",
        "arg_start",
        "comm",
        "flags",
        "num_threads",
        "pgrp",
        "pid",
        "ppid",
        "session",
        "start_time",
        "state",
        "stime",
        "tty_nr",
        "utime",
    )

    def __init__(self, line: str) -> None:
        # comm may hold spaces, newlines and parentheses; nothing after it does, so the last ")" ends it.
        head, _, tail = line.rpartition(")")
        pid, _, self.comm = head.partition(" (")
        field = tail.split()
        self.pid = int(pid)
        self.state = field[0]
        self.ppid, self.pgrp, self.session, self.tty_nr = (int(each) for each in field[1:5])
        self.flags = int(field[6])
        self.utime, self.stime = int(field[11]), int(field[12])
        self.num_threads = int(field[17])
        self.start_time = int(field[19])
        self.arg_start, self.arg_end = int(field[45]), int(field[46])

    def __repr__(self) -> str:
        return f"<Stat {self.pid} {self.comm!r} {self.state} ppid={self.ppid}>"


def hold(pid: Pid, root: Root = "/proc") -> int:
    """A file descriptor of the process's directory; the caller closes it. Use it as `root`, with pid "."."""
    try:
        if isinstance(root, int):
            return os.open(str(pid), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
        return os.open(f"{root}/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        _gone(pid)


def read(pid: Pid, name: str, root: Root = "/proc") -> bytes:
    """The whole of /proc/PID/name.

    Raises ProcessLookupError if the process is gone, FileNotFoundError if this kernel has no such file.
    """
    try:
        return _slurp(f"{pid}/{name}" if isinstance(root, int) else f"{root}/{pid}/{name}", root)
    except (FileNotFoundError, ProcessLookupError) as error:
        if error.errno == errno.ESRCH or not alive(pid, root):
            _gone(pid)
        raise


def text(pid: Pid, name: str, root: Root = "/proc") -> str:
    """The same as str, without the last newline; bytes that are not UTF-8 become surrogates."""
    return read(pid, name, root).decode(errors="surrogateescape").removesuffix("\n")


def alive(pid: Pid, root: Root = "/proc") -> bool:
    """Whether the process has an entry: it runs, or is a zombie that nobody has waited for."""
    try:
        return bool(_slurp(f"{pid}/stat" if isinstance(root, int) else f"{root}/{pid}/stat", root))
    except (FileNotFoundError, ProcessLookupError):
        return False


def pids(root: Root = "/proc") -> list[int]:
    """The processes that this procfs shows, ascending; some may be gone by the time you look."""
    return sorted(int(name) for name in os.listdir(root) if name.isdecimal())


def stat(pid: Pid, root: Root = "/proc") -> Stat:
    """The fields of /proc/PID/stat."""
    return Stat(text(pid, "stat", root))


def start_time(pid: Pid, root: Root = "/proc") -> int:
    """Clock ticks from boot to birth. Pid and start time together name a process for good; a pid alone is reused."""
    return stat(pid, root).start_time


def status(pid: Pid, root: Root = "/proc") -> dict[str, str]:
    """The fields of /proc/PID/status, unparsed: ``{"Name": "sh", "Uid": "0\\t0\\t0\\t0", "CapEff": "…"}``."""
    lines = (line.partition(":\t") for line in text(pid, "status", root).split("\n"))
    return {key: value.strip(" ") for key, _, value in lines}


def nspid(pid: Pid, root: Root = "/proc") -> list[int]:
    """Its pid in each pid namespace from that of the procfs inwards; the last one is what getpid(2) answers."""
    return [int(each) for each in status(pid, root)["NSpid"].split()]


def cmdline(pid: Pid, root: Root = "/proc") -> list[str]:
    """Its arguments, as far as it has left them alone; empty for kernel threads and zombies."""
    raw = read(pid, "cmdline", root).decode(errors="surrogateescape")
    return raw.removesuffix("\0").split("\0") if raw else []


def title(pid: Pid, root: Root = "/proc") -> str:
    """What ps shows: the arguments with spaces between them, or the name in brackets if there are none."""
    shown = " ".join(cmdline(pid, root)).rstrip()
    return shown or f"[{text(pid, 'comm', root)}]"


def children(pid: Pid, root: Root = "/proc") -> list[int]:
    """The pids of its children, ascending, whichever of its threads bore them."""
    try:
        return sorted(
            int(each) for task in _tasks(pid, root) for each in text(pid, f"task/{task}/children", root).split()
        )
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return _children_by_search(stat(pid, root).pid, "/proc" if pid == "." or isinstance(root, int) else root)


def namespaces(pid: Pid, root: Root = "/proc") -> dict[str, int]:
    """Inode numbers of its namespaces by kind, with ``pid_for_children`` and ``time_for_children``.

    The inode is the identity: two processes share a namespace exactly if the numbers are equal. A kind
    that the kernel lacks is missing, and so is what a zombie has let go of (all but user and pid), and
    ``pid_for_children`` between unshare(CLONE_NEWPID) and the first child (Linux 7.3 has it at once). Needs the
    right to ptrace it.
    """
    here = hold(pid, root)
    try:
        found = {}
        for kind in _LINKS:
            try:
                found[kind] = os.stat(f"ns/{kind}", dir_fd=here).st_ino
            except (FileNotFoundError, ProcessLookupError):
                continue
            except (
                PermissionError
            ):  # also said of one that is leaving, for its memory, which tells whose it is, goes first
                if not _leaving(here):
                    raise
        if not alive(".", here):
            _gone(pid)
        return found
    finally:
        os.close(here)


def id_map(pid: Pid, kind: str, root: Root = "/proc") -> list[tuple[int, int, int]]:
    """Its user namespace's map for `kind` "uid" or "gid" as (first inside, first outside, count).

    "Outside" are the ids of the *reader's* user namespace, or of the parent's if reader and process share one.
    """
    lines = text(pid, f"{kind}_map", root).split("\n")
    rows = (line.split() for line in lines if line)
    return [(int(inside), int(outside), int(count)) for inside, outside, count in rows]


def setgroups(pid: Pid, root: Root = "/proc") -> str:
    """ "allow" or "deny": whether setgroups(2) is permitted in its user namespace."""
    return text(pid, "setgroups", root)


def timens_offsets(pid: Pid, root: Root = "/proc") -> dict[str, tuple[int, int]]:
    """Seconds and nanoseconds by clock ("monotonic", "boottime") that its *children's* time namespace adds."""
    rows = (line.split() for line in text(pid, "timens_offsets", root).split("\n") if line)
    return {clock: (int(seconds), int(nanoseconds)) for clock, seconds, nanoseconds in rows}


def cgroup_lines(pid: Pid, root: Root = "/proc") -> list[tuple[int, str, str]]:
    """Its place in each cgroup hierarchy as (hierarchy, controllers, path); cgroup2 is hierarchy 0 without controllers.

    The path is relative to the reader's cgroup namespace and begins with ``/..`` when it leads out of it.
    """
    rows = (line.split(":", 2) for line in text(pid, "cgroup", root).split("\n") if line)
    return [(int(hierarchy), controllers, path) for hierarchy, controllers, path in rows]


def _tasks(pid: Pid, root: Root) -> list[str]:
    here = hold(pid, root)
    try:
        tasks = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=here)
        try:
            return os.listdir(tasks)
        finally:
            os.close(tasks)
    except (FileNotFoundError, ProcessLookupError):
        _gone(pid)
    finally:
        os.close(here)


def _children_by_search(parent: int, root: Root) -> list[int]:
    found = []
    for pid in pids(root):
        try:
            if stat(pid, root).ppid == parent:
                found.append(pid)
        except ProcessLookupError:
            continue
    return found


def _slurp(path: str, root: Root) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=root if isinstance(root, int) else None)
    try:
        parts = []
        while part := os.read(fd, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def _leaving(here: int) -> bool:
    """Whether the process of this directory is on its way out, or gone."""
    try:
        seen = stat(".", here)
    except ProcessLookupError:
        return True
    return seen.state in "ZX" or bool(seen.flags & _PF_EXITING)


def _gone(pid: Pid) -> NoReturn:
    raise ProcessLookupError(errno.ESRCH, "the process is gone", f"/proc/{pid}")
