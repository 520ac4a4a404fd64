"""Containers whose program never ran: whose fault that is, and how it is told.

A program that execve(2) refuses has ended as it would have in a shell, with 126 or 127 and a line about it: that is an
answer to who asked for it. All other calls are labkit's own, and one that fails is an error.

See: execve(2), the "Exit Status" of bash(1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.errors import StepError, errno_text
from labkit.linux.constants import E2BIG, ENOENT, ENOTDIR
from labkit.steps.backends.base import Ended, Part, Row
from labkit.steps.call import Call
from labkit.steps.explain import TABLE

if TYPE_CHECKING:
    from labkit.container.container import Container

#: why execve(2) failed: what a shell would exit with, and say
_VERDICTS = {ENOENT: (127, "not found"), ENOTDIR: (127, "not found"), E2BIG: (126, "too many arguments")}
_LABKITS = 125  # as of other engines: the program was not even tried


def settle(container: Container, ended: Ended) -> None:
    """Note its end. Raises StepError where a call before execve(2) failed."""
    if ended.failed is None:
        container._ended(ended)
        return
    index, row = ended.failed
    part = next(p for p in reversed(container.start.parts) if p.who == container.start.program)
    if part.intents[index].name == "execve":
        code, why = _VERDICTS.get(row[1], (126, "not executable"))
        container._ended(ended, code, f"labkit: {container.argv[0]}: {why}: {errno_text(row[1])}\n")
        return
    container._ended(ended, _LABKITS)
    if not row[1]:  # this call was well, and there was no next one
        raise StepError(
            f"container {container.name}: killed before it became its program",
            likely="its limits leave too little for setting it up: that takes some MB, in its own cgroup",
            look="more memory, or more pids",
        )
    raise error(container.name, part, [row], index=index)


def error(name: str, part: Part, rows: Sequence[Row], *, index: int | None = None) -> StepError:
    """The StepError of the last row: that of call number `index`, or of the last one that was made."""
    intent = part.intents[len(rows) - 1 if index is None else index]
    call = Call.from_row(part.who, intent, rows[-1])
    likely, look = TABLE.get((call.name, call.errno), (None, f"man 2 {call.name}"))
    return StepError(f"container {name}: {call}", call=call.text, errno=call.errno, likely=likely, look=look)
