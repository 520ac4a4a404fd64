"""What came of a part of a plan that was carried out: its calls, the names of its newborns, its failure."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.errors import StepError, errno_text
from labkit.steps.backends.base import Part, Row
from labkit.steps.call import Call
from labkit.steps.explain import TABLE
from labkit.steps.naming import Naming


class StepFailed(StepError):
    """A step failed; `made` holds the calls up to the failed one."""

    made: tuple[Call, ...] = ()


def outcome(part: Part, rows: Sequence[Row], naming: Naming) -> tuple[Call, ...]:
    """The calls of `part` as they were made; who was born gets the name that its step gave it.

    Raises StepFailed at a call that failed with an errno that the step does not tolerate.
    """
    calls = tuple(Call.from_row(part.who, intent, row) for intent, row in zip(part.intents, rows, strict=False))
    pid = next((call.value for call in calls if call.name == "clone3" and call.value > 0), 0)
    if pid:
        for child in part.children:
            naming.spawned(part.who, pid, child)
    for call, intent in zip(calls, part.intents, strict=False):
        if call.failed and call.errno not in intent.tolerate:
            raise _failure(call, calls)
    return calls


def _failure(call: Call, calls: tuple[Call, ...]) -> StepFailed:
    likely, look = (None, None) if call.refused else TABLE.get((call.name, call.errno), (None, None))
    text = f"{_asked(call, calls)}: {call.refused or errno_text(call.errno)}"
    error = StepFailed(text, call=call.text, errno=0 if call.refused else call.errno, likely=likely, look=look)
    error.made = calls
    return error


def _asked(call: Call, calls: tuple[Call, ...]) -> str:
    """What was refused: the call, or, where the kernel says no in an answer (netlink does), what it answers."""
    before = calls[: next(number for number, each in enumerate(calls) if each is call)]
    if call.value < 0 or not before or before[-1].name != "sendto":
        return call.text
    return f"{before[-1].text}, answered"
