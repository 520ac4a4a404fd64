"""Lines for version 2 said in the words of version 1, file by file.

    >>> to_v1([("cpu.max", "25000 100000")])
    (Line('cpu', 'cpu.cfs_period_us', '100000'), Line('cpu', 'cpu.cfs_quota_us', '25000'))

See: `labkit.cgroups.vocabulary` for the table of files, the kernel's admin-guide/cgroup-v1/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from labkit.cgroups import vocabulary
from labkit.errors import SpecError

_THROTTLE = {
    "rbps": "blkio.throttle.read_bps_device", "wbps": "blkio.throttle.write_bps_device",
    "riops": "blkio.throttle.read_iops_device", "wiops": "blkio.throttle.write_iops_device",
}  # fmt: skip


class Line(NamedTuple):
    """What to write into a file of version 1, in the tree of `controller`."""

    controller: str
    file: str
    text: str

    def __repr__(self) -> str:
        return f"Line({self.controller!r}, {self.file!r}, {self.text!r})"


def to_v1(lines: Iterable[tuple[str, str]]) -> tuple[Line, ...]:
    """The same for version 1. Raises SpecError with the reason for a file that has no counterpart there."""
    given = list(lines)
    return tuple(found for name, text in given for found in translate(name, text, dict(given)))


def translate(name: str, text: str, others: Mapping[str, str]) -> Iterator[Line]:
    """One line of it; `others` is what is set with it, for version 1 has files that are about two things at once."""
    try:
        row = vocabulary.file(name)
    except KeyError:
        raise SpecError(f"a cgroup has no file {name}", look="ls /sys/fs/cgroup") from None
    controller, files = row.v1
    if not files:
        raise SpecError(
            f"cgroup version 1 has nothing for {name}", likely=row.why_not, look="the course's VM has version 2"
        )
    if name == "cpu.max":
        quota, _, period = text.partition(" ")
        yield Line(
            controller, "cpu.cfs_period_us", period or "100000"
        )  # first: a quota is held to the period that is there
        yield Line(controller, "cpu.cfs_quota_us", "-1" if quota == "max" else quota)
    elif name == "cpu.weight":
        yield Line(controller, files[0], str(shares(int(text))))
    elif name == "memory.swap.max":
        yield Line(controller, files[0], _with_swap(text, others.get("memory.max")))
    elif name == "io.max":
        disk, *words = text.split(" ")
        for word in words:
            key, _, value = word.partition("=")
            yield Line(controller, _THROTTLE[key], f"{disk} {'0' if value == 'max' else value}")
    elif name == "cgroup.freeze":
        yield Line(controller, files[0], "FROZEN" if text == "1" else "THAWED")
    elif text == "max" and controller in ("memory", "hugetlb"):
        yield Line(controller, files[0], "-1")
    else:
        yield Line(controller, files[0], text)


def shares(weight: int) -> int:
    """The cpu.shares of a cpu.weight: what the kernel itself makes of it, 100 being 1024.

    See: kernel/sched/core.c, sched_weight_from_cgroup; shares below 2 are taken as 2.
    """
    return max(2, (weight * 1024 + 50) // 100)


def _with_swap(swap: str, memory: str | None) -> str:
    """Version 1 limits memory *and* swap together, so that the one cannot be said without the other."""
    if swap == "max":
        return "-1"
    if memory in (None, "max"):
        raise SpecError(
            "cgroup version 1 cannot limit swap without memory",
            likely="its file memory.memsw.limit_in_bytes is for the two together",
            look=f'Limits(memory="64M", swap={swap})',
        )  # fmt: skip
    return str(int(memory or 0) + int(swap))
