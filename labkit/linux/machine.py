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
_ENOUGH, _MOST = 0.2, 2.2  # seconds of CPU for the slowest; seconds of waiting for that


def jobs(pids: Pids) -> Answer:
    """The kernel's four jobs, each with what there is of it, in words."""
    import psutil

    users = {process.info["username"] for process in psutil.process_iter(["username"])}
    memory, disk, disks = psutil.virtual_memory(), psutil.disk_usage("/"), psutil.disk_partitions(all=True)
    links, sockets = psutil.net_if_stats(), psutil.net_connections("tcp")
    taken = len({socket.laddr for socket in sockets if socket.status == psutil.CONN_LISTEN})
    return {
        "processes": f"{len(psutil.pids())}, of {len(users)} users, on {psutil.cpu_count()} CPUs",
        "memory": f"{memory.total >> 20} MiB, of which {memory.percent:.0f} % are in use",
        "devices and files": f"{len(disks)} file systems; / is {disk.percent:.0f} % full",
        "network and other I/O": f"{len(links)} interfaces; {taken} TCP ports are taken",
    }


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
    had a fifth of a second, or after two seconds.
    """
    import psutil

    running = {name: psutil.Process(pid) for name, pid in pids.items()}
    before, deadline = _used(running), time.monotonic() + _MOST
    while True:
        time.sleep(0.05)
        spent = {name: used - before[name] for name, used in _used(running).items()}
        if min(spent.values()) >= _ENOUGH or time.monotonic() > deadline:
            return spent


def _used(processes: dict[str, Any]) -> dict[str, float]:
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}


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


QUESTIONS: dict[str, Callable[[Pids], Answer]] = {
    "jobs": jobs,
    "memory": memory,
    "programs": programs,
    "lives": lives,
    "shares": shares,
    "counters": counters,
    "files": files,
    "usage": usage,
}
