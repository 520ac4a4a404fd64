"""The bare machine below a lab, as psutil sees it: what its kernel manages, and how it shares a CPU."""

from __future__ import annotations

import time
from typing import Any

from labkit.learn.judging import LabLike, labels


def four_jobs() -> str:
    """The kernel's four jobs, each with what psutil reads about it on the machine that the notebook runs on."""
    import psutil

    users = {process.info["username"] for process in psutil.process_iter(["username"])}
    memory, disk, disks = psutil.virtual_memory(), psutil.disk_usage("/"), psutil.disk_partitions(all=True)
    links, sockets = psutil.net_if_stats(), psutil.net_connections("tcp")
    taken = len({socket.laddr for socket in sockets if socket.status == psutil.CONN_LISTEN})
    jobs = {
        "processes": f"{len(psutil.pids())}, of {len(users)} users, on {psutil.cpu_count()} CPUs",
        "memory": f"{memory.total >> 20} MiB, of which {memory.percent:.0f} % are in use",
        "devices and files": f"{len(disks)} file systems; / is {disk.percent:.0f} % full",
        "network and other I/O": f"{len(links)} interfaces; {taken} TCP ports are taken",
    }
    return "\n".join(f"{job:<23}{found}" for job, found in jobs.items())


def real_pids(lab: LabLike) -> dict[str, int]:
    """The lab's processes by name, each with its pid on the bare machine."""
    return {name: int(pid) for pid, name in labels(lab).items()}


def shares(lab: LabLike, *tenants: str, most: float = 2.2) -> dict[str, float]:
    """Seconds of CPU that each tenant's processes (by the beginning of their names) get while all compete for one CPU.

    They are put onto one CPU and counted by the kernel, not by the clock on the wall: whatever else runs on
    that CPU takes from all of them alike, so the proportion holds on a busy machine, too. Ends as soon as
    the slowest has had a fifth of a second, or after `most` seconds.
    """
    import psutil

    running = {name: psutil.Process(pid) for name, pid in real_pids(lab).items() if name.startswith(tenants)}
    cpu = max(psutil.Process().cpu_affinity())
    for process in running.values():
        process.cpu_affinity([cpu])
    before, deadline = _used(running), time.monotonic() + most
    while True:
        time.sleep(0.05)
        spent = {name: used - before[name] for name, used in _used(running).items()}
        if min(spent.values()) >= 0.2 or time.monotonic() > deadline:
            break
    return {tenant: sum(used for name, used in spent.items() if name.startswith(tenant)) for tenant in tenants}


def _used(processes: dict[str, Any]) -> dict[str, float]:
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
