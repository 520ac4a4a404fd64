"""Making and removing a cgroup. Limits have a room of their own here, later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.linux.calls import Intent, mkdir
from labkit.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class MakeCgroup(Step):
    """Make a cgroup for the processes of one container.

    It groups what belongs together, whoever forks what: to account for it, to limit it, to freeze and
    to kill it as one. Making one is making a directory; the kernel fills it with its files.

    See: cgroups(7), the kernel's cgroup-v2.rst.
    """

    path: str
    no_way_back = "the kernel keeps a removed cgroup's remains for a while"

    def calls(self) -> Iterator[Intent]:
        yield mkdir(self.path)

    def shell(self) -> str:
        return f"mkdir {self.path}"

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2",)

    @property
    def title(self) -> str:
        return f"make the cgroup {self.path.rpartition('/')[2]}"
