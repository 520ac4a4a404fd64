r"""Whom the kernel killed because memory ran out, as its log tells it.

A cgroup counts how often that happened, but not to whom. The log has it, one record a line of text, with a number
that only grows. Two kinds of record matter: the first says where, who and why, and is left out where it happens more
than ten times in five seconds; the second names each of the dead, and where all of a cgroup die together follows
the words that say so.

    6,719,1042,-;oom-kill:constraint=CONSTRAINT_MEMCG,…,oom_memcg=/lab/h1/web,task_memcg=/lab/h1/web,task=sh,pid=7,uid=0
    3,720,1043,-;Memory cgroup out of memory: Killed process 7 (sh) total-vm:4480kB, anon-rss:…
    6,721,1044,-;Tasks in /lab/h1/web are going to be killed due to memory.oom.group set

Only root may read it where kernel.dmesg_restrict is set. Anybody who may write to /dev/kmsg can put lines
into it, but none that seem to be the kernel's own.

See: the kernel's Documentation/ABI/testing/dev-kmsg, mm/oom_kill.c, syslog(2).
"""

from __future__ import annotations

import errno
import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_WHO = re.compile(r"oom-kill:constraint=.*?,task_memcg=(.*?),task=(.*),pid=(\d+),uid=\d+")
_ALL = re.compile(r"Tasks in (.*) are going to be killed due to memory\.oom\.group set")
_EACH = re.compile(r"Memory cgroup out of memory: Killed process (\d+) \((.*)\) total-vm:.*")
_BEGINNINGS = ("oom-kill:", "Tasks in ", "Memory cgroup out of memory: ")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
_ROOM = 8192  # bytes: a record is never longer (CONSOLE_EXT_LOG_MAX)
_KERNEL = 8  # the priority of its own records is below: facility 0


class Kill:
    """One who was killed: the number of the record, the cgroup it was in, what it called itself, its pid."""

    __slots__ = ("cgroup", "name", "number", "pid")

    def __init__(self, number: int, cgroup: str, name: str, pid: int) -> None:
        self.number, self.cgroup, self.name, self.pid = number, cgroup, name, pid


def kills(records: Iterable[str]) -> Iterator[Kill]:
    """Those that the records tell of, each once."""
    together, told = "", 0
    for record in records:
        head, _, text = record.partition(";")
        if not text.startswith(_BEGINNINGS):
            continue
        priority, number = (int(word) for word in head.split(",")[:2])
        line = text.partition("\n")[0]
        if priority >= _KERNEL:
            continue
        if found := _WHO.fullmatch(line):
            together, told = "", int(found[3])
            yield Kill(number, _plain(found[1]), _plain(found[2]), told)
        elif found := _ALL.fullmatch(line):
            together = _plain(found[1])
        elif together and (found := _EACH.fullmatch(line)) and int(found[1]) != told:
            yield Kill(number, together, _plain(found[2]), int(found[1]))


def killed(lab: str) -> dict[str, Any]:
    """``last``: the number of the newest record; ``kills``: of those below the cgroup called `lab`, rows of
    (number, the cgroup below it, name, pid). Nothing where the log may not be read, or the lab has no cgroup."""
    records = _read() if lab else []
    rows = []
    for kill in kills(records):
        _, found, below = kill.cgroup.partition(f"/{lab}/")
        if found:
            rows.append([kill.number, below, kill.name, kill.pid])
    return {"last": int(records[-1].split(",", 2)[1]) if records else 0, "kills": rows}


def _read(path: str = "/dev/kmsg") -> list[str]:
    """All records that the log still has, oldest first."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # not for us, or there is none
        return []
    found: list[str] = []
    room = bytearray(_ROOM)  # for all of them: a new one for each record would take as long as reading it
    try:
        while True:
            try:
                size = os.readv(fd, [room])
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.EPIPE:  # the oldest was overwritten while we read: the next read goes on
                    return found
                continue
            if not size:
                return found
            found.append(room[:size].decode(errors="replace"))
    finally:
        os.close(fd)


def _plain(text: str) -> str:
    r"""What stood there before the log made ``\x0a`` of a newline."""
    raw = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text.encode())
    return raw.decode(errors="replace")
