r"""What the counters of version 1 say, in the words of version 2.

The other way than `labkit.cgroups.translation`: limits are written, and counters are read.

    >>> dict(to_v2("cpuacct.usage", "1500000\n"))
    {'cpu.stat': 'usage_usec 1500\n'}

Where there is to be no swap, the limit on memory and swap together is met first: so often memory.max was met as both
files of failures say (a Linux 6.18 leaves that of memory.memsw at 0, and only its victims tell). Swap is a line of
memory.stat, that with total_, which has what is below, too: the difference of memory.memsw.usage_in_bytes and
memory.usage_in_bytes, which are read one after the other, would be swap that never was.

See: the kernel's admin-guide/cgroup-v1/ cpuacct.rst, memory.rst, blkio-controller.rst, scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from collections.abc import Iterator

#: file of version 1: (file of version 2, what a line there begins with), for numbers in the same unit
_SAME = {
    "memory.usage_in_bytes": ("memory.current", ""),
    "memory.max_usage_in_bytes": ("memory.peak", ""),
    "memory.failcnt": ("memory.events", "max "),
    "memory.memsw.failcnt": ("memory.events", "max "),
}
_NANOSECONDS = {"cpuacct.usage": "usage_usec", "cpuacct.usage_user": "user_usec", "cpuacct.usage_sys": "system_usec"}
_DISK = {"Read": "rbytes", "Write": "wbytes"}


def to_v2(name: str, text: str) -> Iterator[tuple[str, str]]:
    """The same as (file, text) of version 2, maybe a part of that file only; a file of version 2 says what it says."""
    if name in _SAME:
        file, begin = _SAME[name]
        yield file, begin + text
    elif name in _NANOSECONDS:
        yield "cpu.stat", f"{_NANOSECONDS[name]} {int(text) // 1000}\n"
    elif name == "cpu.stat" and (time := _value(text, "throttled_time")):
        yield name, f"{text}throttled_usec {int(time) // 1000}\n"
    elif name == "memory.oom_control":
        yield "memory.events", "".join(f"{line}\n" for line in text.splitlines() if line.startswith("oom_kill "))
    elif name == "memory.stat":  # of version 2 it is not read
        yield from [("memory.swap.current", swap)] if (swap := _value(text, "total_swap")) else ()
    elif name.startswith("blkio."):
        yield "io.stat", "".join(_disks(text))
    else:
        yield name, text


def _value(text: str, name: str) -> str:
    """The number behind `name` at the beginning of a line, or nothing."""
    return f"\n{text}".partition(f"\n{name} ")[2].partition("\n")[0]


def _disks(text: str) -> Iterator[str]:
    """``8:0 Read 4096`` and the like, and in the end ``Total 4096``."""
    for words in (line.split() for line in text.splitlines()):
        if len(words) == 3 and words[1] in _DISK:
            yield f"{words[0]} {_DISK[words[1]]}={words[2]}\n"
