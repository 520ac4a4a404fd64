"""The whole machine beside a container: the same load seen from the other side.

A cgroup counts what its own processes use. What all of them use, and the kernel itself, is counted once for the
machine; the library psutil reads it from /proc. The two need not add up: a page of a file is paid for by who read it
first, and a packet by nobody's cgroup.

See: proc(5) "/proc/stat", "/proc/meminfo", "/proc/diskstats", psutil.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.cgroups import sizes
from labkit.container.stream import Stream
from labkit.linux import machine
from labkit.steps.display import Shown

if TYPE_CHECKING:
    from labkit.container.engine import Engine

_MOST_HZ = 10  # all of it takes some ten times as long to read as what a container uses


@dataclass(frozen=True, slots=True)
class MachineUsage(Shown):
    """Seconds and bytes since the machine was booted, and what is in use now.

    `cpu` is the time that its `cpus` together spent on anything but waiting, `idle` that other time; `memory` what
    could not be given to somebody at once, of `memory_total`, and `swap` what lies on disk, bytes.
    `disks` and `links`, by name: bytes (read, written) and (received, sent); a loop device's are those of the disk
    that its file lies on, too.
    """

    cpus: int
    cpu: float
    user: float
    system: float
    idle: float
    memory: int
    memory_total: int
    swap: int
    processes: int
    disks: Mapping[str, tuple[int, int]]
    links: Mapping[str, tuple[int, int]]

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> MachineUsage:
        """What `labkit.linux.machine.usage` said."""
        pairs = {kind: {name: (each[0], each[1]) for name, each in told[kind].items()} for kind in ("disks", "links")}
        return cls(**{**told, **pairs})

    def __str__(self) -> str:
        lines = [
            f"CPU        {self.cpu:.3f} s (user {self.user:.3f}, system {self.system:.3f}) on {self.cpus} CPUs",
            f"idle       {self.idle:.3f} s",
            f"memory     {_mega(self.memory)} of {_mega(self.memory_total)}, and {_mega(self.swap)} on disk",
            f"processes  {self.processes}",
        ]
        for name, (read, written) in self.disks.items():
            lines += [f"disk       {name}: {_mega(read)} read, {_mega(written)} written"] if read or written else []
        for name, (received, sent) in self.links.items():
            lines += [f"link       {name}: {_mega(received)} received, {_mega(sent)} sent"] if received or sent else []
        return "\n".join(lines)


@dataclass(frozen=True)
class MachineSample:
    """The machine's counters at one moment; `at` in seconds as time.time() tells them."""

    at: float
    usage: MachineUsage


class MachineWatch(Stream[MachineSample]):
    """What is seen of the machine: samples alone, for nobody says what an event would be."""


class _Machine:
    alarm = -1  # the machine announces nothing

    def news(self, at: float) -> list[MachineSample]:
        return []

    def look(self, at: float) -> list[MachineSample]:
        return [MachineSample(at, MachineUsage.parse(machine.usage({})))]

    def close(self) -> None:
        return


def usage(engine: Engine) -> MachineUsage:
    """What the machine below the lab has used until now."""
    return MachineUsage.parse(engine.lab.backend.machine("usage", {}))


def watch(engine: Engine, hz: float) -> MachineWatch:
    """The same many times a second. Raises ReplayError, SpecError.

    By a thread of its own: psutil opens some ten files, and beside a cell that computes each of them may take as long
    as the interpreter lets one thread go on (`sys.getswitchinterval`): no container is to wait for that.
    """
    stream = MachineWatch("the machine", sizes.number("hz", hz, 0.1, _MOST_HZ))
    engine.lab.check_open()
    engine.lab.backend.killed()  # only a live lab can be watched
    engine.beside.add(stream, _Machine())
    return stream


def _mega(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
