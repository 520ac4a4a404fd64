"""Being born into namespaces, moving out of one's own, moving into others', keeping one open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.linux import nsfs
from labkit.linux.calls import (
    Intent,
    Joined,
    Pid,
    Ret,
    clone3,
    close,
    mkdir,
    mount,
    open_,
    pidfd_open,
    setns,
    unshare,
)
from labkit.linux.constants import CLONE_INTO_CGROUP, EEXIST, MS_BIND, O_CREAT, O_DIRECTORY, O_RDONLY
from labkit.steps.parameters import CgroupPath, Kind, Kinds
from labkit.steps.shell import PLAIN, pid_of
from labkit.steps.step import Step

_LONG = {"mnt": "mount"}  # unshare(1) and nsenter(1) spell one kind differently


def options(kinds: tuple[str, ...]) -> str:
    """The kinds as options of unshare(1): ``--mount --pid``; it would make mounts private unless told not to."""
    words = [f"--{_LONG.get(kind, kind)}" for kind in kinds]
    if "mnt" in kinds:
        words.append("--propagation unchanged")
    if "user" in kinds:
        words.append("--keep-caps")  # the shell that it starts has no uid 0 yet, and exec would take them
    return " ".join(words)


def entered(kinds: tuple[str, ...], path: str = "") -> str:
    """The kinds as options of nsenter(1), which would fork and become root unless told not to."""
    words = [f"--{_LONG.get(kind, kind)}{f'={path}' if path else ''}" for kind in kinds]
    if "pid" in kinds:
        words.append("--no-fork")
    if "user" in kinds:
        words.append("--preserve-credentials")
    return " ".join(words)


def _needs(kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"namespace:{kind}" for kind in kinds)


@dataclass(frozen=True, kw_only=True)
class Spawn(Step):
    """Start a process, in new namespaces where flags ask for them.

    With each flag a namespace comes into being: the child is born inside, the parent stays where it was. Without
    any it shares all that its parent has: a fork. There is no other way into a new pid namespace, because a
    process never changes its pid.

    See: clone(2), namespaces(7), cgroups(7) "CLONE_INTO_CGROUP".
    """

    child: str
    namespaces: Kinds = ()
    cgroup: CgroupPath = ""
    probes = (
        "processes",
        "namespaces",
        "mounts",
        "uts",
        "ipc",
        "net",
        "users",
        "caps",
        "root",
        "time",
        "cgroup",
        "files",
    )
    no_way_back = "a process cannot be unborn; it can only die, and its pid is spent"
    names_new_things = True

    def calls(self) -> Iterator[Intent]:
        flags = nsfs.flags_of(self.namespaces)
        if not self.cgroup:
            yield clone3(self.child, flags)
            return
        yield open_(self.cgroup, O_RDONLY | O_DIRECTORY)
        yield clone3(self.child, flags | CLONE_INTO_CGROUP, cgroup=Ret(0))
        yield close(Ret(0))

    def shell(self) -> str:
        words = ["unshare", options(self.namespaces)] if self.namespaces else []
        if "pid" in self.namespaces or "time" in self.namespaces:
            words.append("--fork")
        join = f"sh -c 'echo 0 >{self.cgroup}/cgroup.procs; exec \"$@\"' sh" if self.cgroup else ""
        return " ".join(filter(None, [join, *words])) or PLAIN

    def needs(self) -> tuple[str, ...]:
        return _needs(self.namespaces)

    @property
    def title(self) -> str:
        kinds = ", ".join(self.namespaces)
        return f"start {self.child} in new namespaces: {kinds}" if kinds else f"start {self.child}, sharing everything"

    @property
    def children(self) -> tuple[str, ...]:
        return (self.child,)


@dataclass(frozen=True, kw_only=True)
class Unshare(Step):
    """Leave one or more of one's own namespaces for new ones.

    The new mount, uts, ipc, net and cgroup namespaces begin as copies or empty, and the process is in
    them at once. For pid and time it stays behind: only its next children are born inside.

    See: unshare(2), namespaces(7).
    """

    namespaces: Kinds
    probes = (
        "namespaces",
        "mounts",
        "uts",
        "ipc",
        "net",
        "users",
        "caps",
        "root",
        "time",
        "cgroup",
        "processes",
        "files",
    )
    no_way_back = "unshare cannot be undone except by dying: nobody returns to a namespace that no descriptor holds"
    replaces_shell = True
    names_new_things = True

    def calls(self) -> Iterator[Intent]:
        yield unshare(nsfs.flags_of(self.namespaces))

    def shell(self) -> str:
        return f"unshare {options(self.namespaces)}"

    def needs(self) -> tuple[str, ...]:
        return _needs(self.namespaces)

    @property
    def title(self) -> str:
        return f"leave for new namespaces: {', '.join(self.namespaces)}"


@dataclass(frozen=True, kw_only=True)
class Join(Step):
    """Move into namespaces of another process.

    Namespaces are shared by joining: a second container in the same network, a debugger beside a
    service. A joined pid namespace counts for children only, and there is no joining of what is gone.

    See: setns(2), pidfd_open(2), nsenter(1).
    """

    target: str
    namespaces: Kinds
    probes = (
        "namespaces",
        "root",
        "mounts",
        "caps",
        "users",
        "uts",
        "ipc",
        "net",
        "time",
        "cgroup",
        "processes",
        "files",
    )
    no_way_back = "the way back to the old namespaces is open only to who kept a descriptor of them"
    replaces_shell = True
    names_new_things = True  # the namespaces left behind may vanish, and their numbers be given out again

    def calls(self) -> Iterator[Intent]:
        yield pidfd_open(Pid(self.target))
        yield setns(Ret(0), nsfs.flags_of(self.namespaces))
        yield close(Ret(0))

    def shell(self) -> str:
        return f"nsenter --target {pid_of(self.target)} {entered(self.namespaces)}"

    @property
    def title(self) -> str:
        return f"join {self.target} in its namespaces: {', '.join(self.namespaces)}"


@dataclass(frozen=True, kw_only=True)
class Hold(Step):
    """Keep a namespace open after its last process.

    A namespace lives as long as something refers to it: a process, an open descriptor, or, as here, a
    bind mount of its file in /proc. This is what ``ip netns add`` does.

    See: namespaces(7) "The /proc/pid/ns/ directory", ip-netns(8).
    """

    target: str
    namespace: Kind
    path: str
    probes = ("namespaces", "mounts", "files")
    no_way_back = "the file under the mount stays"

    def calls(self) -> Iterator[Intent]:
        directory = self.path.rpartition("/")[0]
        yield mkdir(directory, tolerate=(EEXIST,))
        yield open_(self.path, O_CREAT | O_RDONLY, 0o444)
        yield close(Ret(1))
        yield mount(Joined(("/proc/", Pid(self.target), f"/ns/{self.namespace}")), self.path, None, MS_BIND)

    def shell(self) -> str:
        directory = self.path.rpartition("/")[0]
        source = f"/proc/{pid_of(self.target)}/ns/{self.namespace}"
        return f"mkdir -p {directory}; (umask 0222; : >{self.path}); mount --bind {source} {self.path}"

    @property
    def title(self) -> str:
        return f"hold {self.target}'s {self.namespace} namespace open at {self.path}"


@dataclass(frozen=True, kw_only=True)
class Enter(Step):
    """Move into a namespace that a file holds open.

    The descriptor of a namespace is the namespace: opening the file and calling setns is all that
    ``nsenter --net=FILE`` and ``ip netns exec`` do.

    See: setns(2), nsenter(1).
    """

    path: str
    namespace: Kind
    probes = Join.probes
    no_way_back = Join.no_way_back
    replaces_shell = True
    names_new_things = True  # the namespaces left behind may vanish, and their numbers be given out again

    def calls(self) -> Iterator[Intent]:
        yield open_(self.path)
        yield setns(Ret(0), nsfs.flags_of((self.namespace,)))
        yield close(Ret(0))

    def shell(self) -> str:
        return f"nsenter {entered((self.namespace,), self.path)}"

    @property
    def title(self) -> str:
        return f"enter the {self.namespace} namespace that {self.path} holds"
