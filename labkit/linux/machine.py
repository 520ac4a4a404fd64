"""The bare machine, the one below every lab, as the library psutil sees it.

Each question answers with a dictionary of plain data, so that a recording can keep it. Those about processes are
given them as ``{name: pid}`` and answer by the names.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

Pids = Mapping[str, int]
Answer = dict[str, Any]
_ENOUGH, _MOST = 0.2, 20.0  # seconds of CPU for the slowest; seconds of waiting for that
_STEADY = 0.07  # by how much of itself a share may still change while the time doubles
_CALM, _PATIENCE = 0.4, 10.0  # seconds without a change; seconds of waiting for that


def jobs(pids: Pids) -> Answer:
    """The kernel's four jobs, each with what there is of it, in words."""
    import psutil

    owners = [process.info["uids"] for process in psutil.process_iter(["uids"])]
    of_root = sum(1 for uids in owners if uids and uids.effective == 0)
    memory, drivers = psutil.virtual_memory(), len(_drivers())
    disks, links = os.listdir("/sys/block"), psutil.net_if_stats()
    return {
        "memory management": f"{memory.total >> 20} MiB, of which {memory.percent:.0f} % are in use",
        "process management": f"{len(owners)} processes on {psutil.cpu_count()} CPUs",
        "device drivers": f"{drivers} for files in /dev; {len(disks)} block devices, {len(links)} network interfaces",
        "system calls and security": f"root's processes may ask for anything: {of_root} of {len(owners)}",
    }


def _drivers() -> list[str]:
    """The drivers of character and block devices, as ``/proc/devices`` lists them. See: proc(5)."""
    with open("/proc/devices", encoding="utf-8", errors="replace") as file:
        rows = [line.split() for line in file]
    return [row[1] for row in rows if len(row) == 2 and row[0].isdigit()]


def memory(pids: Pids) -> Answer:
    """How much memory there is, in KiB."""
    import psutil

    return {"total": psutil.virtual_memory().total // 1024}


def programs(pids: Pids) -> Answer:
    """What each process calls itself."""
    import psutil

    return {name: psutil.Process(pid).name() for name, pid in pids.items()}


def lives(pids: Pids) -> Answer:
    """Whether each process is there."""
    import psutil

    return {name: psutil.pid_exists(pid) for name, pid in pids.items()}


def shares(pids: Pids) -> Answer:
    """Seconds of CPU that each process gets while all of them compete.

    Counted by the kernel, not by the clock on the wall: where they are bound to one CPU, whatever else runs there
    takes from all of them alike, so the proportion holds on a busy machine, too. Ends as soon as the slowest has
    had a fifth of a second and the proportion is steady: a virtual CPU that was away charges that time to whoever
    ran, and makes up for it later. After twenty seconds it ends in any case.
    """
    import psutil

    running = {name: psutil.Process(pid) for name, pid in pids.items()}
    before, deadline = _used(running), time.monotonic() + _MOST
    seen: list[dict[str, float]] = []
    while True:
        time.sleep(0.05)
        spent = {name: used - before[name] for name, used in _used(running).items()}
        seen.append(spent)
        if (min(spent.values()) >= _ENOUGH and _steady(seen)) or time.monotonic() > deadline:
            return spent


def _steady(seen: list[dict[str, float]]) -> bool:
    """Whether everybody's share is what it was at half the time."""
    halfway, now = seen[len(seen) // 2], seen[-1]
    then, total = sum(halfway.values()), sum(now.values())
    return then > 0 and all(
        abs(halfway[name] / then - used / total) <= _STEADY * used / total for name, used in now.items()
    )


def _used(processes: dict[str, Any]) -> dict[str, float]:
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}


def spent(pids: Pids) -> Answer:
    """Seconds of CPU that the cgroup of each process gets while all of them run, and ("") of the clock on the wall.

    Ends as `shares` does, and is as fine as the kernel counts, in microseconds.
    """
    from labkit.linux import cgroup2

    stats = {name: f"{cgroup2.own(pid)}/cpu.stat" for name, pid in pids.items()}
    before, began = _counted(stats), time.monotonic()
    seen: list[dict[str, float]] = []
    while True:
        time.sleep(0.05)
        found, passed = _counted(stats), time.monotonic() - began
        seen.append(got := {name: seconds - before[name] for name, seconds in found.items()})
        if (min(got.values()) >= 2 * _ENOUGH and _steady(seen)) or passed > _MOST:
            return {"": passed, **got}


def _counted(stats: Mapping[str, str]) -> dict[str, float]:
    found = {}
    for name, path in stats.items():
        with open(path, encoding="ascii") as file:
            found[name] = int(file.readline().split()[1]) / 1e6
    return found


def disk(numbers: Pids) -> Answer:
    """The number of the whole disk that has the device of each `st_dev`, as MAJ:MIN; empty where there is none."""
    return {name: _whole(os.major(number), os.minor(number)) for name, number in numbers.items()}


def _whole(major: int, minor: int) -> str:
    place = os.path.realpath(f"/sys/dev/block/{major}:{minor}")
    if os.path.exists(f"{place}/partition"):
        place = os.path.dirname(place)
    try:
        with open(f"{place}/dev", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def rest(pids: Pids) -> Answer:
    """Wait until nothing changes any more among these processes and their descendants, and none is a shell."""
    import psutil

    deadline, since = time.monotonic() + _PATIENCE, time.monotonic()
    before: set[tuple[int, str, bool]] = set()
    while time.monotonic() < deadline:
        now = set()
        for pid in pids.values():
            try:
                for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
                    now.add((process.pid, process.name(), process.status() == psutil.STATUS_ZOMBIE))
            except psutil.NoSuchProcess:
                continue
        if now != before or any(name == "sh" for _, name, _ in now):
            before, since = now, time.monotonic()
        elif time.monotonic() - since > _CALM:
            break
        time.sleep(0.02)
    return {}


def counters(pids: Pids) -> Answer:
    """What the files of each process's cgroups count. Raises LookupError where that is not to be seen."""
    from labkit.linux import cgroup_files
    from labkit.linux.open_files import OpenFiles

    found = {}
    for name, pid in pids.items():
        with OpenFiles(cgroup_files.counters(pid)) as files:
            found[name] = files.texts()
    return found


def usage(pids: Pids) -> Answer:
    """What all of it together has used since it was booted: seconds, bytes and counts."""
    import psutil

    cpu, memory, swap = psutil.cpu_times(), psutil.virtual_memory(), psutil.swap_memory()
    links, whole = psutil.net_io_counters(pernic=True), set(os.listdir("/sys/block"))  # and not their partitions
    disks = {name: disk for name, disk in (psutil.disk_io_counters(perdisk=True) or {}).items() if name in whole}
    idle = cpu.idle + cpu.iowait
    return {
        "cpus": psutil.cpu_count(), "user": cpu.user + cpu.nice, "system": cpu.system, "idle": idle,
        "cpu": sum(cpu[:7]) - idle,  # without what is stolen from this machine; its own guests are in user already
        "memory": memory.total - memory.available, "memory_total": memory.total, "swap": swap.used,
        "disks": {name: [disk.read_bytes, disk.write_bytes] for name, disk in disks.items()},
        "links": {name: [link.bytes_recv, link.bytes_sent] for name, link in links.items()},
        "processes": len(psutil.pids()),
    }  # fmt: skip


def files(pids: Pids) -> Answer:
    """All that the files of each process's own cgroups say, by version ("1", "2") and name of the file."""
    from labkit.linux import cgroup_files, hierarchies

    found: Answer = {}
    for name, pid in pids.items():
        found[name] = {}
        for tree in hierarchies.own(pid):
            if texts := cgroup_files.everything(tree.directory):
                found[name].setdefault(str(tree.version), {}).update(texts)
    return found


def beneath(pids: Pids) -> Answer:
    """What the files of every cgroup of a lab count, by the names that facts have for them.

    `pids` has for each tree one process, by the place that it has there: ``{"/host": 4711, "memory:/web": 4712}``.
    """
    from labkit.linux import cgroup_files, hierarchies
    from labkit.linux.open_files import OpenFiles

    found: Answer = {}
    for place, pid in pids.items():
        words, inside = ("", place) if place.startswith("/") else place.split(":", 1)
        try:
            trees = hierarchies.own(pid)
        except (LookupError, ProcessLookupError):  # it has ended meanwhile
            continue
        for tree in trees:
            if (",".join(tree.controllers) if tree.version == 1 else "") != words:
                continue
            names, top = cgroup_files.counting(tree.version, tree.controllers), tree.directory.removesuffix(inside)
            for directory, _, _ in os.walk(top):
                name = f"{words}:{directory[len(top) :] or '/'}".removeprefix(":")
                with OpenFiles([(file, f"{directory}/{file}") for file in names]) as files:
                    found[name] = files.texts()
    return found


QUESTIONS: dict[str, Callable[[Pids], Answer]] = {
    "jobs": jobs,
    "memory": memory,
    "programs": programs,
    "lives": lives,
    "shares": shares,
    "spent": spent,
    "disk": disk,
    "rest": rest,
    "counters": counters,
    "files": files,
    "beneath": beneath,
    "usage": usage,
}
