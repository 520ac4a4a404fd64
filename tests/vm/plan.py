"""Which machines run what: a job is one boot of one kernel, with one processor and at most two parts."""

from __future__ import annotations

from dataclasses import dataclass

from chosen import CHOSEN
from guest import Part
from kernels import Kernel

#: the ways into a lab, and the kernel on which each takes all notebooks: each kernel has one, each way as well
WAYS = {"root": ("6.1", "backports"), "sudo": ("6.12",), "rootless": ("6.1",)}
#: Without what the ring has beside the notebooks: their form, and replay, which ask nothing of a kernel. One after the
#: other, as one processor would be shared, and a second worker takes long to start.
NOTEBOOKS = ("--deselect=tests/notebooks/", "-n0")
_MOST = 2  # parts in a machine: with more, the last one would run while the other processors have nothing to do


@dataclass(frozen=True, kw_only=True)
class Job:
    """One boot of one kernel."""

    kernel: Kernel
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        return f"{self.kernel.name}-{self.parts[0].name}"


def jobs(kernels: tuple[Kernel, ...], way: str | None, *, whole: bool) -> list[Job]:
    """What is to be done, the longest first. `way`: only this one, on each of the kernels."""
    found = []
    for kernel in kernels:
        parts = _parts(kernel, way, whole=whole)
        found += [Job(kernel=kernel, parts=parts[first : first + _MOST]) for first in range(0, len(parts), _MOST)]
    return sorted(found, key=lambda job: -len(job.parts))


def _parts(kernel: Kernel, way: str | None, *, whole: bool) -> tuple[Part, ...]:
    ways = [each for each, where in WAYS.items() if each == way or (way is None and kernel.name in where)]
    parts = [Part(name=f"notebooks-{each}", way=each, ring="notebooks", options=NOTEBOOKS) for each in ways]
    if whole:
        parts.append(Part(name=f"kernel-{way or 'root'}", way=way or "root", ring="kernel"))
    elif way in (None, "root"):
        parts.append(Part(name="chosen-root", way="root", ring="files", options=tuple(CHOSEN)))
    return tuple(parts)
