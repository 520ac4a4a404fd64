"""Calls made ready once for many processes to come: what makes ``lab.run`` quick.

Turning a call into machine words costs ten times the call itself. Containers of one kind make the same
calls, but for their name; so the zygote prepares them once, and for each container only fills in its name
and its standard streams. The child's calls are a `labkit.linux.volley`. Nothing is measured and nothing
reported but a failure: nobody asked to look.
"""

from __future__ import annotations

import ctypes
import os

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


class Ready:
    """One call as machine words, but for those that hold the name (`holes`) or what an earlier call returned.

    A structure that holds the latter can be made only when it is known: `late` are then the call and its arguments.
    """

    def __init__(self, name: str, args: list[Any], hole: str) -> None:
        kinds = [kind for _, kind, _ in signature(name).parameters]
        self.holes: list[tuple[int, bytes, bool]] = []  # position, text, and whether the length follows
        self.earlier: list[tuple[int, int]] = []  # position, number of the call
        self.late = (name, args) if any(_waits(value) for value in args) else None
        if self.late:
            return
        known = list(args)
        for index, value in enumerate(args):
            position = index + sum(kind in _TWO_WORDS for kind in kinds[:index])
            text = resolve(value, [], {}, {}).decode("latin-1") if _is(value, "b") else value
            if _is(value, "ret"):
                known[index] = 0
                self.earlier.append((position, value["ret"]))
            elif isinstance(text, str) and hole in text:
                known[index] = ""
                sized = kinds[index] == "buf"
                self.holes.append((position, text.encode("latin-1") if sized else os.fsencode(text), sized))
        self.words = syscalls.prepare(name, tuple(resolve(known, [], {}, {})))

    def named(self, hole: bytes, name: bytes) -> list[tuple[int, Any]]:
        """The words that the name makes, with their positions."""
        made: list[tuple[int, Any]] = []
        for position, text, sized in self.holes:
            raw = text.replace(hole, name)
            made.append((position, raw))
            if sized:
                made.append((position + 1, ctypes.c_size_t(len(raw))))
        return made


class Prepared:
    """The calls of the process that is there, one of them a clone3, and `then` those of its child.

    Raises ValueError for calls that cannot be made ready, OSError where the kernel permits no volley.
    """

    def __init__(self, calls: Calls, then: Calls, hole: str) -> None:
        if any(keep for name, _, keep, _ in (*calls, *then) if name != "clone3"):
            raise ValueError("no descriptor can be kept under a name")
        self.calls, self.hole, self._hole = calls, hole, os.fsencode(hole)
        self.before = [None if name == "clone3" else Ready(name, args, hole) for name, args, _, _ in calls]
        self.then = [Ready(name, args, hole) for name, args, _, _ in then]
        if any(ready.late for ready in self.then):
            raise ValueError("a child of a volley fills in no structure")
        self.volley = Volley(_FIRST + len(then))
        for stream in range(_STREAMS):
            self.volley.put(stream, "dup3", syscalls.prepare("dup3", (0, stream, 0))[1:])
        self.volley.put(_STREAMS, "close_range", syscalls.prepare("close_range", (_STREAMS, 0xFFFFFFFF, 0))[1:])
        for number, (call, ready) in enumerate(zip(then, self.then, strict=True), _FIRST):
            self.volley.put(number, call[0], ready.words[1:], call[3])
            for position, earlier in ready.earlier:
                self.volley.refer(number, position, _FIRST + earlier)
        self.holes = [(number, ready) for number, ready in enumerate(self.then, _FIRST) if ready.holes]

    def launch(self, name: str, streams: list[int]) -> tuple[Rows, int]:
        """Make all calls for process `name`: the rows of those before its birth, and its pid (0 if it was not born).

        If one of its own calls failed, their rows are what came out of the clone3.
        """
        rows: Rows = []
        pid, raw = 0, syscalls.encode(name)
        for (_, args, _, tolerate), ready in zip(self.calls, self.before, strict=True):
            out: Rows | None = None
            if ready is None:
                value, error, out = self._fire(resolve(args[0], [row[0] for row in rows], {}, {}), raw, streams)
                pid = max(value, 0)
            else:
                value, error = syscalls.enter(self._words(ready, raw, [row[0] for row in rows]))
            rows.append([value, error, 0, out])
            if error and error not in tolerate:
                break
        return rows, pid

    def _words(self, ready: Ready, name: bytes, returned: list[int]) -> list[Any]:
        if ready.late:
            call, args = ready.late
            return syscalls.prepare(call, tuple(resolve(args, returned, {}, {})))
        words = list(ready.words)
        for position, word in ready.named(self._hole, name):
            words[1 + position] = word
        for position, earlier in ready.earlier:
            words[1 + position] = ctypes.c_long(returned[earlier])
        return words

    def _fire(self, clone: dict[str, int], name: bytes, streams: list[int]) -> tuple[int, int, Rows | None]:
        for stream, fd in enumerate(streams):
            self.volley.set(stream, 0, fd)
        for number, ready in self.holes:
            for position, word in ready.named(self._hole, name):
                self.volley.set(number, position, word)
        value = self.volley.fire(clone)
        if value < 0:
            return -1, -value, None
        returned = self.volley.failed()
        if returned is None:
            return value, 0, None
        return value, 0, [[max(each, -1), max(-each, 0), 0, None] for each in returned[_FIRST:]]


def _is(value: Any, tag: str) -> bool:
    return isinstance(value, dict) and tag in value


def _waits(value: Any) -> bool:
    """Whether it is a structure with a field that an earlier call of the same step returns."""
    return _is(value, "struct") and any(_is(field, "ret") for field in value["struct"].values())


def fill(value: Any, hole: str, name: str) -> Any:
    """`value` with `name` wherever `hole` stood."""
    if isinstance(value, str):
        return value.replace(hole, name)
    if isinstance(value, list):
        return [fill(item, hole, name) for item in value]
    if isinstance(value, dict):
        return {key: fill(item, hole, name) for key, item in value.items()}
    return value
