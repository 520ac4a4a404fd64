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


#: what unshare(2) and setns(2) do not change for the caller, and why
_FOR_CHILDREN = {
    "pid": "a pid never changes, so only those that it starts from now on are born inside.",
    "time": "clocks are part of a program's memory, so only those that it starts from now on have the new ones.",
}
#: how a new namespace looks to its first process
_BEGINNINGS = {
    "mnt": "A new mount namespace begins as a copy of the old one's mounts.",
    "uts": "A new uts namespace begins with the old one's names.",
    "ipc": "A new ipc namespace begins empty.",
    "net": "A new net namespace begins with a loopback link alone, and that is down.",
    "user": "In a new user namespace the process has all capabilities, but no id is mapped yet.",
    "cgroup": "In a new cgroup namespace the cgroup that the process is in becomes the root of what it sees.",
}


def _needs(kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"namespace:{kind}" for kind in kinds)


def _joined(kinds: Kinds) -> str:
    """What is to be said of joining those of these kinds that count for children only."""
    return "".join(f" A joined {kind} namespace counts for children: {_FOR_CHILDREN[kind]}"
                   for kind in kinds if kind in _FOR_CHILDREN)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Spawn(Step):
    """Start a process in new namespaces.

    With each flag a namespace comes into being: the child is born inside, the parent stays where it was.

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

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        if not self.namespaces:
            what, why = "Start a process: a fork.", (
                "Without a flag clone(2) makes no namespace. The child gets a copy of its parent's memory and is born "
                "where its parent stands: same root, same user, and the same namespaces but for those of pid and time "
                "that the parent has unshared for its children."
            )  # fmt: skip
        elif "pid" in self.namespaces:
            why += " In its pid namespace it is pid 1; no process gets there otherwise, because a pid never changes."
        if self.cgroup:
            why += " It is born in its cgroup, so that nothing it ever uses is counted elsewhere."
        return what, why

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
        return (
            f"start {self.child} in new namespaces: {kinds}" if kinds else f"start {self.child}, a fork of {self.who}"
        )

    @property
    def children(self) -> tuple[str, ...]:
        return (self.child,)


@dataclass(frozen=True, kw_only=True)
class Unshare(Step):
    """Leave one or more of one's own namespaces for new ones.

    A new namespace begins as a copy of the old one (mnt, uts, cgroup) or empty (ipc, net). The process is in it at
    once; for pid and time it stays behind, and only its next children are born inside.

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

    def explanation(self) -> tuple[str, str]:
        later = [kind for kind in self.namespaces if kind in _FOR_CHILDREN]
        if len(later) < len(self.namespaces):
            why = [_BEGINNINGS[kind] for kind in self.namespaces if kind in _BEGINNINGS]
            why.append(
                "The process is in it at once." if len(self.namespaces) == 1 else "The process is in them at once."
            )
            if later:
                why.append(f"For {' and '.join(later)} it stays behind: only its next children are born inside.")
            return super().explanation()[0], " ".join(why)
        if later:
            names = f"a new {' and a new '.join(later)} namespace"
            return f"Make {names} for one's next children.", (
                "The process itself stays where it is: " + " ".join(_FOR_CHILDREN[kind] for kind in later)
            )
        return super().explanation()

    def shell(self) -> str:
        return f"unshare {options(self.namespaces)}"

    def needs(self) -> tuple[str, ...]:
        return _needs(self.namespaces)

    @property
    def title(self) -> str:
        names = ", ".join(self.namespaces)
        if all(kind in _FOR_CHILDREN for kind in self.namespaces):
            return f"make new namespaces for its next children: {names}"
        return f"leave for new namespaces: {names}"


@dataclass(frozen=True, kw_only=True)
class Join(Step):
    """Move into namespaces of another process.

    Namespaces are shared by joining: a second container in the same network, a debugger beside a
    service. There is no joining of what is gone.

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

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        return what, f"{why}{_joined(self.namespaces)}"

    def shell(self) -> str:
        return f"nsenter --target {pid_of(self.target)} {entered(self.namespaces)}"

    @property
    def title(self) -> str:
        return f"join {self.target} in its namespaces: {', '.join(self.namespaces)}"


@dataclass(frozen=True, kw_only=True)
class Hold(Step):
    """Keep a namespace open after its last process.

    A namespace lives as long as something refers to it: a process, an open descriptor, or, as here, a
    bind mount of its file in /proc. ``ip netns add`` does the same for a network namespace.

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

    The descriptor of a namespace is the namespace: opening the file and calling setns is all that nsenter(1)
    and, for a network namespace, ``ip netns exec`` do.

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

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        return what, f"{why}{_joined((self.namespace,))}"

    def shell(self) -> str:
        return f"nsenter {entered((self.namespace,), self.path)}"

    @property
    def title(self) -> str:
        return f"enter the {self.namespace} namespace that {self.path} holds"
