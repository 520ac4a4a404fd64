"""What is done with a cgroup that is there: limit it, hand controllers down, move in, freeze, kill.

All of it is writing a line into a file. The kernel refuses what breaks the rules of the tree, and each refusal is a
lesson: processes live in leaves only (EBUSY), and a controller works where all parents hand it down (ENOENT).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from labkit.cgroups import vocabulary
from labkit.cgroups.places import ROOT_V1, directory, short, told
from labkit.linux.calls import Intent, Joined, Pid, Ret, close, open_, write, write_file
from labkit.linux.cgroup_files import FRESH, FRESH_V1, NO_LIMIT
from labkit.linux.cgroup_units import beside
from labkit.linux.constants import EACCES, EBUSY, EINVAL, ENODEV, ENOENT, ERANGE, EROFS, O_WRONLY
from labkit.steps.fact import PROBES, CgroupMembership, Limit
from labkit.steps.parameters import CgroupPath
from labkit.steps.shell import pid_of
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

#: why the kernel refuses a limit, by errno: (likely, look)
WHY_NOT = {
    EBUSY: ("more than that is in use, and the kernel could not take enough back", "container.usage()"),
    ENOENT: (
        "the cgroup is not there, or its parent does not hand the controller down",
        "cat cgroup.subtree_control of the parent",
    ),
    EACCES: ("the parent does not hand the controller down, or the cgroup is somebody else's", "ls -l"),
    EINVAL: ("the kernel does not take this value for this file", "labkit.cgroups.vocabulary.FILES tells the unit"),
    ENODEV: ("there is no disk, or no CPU, of that number", "lsblk -o NAME,MAJ:MIN"),
    ERANGE: ("the value is beyond what the file takes", "labkit.cgroups.vocabulary.FILES tells the unit"),
    EROFS: ("the cgroup file system is mounted read-only", "findmnt -t cgroup2,cgroup"),
}


@dataclass(frozen=True, kw_only=True)
class SetLimit(Step):
    """Write what the processes of a cgroup may use.

    A limit is a line in a file, in force as soon as it is written, for all processes in the cgroup and below. What is
    already beyond it is taken back as far as it can be, or no more is given.

    See: cgroups(7), the kernel's cgroup-v2.rst.
    """

    path: CgroupPath
    file: str
    value: str
    probes = ("cgroup",)
    no_way_back = "a cgroup of that name may not have been there"

    def calls(self) -> Iterator[Intent]:
        yield from write_file(f"{self.path}/{self.file}", self.value)

    def shell(self) -> str:
        return _echo(self.value, f"{self.path}/{self.file}")

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        if self.value in ("max", "-1", NO_LIMIT):
            what, why = (
                "Take away what limits the processes of a cgroup.",
                ("From now on only the cgroups above it limit them."),
            )
        row = vocabulary.about(self.file)
        if row and row.role == "act":
            return f"Write {self.file} of a cgroup.", f"What it decides: {row.means}."
        return what, f"{why} {self.file}: {row.means}." if row else why

    def undo(self, before: Snapshot) -> Step | None:
        said = _limit(before, self.path, self.file) or FRESH.get(self.file) or FRESH_V1.get(self.file)
        if not said:  # an empty list, or one with a line for each disk, is not written as it is read
            return None
        return SetLimit(who=self.who, path=self.path, file=self.file, value=said)

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2",)

    @property
    def title(self) -> str:
        return f"set {self.file} of {short(self.path)} to {beside(self.file, self.value)}"


@dataclass(frozen=True, kw_only=True)
class HandDown(Step):
    """Let the children of a cgroup have controllers of their own.

    A controller divides what one cgroup has among its children, so it is for the parent to hand it down: only then
    do the children have its files. A cgroup that does so may hold no processes itself, or these would compete with
    its children for the same share.

    See: cgroups(7) "Cgroups v2 controllers", "no internal processes rule".
    """

    path: CgroupPath
    controllers: tuple[str, ...]
    take_back: bool = False
    probes = ("cgroup",)
    no_way_back = "some had been handed down before"

    def calls(self) -> Iterator[Intent]:
        yield from write_file(f"{self.path}/cgroup.subtree_control", self._words())

    def shell(self) -> str:
        return _echo(self._words(), f"{self.path}/cgroup.subtree_control")

    def explanation(self) -> tuple[str, str]:
        if not self.take_back:
            return super().explanation()
        return "Take controllers away from the children of a cgroup.", (
            "Their files vanish from the children, and the limits that stood in them with these. The kernel refuses "
            "(EBUSY) while a child hands the same controller down itself."
        )

    def undo(self, before: Snapshot) -> Step | None:
        had = _limit(before, self.path, "cgroup.subtree_control").split()
        changed = tuple(name for name in self.controllers if (name in had) == self.take_back)
        if changed != self.controllers:
            return None
        return HandDown(who=self.who, path=self.path, controllers=changed, take_back=not self.take_back)

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2",)

    @property
    def title(self) -> str:
        names = ", ".join(self.controllers)
        return (
            f"take {names} back from below {short(self.path)}"
            if self.take_back
            else f"hand {names} down from {short(self.path)}"
        )

    def _words(self) -> str:
        return " ".join(f"{'-' if self.take_back else '+'}{name}" for name in self.controllers)


@dataclass(frozen=True, kw_only=True)
class MakeThreaded(Step):
    """Let the threads of one process live in several cgroups: this one, and those beside it.

    CPU time is given to threads, memory belongs to the whole process. So only what can be given to a thread works in
    such a place (cpu, cpuset, pids). Its parent becomes the top of a threaded tree, for which all the rest is counted;
    any other child of that parent takes nobody in until it is threaded, too.

    See: cgroups(7) "Cgroups v2 thread mode", the kernel's cgroup-v2.rst "Threads".
    """

    path: CgroupPath
    probes = ("cgroup",)
    no_way_back = "a cgroup that is threaded stays so"

    def calls(self) -> Iterator[Intent]:
        yield from write_file(f"{self.path}/cgroup.type", "threaded")

    def shell(self) -> str:
        return _echo("threaded", f"{self.path}/cgroup.type")

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2",)

    @property
    def title(self) -> str:
        return f"open the cgroup {short(self.path)} to single threads"


@dataclass(frozen=True, kw_only=True)
class EnterCgroup(Step):
    """Move this process, or another one (`process`), into a cgroup.

    It and all that it forks from now on are counted and limited there; what it has used so far stays where it was.
    The number 0 stands for the process that writes it.

    See: cgroups(7).
    """

    path: CgroupPath
    process: str = ""
    probes = ("cgroup",)

    def calls(self) -> Iterator[Intent]:
        yield open_(f"{self.path}/{self._file}", O_WRONLY)
        yield write(Ret(0), Joined((Pid(self.process),)) if self.process else b"0")
        yield close(Ret(0))

    def shell(self) -> str:
        pid = pid_of(self.process) if self.process else "$$"  # echo is the shell's own: 0 would do as well
        return f"echo {pid} >{quote(f'{self.path}/{self._file}')}"

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        if self._file == "tasks":
            why += (
                " In version 1 cgroup.procs would do as well, but makes the kernel wait until no CPU can still be at a "
                "fork (4 to 13 ms); tasks moves one thread, and waits for nothing."
            )
        return what, why

    def undo(self, before: Snapshot) -> Step | None:
        mine = CgroupMembership(self.process or self.who, told(self.path))
        was = [fact.path for fact in before.of_type(CgroupMembership) if fact.subject == mine.subject]
        return EnterCgroup(who=self.who, process=self.process, path=directory(was[0])) if was else None

    @property
    def _file(self) -> str:
        return "tasks" if self.path.startswith(f"{ROOT_V1}/") else "cgroup.procs"

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2",)

    @property
    def title(self) -> str:
        return f"move {f'{self.process} ' if self.process else ''}into the cgroup {short(self.path)}"


@dataclass(frozen=True, kw_only=True)
class Freeze(Step):
    """Stop all processes of a cgroup where they stand.

    No process is asked, and none notices but by the clock: unlike SIGSTOP it cannot be seen by a parent, nor be undone
    by a SIGCONT. A process that comes in later is frozen too.

    See: cgroups(7), the kernel's cgroup-v2.rst "cgroup.freeze".
    """

    path: CgroupPath
    probes = ("cgroup",)
    frozen: bool = True

    def calls(self) -> Iterator[Intent]:
        yield from write_file(f"{self.path}/cgroup.freeze", str(int(self.frozen)))

    def shell(self) -> str:
        return _echo(str(int(self.frozen)), f"{self.path}/cgroup.freeze")

    def explanation(self) -> tuple[str, str]:
        if self.frozen:
            return super().explanation()
        return "Let all processes of a frozen cgroup go on.", (
            "Each goes on at the instruction where it stood. Signals that came meanwhile are delivered now. If a "
            "cgroup above is frozen, they stay where they are."
        )

    def undo(self, before: Snapshot) -> Step | None:
        was = _limit(before, self.path, "cgroup.freeze") == "1"
        return Freeze(who=self.who, path=self.path, frozen=was)

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2",)

    @property
    def title(self) -> str:
        return f"{'freeze' if self.frozen else 'thaw'} the cgroup {short(self.path)}"


@dataclass(frozen=True, kw_only=True)
class KillCgroup(Step):
    """Kill everybody in a cgroup and below it at once.

    SIGKILL for one process after the other loses against one that forks; the kernel takes them all in one go, also
    those that are being born, and frozen ones.

    See: cgroups(7), the kernel's cgroup-v2.rst "cgroup.kill".
    """

    path: CgroupPath
    probes = PROBES  # they take all that is theirs along
    no_way_back = "the dead do not come back"
    names_new_things = True  # or rather takes old ones away, whose numbers the kernel gives out again

    def calls(self) -> Iterator[Intent]:
        yield from write_file(f"{self.path}/cgroup.kill", "1")

    def shell(self) -> str:
        return _echo("1", f"{self.path}/cgroup.kill")

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2",)

    @property
    def title(self) -> str:
        return f"kill everybody in the cgroup {short(self.path)}"


def _echo(text: str, path: str) -> str:
    return f"echo {quote(text)} >{quote(path)}"


def _limit(shot: Snapshot, path: str, file: str) -> str:
    """What the file said that said something else than in a new cgroup."""
    inside = told(path)
    return next((fact.value for fact in shot.of_type(Limit) if (fact.path, fact.file) == (inside, file)), "")
