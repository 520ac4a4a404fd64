"""Measuring what limits do: shares of a CPU, delays of short pieces of work, the speed of a disk.

What is told is always one measurement in terms of another of the same run, for the machine is never idle. Clocks are
read where the work is done, or by the bare machine, so that a recorded lesson has the seconds of its recording.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from labkit.cgroups.limits import Limits
from labkit.container.container import Container
from labkit.errors import LabError, SpecError
from labkit.learn.asking import Renewable
from labkit.learn.bare import OnMachine
from labkit.learn.measured import Delays, compare

T = TypeVar("T")
BUSY = ("sh", "-c", "while :; do :; done")  #: a program that only computes
GROWING = ("sh", "-c", "x=0123456789; while :; do x=$x$x; done")  #: one that wants ever more memory
_PIECES = 40  # of work, in each round
_PIECE = 0.004  # seconds that one should take: five fill a quota of 20 %, so that of these one in five has to wait
_NOW = "echo $EPOCHREALTIME"  # the shell's own: to start a program takes longer than what is measured
_DOOR = "/tmp/start"
#: Waits at a FIFO, on which nothing is lost: a process that opens one end waits for the other end, in either order.
#: (A signal would be lost between `echo ready` and `wait`, and the wait would never end.)
WORK = f"""mkfifo {_DOOR}; echo ready; read go <{_DOOR}; {_NOW}; i=0
while [ $i -lt $0 ]; do j=0; while [ $j -lt $1 ]; do j=$((j+1)); done; {_NOW}; i=$((i+1)); done"""
START = f"until [ -p {_DOOR} ]; do sleep 0.01; done; echo go >{_DOOR}"  #: lets it begin, from another process
#: few large reads: between two of them a reader may have to wait for a CPU
_READ = f"stat -c %s /bin/busybox; {_NOW}; dd if=/bin/busybox of=/dev/null bs=1M $0 2>/dev/null; {_NOW}"
_SEND = "until dd if=/dev/zero bs=16k count=10 2>/dev/null | nc $0 9000; do :; done"
#: The clock is the receiver's: what a sender is rid of may still lie in a queue. The first 16 KiB are not counted, as
#: they may go at once. (nc hangs up when it has nothing to say, and a pipe that nobody closes keeps it from that.)
_HEAR = f"""mkfifo /tmp/pipe; nc -l -p 9000 <>/tmp/pipe |
{{ head -c 16384 >/dev/null; {_NOW}; wc -c; {_NOW}; }}"""
_WANTS = "x=0123456789abcdef; for i in $(seq 20); do x=$x$x; done; sleep 100"


class Running(Renewable, OnMachine, Protocol):
    """A lab that runs containers."""

    engine: Any

    @property
    def run(self) -> Callable[..., Container]:
        """As `labkit.Lab.run`."""


def shares(lab: Running, *containers: Container) -> list[float]:
    """Seconds of CPU that each of them gets of a second on the wall, while all of them run."""
    pids = {each.name: lab.engine.counted(each, lambda pid: pid) for each in containers}
    with lab.alone():
        spent = lab.backend.machine("spent", pids)
    return [spent[container.name] / spent[""] for container in containers]


def delays(lab: Running, *quotas: float | None) -> tuple[Delays, ...]:
    """Do the same pieces of work in a container on CPU 0 with each of these quotas; a piece takes 4 ms.

    In rounds, until the comparison with the first of them is clear; see `labkit.learn.measured.compare`.
    """
    with lab.alone():
        loops = max(1, round(1000 * _PIECE / Delays(_work(lab, None, 20, 1000)).quickest))
        return compare(lambda number: _work(lab, quotas[number], _PIECES, loops), len(quotas))


def _work(lab: Running, quota: float | None, pieces: int, loops: int) -> tuple[float, ...]:
    """Seconds that each piece took. The quota is set when the program waits: its start would use some of it."""
    box = lab.run("busybox", ["sh", "-c", WORK, str(pieces), str(loops)], limits=Limits(cpus="0"), detach=True)
    soon(lab, lambda: box.stdout)
    if quota is not None:
        box.limits(cpu=quota)
    box.exec(["sh", "-c", START])
    box.wait()
    stamps = [float(line) for line in box.stdout.split()[1:]]
    return tuple(after - before for before, after in pairwise(stamps))


def disk(lab: Running) -> str:
    """The number of the disk that the image busybox lies on, as limits want it. Raises LabError where there is none."""
    number = 0
    with contextlib.suppress(OSError):  # of a recording: there it is told
        number = os.stat(lab.backend.find("busybox")).st_dev
    found = str(lab.backend.machine("disk", {"image": number})["image"])
    if not found:
        raise LabError("the image busybox lies on no disk that could be limited", look="findmnt -T /var/lib/labkit")
    return found


def speed(lab: Running, limits: Limits, *, direct: bool = False) -> float:
    """Bytes a second at which a container reads a file of its image: from the disk itself if `direct`."""
    how = "iflag=direct" if direct else "iflag=fullblock"
    with lab.alone():
        size, begin, end = lab.run("busybox", ["sh", "-c", _READ, how], limits=limits).stdout.split()
    return int(size) / (float(end) - float(begin))


def send(lab: Running, container: Container, to: str) -> float:
    """Bytes a second at which a container on a cable sends to the lab host, whose address on it is `to`."""
    with lab.alone():
        ear = lab.run("busybox", ["sh", "-c", _HEAR], namespaces=("mnt",), detach=True)
        container.exec(["sh", "-c", _SEND, to])
        ear.wait()
    begin, size, end = ear.stdout.split()
    return int(size) / (float(end) - float(begin))


def slow_lane(lab: Running) -> str:
    """What becomes of a program that wants 24 MiB where memory.high is 16, as far as one second tells; or why not."""
    try:
        slow = lab.run("busybox", ["sh", "-c", _WANTS], limits=Limits(memory_high="16M", swap=0), detach=True)
    except SpecError as refused:
        return f"memory.high: {refused}"
    soon(lab, lambda: slow.usage().events.get("high"))
    events = slow.usage().events
    slow.kill()
    slow.wait()
    return f"memory.high: it was slowed ({events['high'] > 0}), and killed ({events['oom_kill'] > 0})"


def together(lab: Running) -> str:
    """Who is left of a container with memory.oom.group when one of its programs meets memory.max; or why not."""
    try:
        box = lab.run("busybox", ["sleep", "100"], limits=Limits(memory="16M", swap=0, oom_group=True), detach=True)
    except SpecError as refused:
        return f"memory.oom.group: {refused}"
    box.exec(GROWING)
    return f"memory.oom.group: its first program {'runs on' if box.wait(3) is None else 'was killed, too'}"


def soon(lab: Running, ask: Callable[[], T]) -> T:
    """The first answer that is not empty, asked for ten times a second; after twenty seconds the last one."""
    for _ in range(200):
        if answer := ask():
            break
        time.sleep(0 if lab.recorded else 0.1)
    return answer
