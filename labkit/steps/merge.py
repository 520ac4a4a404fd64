"""Joining the calls of several steps into one message, where references count from its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labkit.linux.calls import Index, Intent, Packed, Ret
from labkit.steps.backends.base import Part


def shifted(groups: Sequence[tuple[Intent, ...]]) -> tuple[Intent, ...]:
    """All calls in a row; ``Ret(0)`` in the second group becomes ``Ret(len(first group))``."""
    joined: list[Intent] = []
    for group in groups:
        start = len(joined)
        joined += [intent._replace(args=_shift(intent.args, start)) for intent in group] if start else group
    return tuple(joined)


def renamed(parts: Sequence[Part], hole: str, name: str) -> tuple[Part, ...]:
    """The parts with `name` in place of `hole`, wherever it stands."""
    return tuple(
        Part(
            part.who.replace(hole, name),
            tuple(
                Intent(i.name, _fill(i.args, hole, name), i.keep.replace(hole, name), i.tolerate) for i in part.intents
            ),
            tuple(child.replace(hole, name) for child in part.children),
            part.init.replace(hole, name),
        )
        for part in parts
    )


def _fill(value: Any, hole: str, name: str) -> Any:
    if isinstance(value, str):
        return value.replace(hole, name)
    if isinstance(value, bytes):
        return value.replace(hole.encode(), name.encode())
    if isinstance(value, tuple):
        filled = [_fill(item, hole, name) for item in value]
        return type(value)(*filled) if hasattr(value, "_fields") else tuple(filled)
    if isinstance(value, dict):
        return {key: _fill(item, hole, name) for key, item in value.items()}
    return value


def _shift(value: Any, start: int) -> Any:
    if isinstance(value, (Ret, Index)):
        return type(value)(value.number + start)
    if isinstance(value, Packed):
        return Packed(_shift(value.parts, start))
    if type(value) is tuple:
        return tuple(_shift(item, start) for item in value)
    if isinstance(value, dict):
        return {key: _shift(item, start) for key, item in value.items()}
    return value
