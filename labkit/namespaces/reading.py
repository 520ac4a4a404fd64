"""Reading a file as a process sees it: many files of /proc answer differently to each reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from shlex import quote

from labkit.linux.calls import Intent, Ret, close, open_, read
from labkit.steps.call import Call
from labkit.steps.step import Step

SIZE = 4096


@dataclass(frozen=True, kw_only=True)
class ReadFile(Step):
    """Read a file (its first 4096 bytes) with the eyes of this process.

    Its root decides which file the path means, its uid and capabilities whether it may, and in /proc its
    namespaces what the kernel writes into it. Nothing is changed by it.

    See: open(2), read(2), proc(5).
    """

    path: str
    no_way_back = "nothing has changed"

    def calls(self) -> Iterator[Intent]:
        yield open_(self.path)
        yield read(Ret(0), SIZE)
        yield close(Ret(0))

    def shell(self) -> str:
        return f"head -c {SIZE} {quote(self.path)}"

    @property
    def title(self) -> str:
        return f"read {self.path}"


def text(calls: Iterable[Call]) -> str:
    """What these calls have read: ``text(lab.take(ReadFile(path="/proc/uptime")))``, ``text(walk.calls)``."""
    found = (call.out for call in calls if call.name == "read" and isinstance(call.out, bytes))
    return b"".join(found).decode("utf-8", "replace")
