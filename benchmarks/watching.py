"""What it costs to watch: one sample, ten containers ten times a second, and the same by ``podman stats``.

The work in the containers is held to little, so that on a small machine the watch is not measured against it.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.measure import Timing, in_turns, timed
from benchmarks.peers import Absent
from benchmarks.podman import Podman
from benchmarks.report import Goal, Part, number, table, timings
from labkit import Lab
from labkit.cgroups import Limits
from labkit.container.container import Container
from labkit.container.watching import Counters
from labkit.image import rootfs
from labkit.linux import hierarchies

CONTAINERS, HZ, SECONDS = 10, 10, 10.0
BUSY = ["sh", "-c", "while :; do :; done"]
NOBODY: Mapping[str, Any] = MappingProxyType({"last": 0, "kills": []})


def watching(scratch: Path, rounds: int) -> Part:
    """The sample by the clock; the sampler by the CPU that its thread was given, as the kernel counts it."""
    with running() as (lab, containers):
        sources = [Counters(machine_pid(lab, each), lambda: NOBODY, 0) for each in containers]
        works = {
            "one sample": timed(lambda: sources[0].look(time.time())),
            "container.usage()": timed(containers[0].usage),
        }
        measured = in_turns(works, rounds=max(rounds, 100))
        for source in sources:
            source.close()
        idle, dropped = sampler(containers, lambda: time.sleep(0.1))
        busy, late = sampler(containers, lambda: sum(range(100_000)))
        measured[f"from freezing to the event, {HZ} Hz"] = delays(lab, containers[0], rounds)
        measured["of which the kernel's own, until it is frozen"] = freezing(lab, containers[0], rounds)
    rows = [row(f"labkit, {HZ} Hz", idle, HZ), row(f"labkit, {HZ} Hz, beside a cell that computes", busy, HZ)]
    remarks = [f"left out: {dropped} of {total()} samples, and {late} beside the cell"]
    try:
        with Podman(scratch, rootfs.image_path("busybox")) as podman:
            spent, rate = podman.stats(BUSY, CONTAINERS, SECONDS)
        rows.append(row("podman stats --interval 1", spent, rate))
        remarks.append(f"a sample by podman costs {number(spent / rate / (idle / HZ))} times as much")
    except Absent as why:
        remarks.append(f"not measured: podman stats: {why}")
    head = (f"{CONTAINERS} containers", "% of a core", "samples a second of each", "µs of CPU a sample")
    event = measured[f"from freezing to the event, {HZ} Hz"]
    return Part(
        "watching containers",
        [*timings(measured), "", *table(head, rows), "", *remarks],
        [
            Goal("one sample of all files of a container", 0.3, "ms", 1000 * measured["one sample"].median),
            Goal(f"watching {CONTAINERS} containers at {HZ} Hz", 1, "% of a core", 100 * idle, f"{dropped} left out"),
            Goal("from an event in the kernel to the watch", 200, "ms", 1000 * event.p95, "p95"),
        ],
    )


@contextmanager
def running() -> Iterator[tuple[Lab, list[Container]]]:
    """A lab with so many containers of which everything is counted."""
    with Lab() as lab:
        limits = Limits(cpu=0.02, memory="64M", pids=50)
        yield lab, [lab.run("busybox", BUSY, detach=True, limits=limits) for _ in range(CONTAINERS)]


def machine_pid(lab: Lab, container: Container) -> int:
    """By which number the machine knows its first process."""
    return lab.engine.counted(container, lambda pid: pid)


def sampler(containers: list[Container], meanwhile: Callable[[], object]) -> tuple[float, int]:
    """The share of a core that the sampler's thread takes while the main thread does something; samples left out."""
    watches = [container.watch(hz=HZ) for container in containers]
    [thread] = [each for each in threading.enumerate() if each.name == "labkit sampler"]
    time.sleep(1)
    dropped, started, spent = sum(watch.dropped for watch in watches), time.monotonic(), given(thread)
    while time.monotonic() < started + SECONDS:
        meanwhile()
    share = (given(thread) - spent) / (time.monotonic() - started)
    dropped = sum(watch.dropped for watch in watches) - dropped
    for watch in watches:
        watch.close()
    thread.join()
    return share, dropped


def given(thread: threading.Thread) -> float:
    """Seconds on a CPU that a thread was given. See: the kernel's scheduler/sched-stats.rst."""
    return int(Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[0]) / 1e9


def delays(lab: Lab, container: Container, rounds: int) -> Timing:
    """Seconds from a change of cgroup.freeze to the end of waiting for its event."""
    with container.watch(hz=HZ) as watch:
        heard = iter(watch)

        def wait(frozen: bool) -> None:
            wanted = "frozen" if frozen else "thawed"
            while getattr(next(heard), "kind", "") != wanted:
                continue

        return changes(lab, container, rounds, wait)


def freezing(lab: Lab, container: Container, rounds: int) -> Timing:
    """The same until the kernel announces it: a process that has used up its quota stops only when it runs again."""
    with open(Path(version_2(lab, container), "cgroup.events"), encoding="ascii") as said:
        poll = select.poll()
        poll.register(said, select.POLLPRI)

        def wait(frozen: bool) -> None:
            while said.seek(0) or f"frozen {frozen:d}" not in said.read():
                poll.poll()

        return changes(lab, container, rounds, wait)


def changes(lab: Lab, container: Container, rounds: int, wait: Callable[[bool], None]) -> Timing:
    """Freeze and thaw in turns, anywhere between two samples; seconds until `wait` returns."""
    seconds, switch = [], Path(version_2(lab, container), "cgroup.freeze")
    for turn in range(rounds):
        time.sleep(0.05 + turn % 7 / 70)
        frozen = turn % 2 == 0
        started = time.perf_counter()
        switch.write_text(f"{frozen:d}")
        wait(frozen)
        seconds.append(time.perf_counter() - started)
    return Timing(tuple(seconds))


def version_2(lab: Lab, container: Container) -> str:
    """The directory of its cgroup of version 2."""
    [tree] = [each for each in hierarchies.own(machine_pid(lab, container)) if each.version == 2]
    return tree.directory


def total() -> int:
    """So many samples should be taken."""
    return round(CONTAINERS * HZ * SECONDS)


def row(name: str, share: float, rate: float) -> tuple[str, ...]:
    """A line of the table: a share of a core, and how often each container is looked at for it."""
    return name, number(100 * share), number(rate), number(1e6 * share / rate / CONTAINERS)
