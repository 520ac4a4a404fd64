"""The peers without labkit: what this machine makes of them, by `./lab bench peers`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import in_turns
from benchmarks.peers import peers
from benchmarks.report import Part, timings
from labkit.image import rootfs


def alone(scratch: Path, rounds: int) -> Part:
    """All peers in turns."""
    with peers(rootfs.image_path("busybox"), scratch) as others:
        measured = in_turns(others.works, rounds=rounds)
    return Part("the peers alone", [*timings(measured, against="floor"), *others.remarks()])
