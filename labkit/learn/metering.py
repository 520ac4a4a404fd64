"""What a piece of work costs a container: its counters before and after.

What is told is always a counter, or one in terms of another, never a time on the wall: the machine is not idle. All
is asked through the lab, so that a recorded lesson has the counters of its recording.

    >>> print(Cost(cpu=0.5, user=0.4, system=0.1))
    CPU 0.50 s, mostly user
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from labkit.cgroups.hold import Held
from labkit.cgroups.limits import Limits
from labkit.cgroups.usage import Usage
from labkit.container.container import Container
from labkit.container.lacking import Lacking
from labkit.container.machine import MachineUsage
from labkit.learn.asking import Renewable
from labkit.learn.bare import OnMachine
from labkit.learn.judging import labels
from labkit.learn.measured import ENOUGH
from labkit.namespaces.processes import Exec, Kill, Reap
from labkit.namespaces.spawn import Spawn
from labkit.steps.display import Shown

MIB = 2**20
_MUCH = 2  # so many times as much is "mostly", whatever the machine
_FIRST_CPU = r"$(sed -n 's/^Cpus_allowed_list:\s*\([0-9]*\).*/\1/p' /proc/self/status)"
#: computes for ever, on the first CPU that it may use: there they all meet, however many the machine has
SPINNING = ("sh", "-c", f"exec taskset -c {_FIRST_CPU} sh -c 'while :; do :; done'")


class Metered(Renewable, OnMachine, Protocol):
    """A lab that runs containers and counts what they use."""

    lacking: Lacking

    def run(self, image: str, argv: str, *, name: str, limits: Limits, detach: bool) -> Container:
        """As `labkit.Lab.run`."""

    def usage(self) -> MachineUsage:
        """As `labkit.Lab.usage`."""

    def trees(self, held: Held) -> None:
        """Have the lab host see the trees of version 1."""


@dataclass(frozen=True, kw_only=True)
class Cost(Shown):
    """By how much the counters have grown: seconds and bytes. `waited` is the pressure of the CPU."""

    cpu: float = 0
    user: float = 0
    system: float = 0
    memory: int = 0
    read: int = 0
    waited: float = 0

    @classmethod
    def between(cls, before: Usage, after: Usage) -> Cost:
        """What was used between two looks; what nobody counts is 0."""
        grown = {name: (getattr(after, name) or 0) - (getattr(before, name) or 0) for name in _COUNTED}
        return cls(**grown, waited=after.waited.get("cpu", 0) - before.waited.get("cpu", 0))

    @property
    def mostly(self) -> str:
        """Where the CPU's time went: ``user``, ``system``; ``both`` if neither got twice as much as the other."""
        if self.user > _MUCH * self.system:
            return "user"
        return "system" if self.system > _MUCH * self.user else "both"

    def __str__(self) -> str:
        told = [f"CPU {self.cpu:.2f} s"]
        if self.cpu >= 0.01:
            told.append("user and system alike" if self.mostly == "both" else f"mostly {self.mostly}")
        told += [f"memory {self.memory / MIB:+.1f} MiB"] if self.memory else []
        told += [f"{self.read / MIB:.1f} MiB read from disks"] if self.read else []
        return ", ".join(told)


_COUNTED = ("cpu", "user", "system", "memory", "read")


def share(part: float, whole: float) -> str:
    """How much of the whole that is, in words where it is about nothing or all of it."""
    return "nothing" if part < 0.1 * whole else "all" if part > 0.9 * whole else f"{part / whole:.1f}"


def tenants(lab: Metered, *names: str) -> list[Container]:
    """A container for each, in which nothing happens yet; all that it uses is counted, and nothing is limited."""
    lab.reset()
    return [lab.run("busybox", "sleep 1000", name=name, limits=Limits(), detach=True) for name in names]


def cost(container: Container, argv: Sequence[str] | str) -> Cost:
    """What it costs the container to run a program, to its end."""
    before = container.usage()
    container.exec(argv)
    return Cost.between(before, container.usage())


def compete(processes: Mapping[Container, int]) -> list[Cost]:
    """What each spends in a second in which all compete for one CPU, with so many processes that only compute.

    On a busy machine in several seconds: until each that computes has got enough to be compared, or in ten.
    """
    running = [each.exec(SPINNING, detach=True) for each, count in processes.items() for _ in range(count)]
    before = [container.usage() for container in processes]
    for _ in range(10):
        # The lab's clock, for a recorded lesson does not wait; one more process beside the busiest is not noticed.
        max(processes, key=lambda each: processes[each]).exec("sleep 1")
        after = [container.usage() for container in processes]
        spent = [Cost.between(old, new) for old, new in zip(before, after, strict=True)]
        if all(each.cpu >= ENOUGH for each, count in zip(spent, processes.values(), strict=True) if count):
            break
    for process in running:
        process.kill()
        process.wait()
    return spent


def both_sides(lab: Metered, container: Container, argv: Sequence[str] | str) -> tuple[Cost, float]:
    """What a program costs the container, and the seconds for which the machine's CPUs were busy meanwhile."""
    before = lab.usage().cpu
    spent = cost(container, argv)
    return spent, lab.usage().cpu - before


def visit(lab: Metered, container: Container, argv: Sequence[str]) -> Cost:
    """What it costs the container when a program of the lab host runs, in its cgroups and in none of its namespaces."""
    before, name = container.usage(), f"guest-of-{container.name}"
    born = Spawn(who="door", child=name, cgroup=container.spec.cgroup_path)
    entering = container.spec.hold.joining(container.name, name)
    leaving = [Reap(who="door", target=name), Kill(target="door")]
    lab.take_all([Spawn(child="door"), born, *entering, Exec(who=name, argv=tuple(argv)), *leaving])
    return Cost.between(before, container.usage())


def layer(container: Container, path: str) -> str:
    """Where the lab host sees a file that the container has written."""
    return f"{container.spec.directory}/upper{path}"


def used(lab: Metered, who: str) -> Usage:
    """What is counted in the cgroups of one of the lab's processes, by its name; nothing of one that is not there."""
    pids = {name: int(pid) for pid, name in labels(lab).items()}
    return Usage.parse(lab.backend.machine("counters", {who: pids[who]})[who]) if who in pids else Usage()
