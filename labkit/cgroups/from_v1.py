"""What files of version 1 say of limits, in the words of version 2: the way back from `labkit.cgroups.translation`.

    >>> limit("cpu.max", {"cpu.cfs_quota_us": "25000", "cpu.cfs_period_us": "100000"})
    '25000 100000'
    >>> limit("memory.max", {"memory.limit_in_bytes": "9223372036854771712"})
    'max'

See: `labkit.cgroups.vocabulary` for the table of files, the kernel's admin-guide/cgroup-v1/.
"""

from __future__ import annotations

from collections.abc import Mapping

from labkit.cgroups import vocabulary
from labkit.linux.cgroup_files import NO_LIMIT
from labkit.linux.cgroup_units import weight

_FROZEN = {"THAWED": "0", "FREEZING": "1", "FROZEN": "1"}
_CEILINGS = ("rbps", "wbps", "riops", "wiops")


def limit(name: str, files: Mapping[str, str]) -> str | None:
    """What `name` of version 2 would say where these `files` are; None where they do not tell. Raises KeyError."""
    row = vocabulary.file(name)
    texts = [files[file].strip() for file in row.v1[1] if file in files]
    if not texts or len(texts) < len(row.v1[1]):
        return None
    if name == "cpu.max":
        return f"{_unlimited(texts[0])} {texts[1]}"
    if name == "cpu.weight":
        return str(weight(int(texts[0])))
    if name == "memory.swap.max":
        return _swap(texts[0], files.get("memory.limit_in_bytes"))
    if name == "io.max":
        return _ceilings(texts)
    if name == "cgroup.freeze":
        return _FROZEN.get(texts[0])
    return _unlimited(texts[0]) if row.unit == "bytes" else texts[0]


def _unlimited(text: str) -> str:
    return "max" if int(text) < 0 or int(text) >= int(NO_LIMIT) else text


def _swap(both: str, memory: str | None) -> str | None:
    """Version 1 limits memory and swap together."""
    if _unlimited(both) == "max":
        return "max"
    return None if memory is None else str(max(0, int(both) - int(memory)))


def _ceilings(texts: list[str]) -> str:
    """A line for each disk, from four files with a line for each disk."""
    disks: dict[str, dict[str, str]] = {}
    for key, text in zip(_CEILINGS, texts, strict=True):
        for disk, number in (line.split() for line in text.splitlines()):
            disks.setdefault(disk, dict.fromkeys(_CEILINGS, "max"))[key] = number
    return "\n".join(f"{disk} {' '.join(f'{k}={v}' for k, v in given.items())}" for disk, given in disks.items())
