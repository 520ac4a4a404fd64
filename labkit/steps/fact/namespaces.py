"""Facts of namespaces, and of what uts, ipc, user, time and cgroup namespaces hold."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.linux.cgroup_units import beside
from labkit.steps.fact.base import Fact


@dataclass(frozen=True, slots=True)
class Namespace(Fact):
    """A namespace with the user namespace that owns it, its parent (pid and user only), members and holders."""

    probe = "namespaces"
    about = ("kind", "name")
    kind: str
    name: str
    owner: str
    parent: str = ""
    members: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"namespace {self.name}"

    def __str__(self) -> str:
        who = ", ".join(self.members) or "nobody"
        held = f", held open by {', '.join(self.held_by)}" if self.held_by else ""
        return f"namespace {self.name}: in it {who}{held}; owner {self.owner}"


@dataclass(frozen=True, slots=True)
class Uts(Fact):
    """The names that a uts namespace gives the machine."""

    probe = "uts"
    about = ("ns",)
    ns: str
    hostname: str
    domainname: str = "(none)"

    @property
    def title(self) -> str:
        return f"names in {self.ns}"


@dataclass(frozen=True, slots=True)
class SysvObject(Fact):
    """A System V queue, semaphore set or shared memory segment in one ipc namespace."""

    probe = "ipc"
    about = ("ns", "kind", "key")
    ns: str
    kind: str
    key: int
    id: int = 0
    mode: int = 0

    @property
    def title(self) -> str:
        return f"{self.kind} key {self.key} in {self.ns}"

    def __str__(self) -> str:
        return f"{self.title}: id {self.id}, mode {self.mode:04o}"


@dataclass(frozen=True, slots=True)
class IdMap(Fact):
    """The maps of a user namespace as rows ``(first inside, first outside, count)``; outside is the real machine."""

    probe = "users"
    about = ("ns",)
    ns: str
    uid_map: tuple[tuple[int, int, int], ...] = ()
    gid_map: tuple[tuple[int, int, int], ...] = ()
    setgroups: str = "allow"

    @property
    def title(self) -> str:
        return f"id maps of {self.ns}"

    def shown(self, name: str, value: object) -> str:
        if not isinstance(value, tuple):
            return str(value)
        rows = (f"{inside}…{inside + n - 1} is {outside}…{outside + n - 1}" if n > 1 else f"{inside} is {outside}"
                for inside, outside, n in value)  # fmt: skip
        return ", ".join(rows) or "empty"

    def __str__(self) -> str:
        maps = ", ".join(f"{name} {self.shown(name, getattr(self, name))}" for name in ("uid_map", "gid_map"))
        return f"{self.title}: {maps}, setgroups {self.setgroups}"


@dataclass(frozen=True, slots=True)
class TimeOffsets(Fact):
    """What a time namespace adds to the clocks, in seconds."""

    probe = "time"
    about = ("ns",)
    ns: str
    monotonic: int = 0
    boottime: int = 0

    @property
    def title(self) -> str:
        return f"clock offsets of {self.ns}"


@dataclass(frozen=True, slots=True)
class Cgroup(Fact):
    """A cgroup, relative to the lab host's own; one of version 1 as ``memory:/c1``, with its tree."""

    probe = "cgroup"
    about = ("path",)
    path: str

    @property
    def title(self) -> str:
        return f"cgroup {self.path}"


@dataclass(frozen=True, slots=True)
class Limit(Fact):
    """What a file of a cgroup says that said something else when the cgroup was new; `path` as that of `Cgroup`."""

    probe = "cgroup"
    about = ("path", "file")
    path: str
    file: str
    value: str

    @property
    def title(self) -> str:
        return f"{self.file} of cgroup {self.path}"

    def __str__(self) -> str:
        return f"{self.title}: value {beside(self.file, self.value)}"

    def shown(self, name: str, value: object) -> str:
        return beside(self.file, str(value)) or "nothing"
