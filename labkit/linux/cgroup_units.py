"""What a line of a cgroup's file comes to in the units in which one speaks of it: 48 MiB, a quarter of a CPU.

The kernel's files hold bytes, microseconds and shares. A number in them stands as it is, and beside it what it means:

    >>> beside("memory.max", "50331648"), beside("cpu.max", "25000 100000"), beside("cpu.shares", "1024")
    ('50331648 = 48 MiB', '25000 100000 = 0.25 CPUs', '1024 = weight 100')
    >>> beside("memory.max", "max"), beside("pids.max", "50")
    ('max', '50')

See: the kernel's admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/.
"""

from __future__ import annotations

import re

from labkit.linux.cgroup_files import NO_LIMIT

_BYTES = re.compile(
    r"memory\.(max|high|low|min|swap\.max|current|peak|swap\.current|stat .*)|.*_in_bytes|hugetlb\..*|io\.stat .bytes"
)
_RATE = re.compile(r"blkio\.throttle\..*_bps_device|io\.max .bps")
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def beside(file: str, value: str) -> str:
    """The value as the file has it and, where it has a unit that one does not speak in, what it comes to.

    A file with a number for each of several words is named with the word: ``memory.stat anon``.
    """
    said = in_units(file, value)
    return f"{value} = {said}" if said else value


def in_units(file: str, value: str) -> str:
    """The value alone; empty where the file's own words are as good. Of several lines each has its own."""
    if "\n" in value:
        return ", ".join(filter(None, (in_units(file, line) for line in value.splitlines())))
    words = value.split()
    if not words:
        return ""
    if file == "io.max":
        pairs = (word.partition("=") for word in words[1:])
        return ", ".join(
            f"{key} {said}/s" for key, _, number in pairs if key.endswith("bps") and (said := size(number))
        )
    if _RATE.fullmatch(file):
        return f"{said}/s" if (said := size(words[-1])) else ""
    if _BYTES.fullmatch(file):
        return size(words[-1])
    if file == "cpu.max" and len(words) == 2 and words[0].isdigit() and words[1].isdigit():
        cpus = int(words[0]) / int(words[1])
        return f"{cpus:g} CPU{'s' * (cpus != 1)}"
    if file in ("cpu.cfs_quota_us", "cpu.cfs_period_us"):
        return f"{int(value) / 1000:g} ms" if value.isdigit() else "no limit" * (value == "-1")
    if file == "cpu.shares" and value.isdigit():
        return f"weight {weight(int(value))}"
    return ""


def size(number: str) -> str:
    """Bytes in the largest unit of which there is at least one; empty for less than a KiB and for other words."""
    if number in (NO_LIMIT, "-1"):
        return "no limit"
    if not number.isdigit() or int(number) < 1024:
        return ""
    many, unit = float(number), 0
    while many >= 1024 and unit < len(_UNITS) - 1:
        many, unit = many / 1024, unit + 1
    return f"{many:.1f}".removesuffix(".0") + f" {_UNITS[unit]}"


def weight(shares: int) -> int:
    """The cpu.weight of cpu.shares: 1024 being 100; beyond 1 to 10000 the nearest of the two."""
    return min(10_000, max(1, (shares * 100 + 512) // 1024))
