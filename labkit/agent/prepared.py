"""Calls made ready once for many processes to come: what makes ``lab.run`` quick.

Turning a call into machine words costs ten times the call itself. Containers of one kind make the same
calls, but for their name; so the zygote prepares them once, and its children, who inherit its memory,
only enter the kernel. Nothing is measured and nothing reported but a failure: nobody asked to look.
"""

from __future__ import annotations

from labkit.agent.actor import resolve
from labkit.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from labkit.agent.actor import Calls, Rows

_REFERENCES = ("ret", "fd", "pid", "joined")


class Prepared:
    """A list of calls; those that depend on who makes them (its name stands for `hole`) stay as they are."""

    def __init__(self, calls: Calls, hole: str) -> None:
        self.hole = hole
        self.calls = [(call, None if _depends(call[1], hole) else _words(call)) for call in calls]

    def make(self, name: str, fds: dict[str, int], pids: dict[str, int]) -> Rows:
        """Make them all as process `name`. Returns only if one fails: rows as an actor reports them, it last."""
        returned: list[int] = []
        for (call, args, keep, tolerate), words in self.calls:
            if words is None:
                words = syscalls.prepare(call, tuple(resolve(fill(args, self.hole, name), returned, fds, pids)))
            value, error = syscalls.enter(words)
            returned.append(value)
            if error and error not in tolerate:
                break
            if keep:
                fds[keep] = value
        return [*([value, 0, 0, None] for value in returned[:-1]), [-1, error, 0, None]]


def _words(call: list[Any]) -> list[Any]:
    return syscalls.prepare(call[0], tuple(resolve(call[1], [], {}, {})))


def _depends(value: Any, hole: str) -> bool:
    if isinstance(value, str):
        return hole in value
    if isinstance(value, dict):
        return any(tag in _REFERENCES or _depends(inner, hole) for tag, inner in value.items())
    return isinstance(value, list) and any(_depends(item, hole) for item in value)


def fill(value: Any, hole: str, name: str) -> Any:
    """`value` with `name` wherever `hole` stood."""
    if isinstance(value, str):
        return value.replace(hole, name)
    if isinstance(value, list):
        return [fill(item, hole, name) for item in value]
    if isinstance(value, dict):
        return {key: fill(item, hole, name) for key, item in value.items()}
    return value
