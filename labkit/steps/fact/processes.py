"""Facts of a process: its pids, who it is and what it may, where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.linux import capabilities
from labkit.steps.fact.base import Fact
from labkit.steps.naming import HOST, HOST_TITLE, INIT, INIT_TITLE

_COMM = 15  # bytes of a comm: the kernel cuts the rest off
CAPABILITY_SETS = ("effective", "permitted", "inheritable", "bounding", "ambient")


@dataclass(frozen=True, slots=True)
class Process(Fact):
    """A process, its parent by name, and its pid on every level of pid namespaces, the lab host's first.

    `comm` is what the kernel calls its program, 15 bytes at most. A process that runs labkit has given itself a title
    there, ``labkit:[zygote]``: sentences and pictures say what it does instead (`runs`).
    """

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
        return f"process {self.name}: pid {levels}, child of {self.parent or 'nobody here'}, runs {self.runs}{life}"

    @property
    def runs(self) -> str:
        """The program, or what it does for the lab where that is labkit itself."""
        return self._role(self.comm)

    def _role(self, comm: str) -> str:
        if self.name == INIT and comm == INIT_TITLE:
            return "the lab host's init"
        title = HOST_TITLE if self.name == HOST else f"labkit:[{self.name}]"
        return "your steps" if comm == title[:_COMM] else comm

    def shown(self, name: str, value: object) -> str:
        return self._role(str(value)) if name == "comm" else Fact.shown(self, name, value)

    def label(self, name: str) -> str:
        return "runs" if name == "comm" else name


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
class CgroupMembership(Fact):
    """The cgroup of a process, relative to the lab host's own; of version 1 as ``memory:/c1``, with its tree."""

    probe = "cgroup"
    about = ("process", "tree")
    process: str
    path: str

    @property
    def tree(self) -> str:
        """Which tree of version 1 it is in; empty for version 2."""
        return "" if self.path.startswith("/") else self.path.partition(":")[0]

    @property
    def title(self) -> str:
        return f"cgroup of {self.process}"
