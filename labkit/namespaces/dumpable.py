"""Who may look into a process that has changed its uid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.linux.calls import Intent, prctl
from labkit.linux.constants import PR_SET_DUMPABLE
from labkit.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class SetDumpable(Step):
    """Let one's own uid look into this process again.

    After a change of uid the kernel gives a process's files in /proc to root, because its memory may still
    hold what the old uid knew. An exec brings new memory and ends that. A process that goes on without one
    says so itself; else it cannot even write its own uid_map.

    See: prctl(2) "PR_SET_DUMPABLE", proc(5).
    """

    no_way_back = "a fresh machine is quicker"

    def calls(self) -> Iterator[Intent]:
        yield prctl(PR_SET_DUMPABLE, 1)

    def shell(self) -> str:
        return ":  # nothing to do: the shell is a new program, and exec has done it"

    @property
    def title(self) -> str:
        return "let its own uid look into it again"
