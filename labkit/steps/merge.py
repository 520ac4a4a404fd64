"""Joining the calls of several steps into one message, where references count from its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labkit.linux.calls import Intent, Ret


def shifted(groups: Sequence[tuple[Intent, ...]]) -> tuple[Intent, ...]:
    """All calls in a row; ``Ret(0)`` in the second group becomes ``Ret(len(first group))``."""
    joined: list[Intent] = []
    for group in groups:
        start = len(joined)
        joined += [intent._replace(args=_shift(intent.args, start)) for intent in group] if start else group
    return tuple(joined)


def _shift(value: Any, start: int) -> Any:
    if isinstance(value, Ret):
        return Ret(value.index + start)
    if type(value) is tuple:
        return tuple(_shift(item, start) for item in value)
    if isinstance(value, dict):
        return {key: _shift(item, start) for key, item in value.items()}
    return value
