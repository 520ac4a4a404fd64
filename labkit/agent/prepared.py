"""Calls made ready once for many processes to come: what makes ``lab.run`` quick.

Turning a call into machine words costs ten times the call itself. Containers of one kind make the same
calls, but for their name; so the zygote prepares them once as a `labkit.linux.volley`, and for each
container only fills in its name and its standard streams. Nothing is measured and nothing reported but
a failure: nobody asked to look.
"""

from __future__ import annotations

from labkit.agent.actor import resolve
from labkit.linux import structs, syscalls
from labkit.linux.signatures import signature
from labkit.linux.volley import Volley

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from labkit.agent.actor import Calls, Rows

_STREAMS = 3  # standard input, output, error: the first entries of the volley
_FIRST = _STREAMS + 1  # before the calls, all else is closed: through /proc one of them could name an open directory
_TWO_WORDS = frozenset(("buf", "out")) | structs.SIZED


class Prepared:
    """A list of calls, with `hole` where the name of who makes them will stand.

    Raises ValueError for calls that cannot be made ready, OSError where the kernel permits no volley.
    """

    def __init__(self, calls: Calls, hole: str) -> None:
        self.hole = hole
        self.volley = Volley(_FIRST + len(calls))
        self.holes: list[tuple[int, int, str, bool]] = []  # entry, position, text, whether its length follows
        for stream in range(_STREAMS):
            self.volley.put(stream, "dup3", (0, stream, 0))
        self.volley.put(_STREAMS, "close_range", (_STREAMS, 0xFFFFFFFF, 0))
        for number, (name, args, keep, tolerate) in enumerate(calls, _FIRST):
            if keep:
                raise ValueError("a volley keeps no descriptor under a name")
            self._put(number, name, args, tolerate)

    def _put(self, number: int, name: str, args: list[Any], tolerate: list[int]) -> None:
        kinds = [kind for _, kind, _ in signature(name).parameters]
        known = list(args)
        for index, value in enumerate(args):
            position = index + sum(kind in _TWO_WORDS for kind in kinds[:index])
            text = resolve(value, [], {}, {}).decode("latin-1") if _is(value, "b") else value
            if _is(value, "ret"):
                known[index] = 0
                self.volley.refer(number, position, _FIRST + value["ret"])
            elif isinstance(text, str) and self.hole in text:
                known[index] = ""
                self.holes.append((number, position, text, kinds[index] == "buf"))
        words = syscalls.prepare(name, tuple(resolve(known, [], {}, {})))[1:]
        self.volley.put(number, name, words, tolerate)

    def launch(self, clone: dict[str, int], name: str, streams: list[int]) -> tuple[int, Rows | None]:
        """Let process `name` be born and make the calls: its pid or -errno, and the rows of its calls if one failed."""
        for stream, fd in enumerate(streams):
            self.volley.set(stream, 0, fd)
        for number, position, text, sized in self.holes:
            filled = text.replace(self.hole, name)
            raw = filled.encode("latin-1") if sized else syscalls.encode(filled)
            self.volley.set(number, position, raw)
            if sized:
                self.volley.set(number, position + 1, len(raw))
        pid = self.volley.fire(clone)
        returned = self.volley.failed() if pid > 0 else None
        if returned is None:
            return pid, None
        return pid, [[max(value, -1), max(-value, 0), 0, None] for value in returned[_FIRST:]]


def _is(value: Any, tag: str) -> bool:
    return isinstance(value, dict) and tag in value


def fill(value: Any, hole: str, name: str) -> Any:
    """`value` with `name` wherever `hole` stood."""
    if isinstance(value, str):
        return value.replace(hole, name)
    if isinstance(value, list):
        return [fill(item, hole, name) for item in value]
    if isinstance(value, dict):
        return {key: fill(item, hole, name) for key, item in value.items()}
    return value
