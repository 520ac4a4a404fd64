"""Making and removing a cgroup; `labkit.cgroups.change` has what is done with one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.cgroups.places import short
from labkit.linux.calls import Intent, mkdir, unlink
from labkit.linux.constants import AT_REMOVEDIR
from labkit.steps.parameters import CgroupPath
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class RemoveCgroup(Step):
    """Remove an empty cgroup.

    Removing one is removing a directory, whatever files the kernel shows in it. It refuses with EBUSY
    while a process or another cgroup is inside.

    See: cgroups(7), rmdir(2).
    """

    path: CgroupPath
    probes = ("cgroup",)
    no_way_back = "what it counted is gone"

    def calls(self) -> Iterator[Intent]:
        yield unlink(self.path, AT_REMOVEDIR)

    def shell(self) -> str:
        return f"rmdir {self.path}"

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2",)

    @property
    def title(self) -> str:
        return f"remove the cgroup {short(self.path)}"


@dataclass(frozen=True, kw_only=True)
class MakeCgroup(Step):
    """Make a cgroup: a group of processes, empty as yet.

    It groups what belongs together, whoever forks what: to account for it, to limit it, to freeze and
    to kill it as one. Making one is making a directory; the kernel fills it with its files.

    See: cgroups(7), the kernel's cgroup-v2.rst.
    """

    path: CgroupPath
    probes = ("cgroup",)

    def calls(self) -> Iterator[Intent]:
        yield mkdir(self.path)

    def shell(self) -> str:
        return f"mkdir {self.path}"

    def undo(self, before: Snapshot) -> Step | None:
        return RemoveCgroup(who=self.who, path=self.path)

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2",)

    @property
    def title(self) -> str:
        return f"make the cgroup {short(self.path)}"
