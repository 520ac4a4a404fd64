"""The bare machine below a lab: what its kernel manages, who lives on it, and how it shares a CPU.

All of it is asked through the lab (`Backend.machine`), so that a recorded lesson can tell what the machine said
on which it was recorded.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from labkit.learn.judging import LabLike, labels
from labkit.steps.backends.base import Backend


class OnMachine(LabLike, Protocol):
    """A lab that stands on a machine."""

    info: dict[str, Any]

    @property
    def backend(self) -> Backend:
        """Who is asked."""

    @property
    def recorded(self) -> str:
        """When and where, if it is not live."""

    def alone(self) -> AbstractContextManager[None]:
        """While this lasts, all other labs of this Python stand still."""


def four_jobs(lab: OnMachine) -> str:
    """The kernel's four jobs, each with what psutil reads about it on the machine that the notebook runs on."""
    found = lab.backend.machine("jobs", {})
    lines = [f"{job:<27}{what}" for job, what in found.items()]
    return "\n".join([*lines, f"({lab.recorded})"] if lab.recorded else lines)


def memory(lab: OnMachine) -> int:
    """The machine's memory in KiB, as psutil reads it there."""
    return int(lab.backend.machine("memory", {})["total"])


def programs(lab: OnMachine) -> list[str]:
    """What psutil finds on the machine: the lab's processes, by what they call themselves."""
    return sorted(lab.backend.machine("programs", _real_pids(lab)).values())


def agent_lives(lab: OnMachine) -> bool:
    """Whether psutil finds the lab's agent on the machine; it can be asked of a closed lab, too."""
    return bool(lab.backend.machine("lives", {"agent": int(lab.info.get("supervisor", 0))})["agent"])


def shares(lab: OnMachine, *tenants: str) -> dict[str, float]:
    """Seconds of CPU that each tenant's processes (by the beginning of their names) get while all compete for one."""
    pids = {name: pid for name, pid in _real_pids(lab).items() if name.startswith(tenants)}
    with lab.alone():
        spent = lab.backend.machine("shares", pids)
    return {tenant: sum(used for name, used in spent.items() if name.startswith(tenant)) for tenant in tenants}


def at_rest(lab: OnMachine, *processes: str) -> None:
    """Wait until nothing changes any more in these processes and below them, however slow the machine is."""
    pids = _real_pids(lab)
    lab.backend.machine("rest", {name: pids[name] for name in processes})


def _real_pids(lab: OnMachine) -> dict[str, int]:
    """The lab's processes by name, each with its pid on the bare machine."""
    return {name: int(pid) for pid, name in labels(lab).items()}
