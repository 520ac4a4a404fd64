"""Who may look into a process: its memory, its descriptors, the file that it runs from."""

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


@dataclass(frozen=True, kw_only=True)
class ClearDumpable(Step):
    """Let nobody but the machine's root look into this process, until its next exec.

    Whoever makes a container enters it, and is a program of the machine: through /proc/PID/exe the
    container could open that program's file and write to it once it is idle, through /proc/PID/fd take
    its descriptors. runc had to learn this (CVE-2019-5736).

    See: prctl(2) "PR_SET_DUMPABLE", proc(5) "/proc/pid/exe", ptrace(2) "Ptrace access mode checking".
    """

    no_way_back = "what was seen before stays seen; an exec opens the process again"

    def calls(self) -> Iterator[Intent]:
        yield prctl(PR_SET_DUMPABLE, 0)

    def shell(self) -> str:
        return ":  # a shell has nothing to hide: its program is that of the container"

    @property
    def title(self) -> str:
        return "let nobody look into it until it has become its program"
