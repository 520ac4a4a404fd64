"""The kernels that are tried, each with the user land of the Debian release that it comes with or is offered to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A kernel by the name that ``--kernel`` takes."""

    name: str
    release: str
    suite: str  # where the package comes from
    python: str  # of the release; wheels are chosen for it


KERNELS = (
    Kernel(name="6.1", release="bookworm", suite="bookworm", python="3.11"),
    Kernel(name="6.12", release="trixie", suite="trixie", python="3.13"),
    Kernel(name="backports", release="trixie", suite="trixie-backports", python="3.13"),
)


def releases(kernels: tuple[Kernel, ...]) -> tuple[str, ...]:
    """The releases of `kernels`, each once."""
    return tuple(dict.fromkeys(kernel.release for kernel in kernels))
