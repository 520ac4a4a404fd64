"""Facts: frozen values read from the kernel, with names that are the same in every run.

A fact has a *subject* (what it is about: the same before and after) and the rest, which may change.
Two facts with one subject are one thing in two states; that is how a diff tells a change from a loss
and a gain. Inode numbers, pids, mount ids and peer groups never appear as they are: they are renamed
in order of first appearance (`labkit.steps.naming`), ``net#2``, ``c1``.

Units: uids and pids are numbers as the kernel gives them; sizes in bytes; offsets in seconds.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from labkit.linux import capabilities
from labkit.steps.display import Shown


@dataclass(frozen=True, slots=True)
class Fact(Shown):
    """The base of all facts. `probe` is the name under which it is asked for."""

    probe: ClassVar[str] = ""
    about: ClassVar[tuple[str, ...]] = ()

    @property
    def subject(self) -> tuple[object, ...]:
        """What the fact is about."""
        return (type(self).__name__, *(getattr(self, name) for name in self.about))

    @property
    def state(self) -> dict[str, object]:
        """What may change while the subject stays the same, by field name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self.about}

    def shown(self, name: str, value: object) -> str:
        """The value of one field as a reader wants it."""
        if isinstance(value, tuple):
            return ", ".join(self.shown(name, item) for item in value) or "nobody"
        return str(value) if value != "" else "nothing"

    @property
    def title(self) -> str:
        """The subject in words."""
        return " ".join(str(part) for part in self.subject).lower()

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {value}" for name, value in self.state.items() if value not in ("", (), None))
        return f"{self.title}: {shown}" if shown else self.title


CAPABILITY_SETS = ("effective", "permitted", "inheritable", "bounding", "ambient")


@dataclass(frozen=True, slots=True)
class Process(Fact):
    """A process, its parent by name, and its pid on every level of pid namespaces, the lab host's first."""

    probe = "processes"
    about = ("name",)
    name: str
    pids: tuple[int, ...]
    parent: str
    comm: str
    state_of_life: str = ""

    @property
    def title(self) -> str:
        return f"process {self.name}"

    def __str__(self) -> str:
        levels = " > ".join(map(str, self.pids))
        life = f", {self.state_of_life}" if self.state_of_life else ""
        return f"process {self.name}: pid {levels}, child of {self.parent or 'nobody here'}, runs {self.comm}{life}"


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
class Mount(Fact):
    """A mount in one mount namespace: what is where, with which options and which propagation."""

    probe = "mounts"
    about = ("ns", "mountpoint", "layer")
    mountpoint: str
    type: str = ""
    source: str = ""
    root: str = "/"
    options: str = ""
    propagation: str = "private"
    ns: str = "mnt#1"
    layer: int = 0
    super_options: str = ""

    @property
    def title(self) -> str:
        over = f" (over {self.layer} more)" if self.layer else ""
        return f"mount {self.mountpoint}{over} in {self.ns}"

    def __str__(self) -> str:
        below = f" from {self.root}" if self.root != "/" else ""
        return f"{self.title}: {self.type} {self.source}{below}, {self.options}, {self.propagation}"


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
class Link(Fact):
    """A network interface in one network namespace."""

    probe = "net"
    about = ("ns", "name")
    ns: str
    name: str
    kind: str = ""
    up: bool = False
    mtu: int = 0
    mac: str = ""
    master: str = ""

    @property
    def title(self) -> str:
        return f"link {self.name} in {self.ns}"


@dataclass(frozen=True, slots=True)
class Address(Fact):
    """An address on a link."""

    probe = "net"
    about = ("ns", "link", "address")
    ns: str
    link: str
    address: str

    @property
    def title(self) -> str:
        return f"address {self.address} on {self.link} in {self.ns}"


@dataclass(frozen=True, slots=True)
class Route(Fact):
    """A route of the main table."""

    probe = "net"
    about = ("ns", "destination")
    ns: str
    destination: str
    gateway: str = ""
    link: str = ""

    @property
    def title(self) -> str:
        return f"route {self.destination} in {self.ns}"


@dataclass(frozen=True, slots=True)
class Port(Fact):
    """A TCP port on which a process listens, in one network namespace."""

    probe = "net"
    about = ("ns", "address", "port")
    ns: str
    address: str
    port: int
    process: str = ""

    @property
    def title(self) -> str:
        return f"port {self.port} of {self.address} in {self.ns}"

    def __str__(self) -> str:
        return f"{self.title}: {self.process or 'somebody else'} listens"


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
class Credentials(Fact):
    """Who a process is (as the real machine sees it) and what it may: the five capability sets as masks."""

    probe = "caps"
    about = ("process",)
    process: str
    uids: tuple[int, ...] = ()
    gids: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    effective: int = 0
    permitted: int = 0
    inheritable: int = 0
    bounding: int = 0
    ambient: int = 0
    no_new_privs: bool = False

    @property
    def title(self) -> str:
        return f"credentials of {self.process}"

    def __str__(self) -> str:
        masks = ", ".join(f"{name} {capabilities.summary(getattr(self, name))}" for name in CAPABILITY_SETS)
        promise = ", no new privileges" * self.no_new_privs
        also = f", also in groups {', '.join(map(str, self.groups))}" if self.groups else ""
        return f"{self.title}: uid {self.uids[0]}, gid {self.gids[0]}{also}, {masks}{promise}"

    def shown(self, name: str, value: object) -> str:
        if isinstance(value, tuple):
            return ", ".join(map(str, value if name == "groups" else dict.fromkeys(value))) or "none"
        return capabilities.summary(value) if name in CAPABILITY_SETS and isinstance(value, int) else str(value)


@dataclass(frozen=True, slots=True)
class Root(Fact):
    """Where a process's / and current directory are, as paths of its mount namespace."""

    probe = "root"
    about = ("process",)
    process: str
    root: str
    cwd: str

    @property
    def title(self) -> str:
        return f"view of {self.process}"


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
class CgroupMembership(Fact):
    """The cgroup of a process, relative to the lab host's own."""

    probe = "cgroup"
    about = ("process",)
    process: str
    path: str

    @property
    def title(self) -> str:
        return f"cgroup of {self.process}"


@dataclass(frozen=True, slots=True)
class Cgroup(Fact):
    """A cgroup, relative to the lab host's own."""

    probe = "cgroup"
    about = ("path",)
    path: str

    @property
    def title(self) -> str:
        return f"cgroup {self.path}"


@dataclass(frozen=True, slots=True)
class File(Fact):
    """A file that the lab made, in a tmpfs of the lab host or of a container (`ns`: whose view the path is)."""

    probe = "files"
    about = ("ns", "path")
    path: str
    type: str
    mode: str
    uid: int = 0
    gid: int = 0
    size: int | None = None
    target: str = ""
    device: tuple[int, int] | None = None
    ns: str = "mnt#1"

    @property
    def title(self) -> str:
        return f"{self.type} {self.path} in {self.ns}"

    def __str__(self) -> str:
        more = (
            f" -> {self.target}" if self.target else f" device {self.device[0]}:{self.device[1]}" if self.device else ""
        )
        size = f", {self.size} bytes" if self.size is not None else ""
        return f"{self.title}{more}: mode {self.mode}, owner {self.uid}:{self.gid}{size}"


FILE_TYPES = {
    stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
}  # fmt: skip

TYPES: dict[str, type[Fact]] = {
    t.__name__: t
    for t in (Process, Namespace, Mount, Uts, SysvObject, Link, Address, Route, Port, IdMap, Credentials, Root,
              TimeOffsets, CgroupMembership, Cgroup, File)
}  # fmt: skip

#: every probe there is, in the order in which they are shown
PROBES = tuple(dict.fromkeys(t.probe for t in TYPES.values()))


def to_json(fact: Fact) -> dict[str, Any]:
    """A fact as JSON can carry it."""
    return {"fact": type(fact).__name__, **{f.name: getattr(fact, f.name) for f in fields(fact)}}


def from_json(row: dict[str, Any]) -> Fact:
    """The fact that `to_json` wrote."""
    kind = TYPES[row["fact"]]
    return kind(**{key: _frozen(value) for key, value in row.items() if key != "fact"})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
