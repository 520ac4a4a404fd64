"""What happened: each step with its calls, the facts before and after, and the error if there was one.

On disk a trace is JSON Lines: a header with the format's version, then a line a step. Nothing in it
names the machine that made it except the kernel's version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from labkit.agent.wire import pack
from labkit.errors import LabError, ReplayError, SpecError, StepError
from labkit.linux.calls import Fd, Index, Joined, Packed, Pid, Ret
from labkit.steps import fact
from labkit.steps.call import Call
from labkit.steps.display import Shown
from labkit.steps.snapshot import Diff, Snapshot
from labkit.steps.step import Step

VERSION = 1


@dataclass(frozen=True)
class Taken(Shown):
    """A step that was taken, or tried. Printing it gives the triple view."""

    number: int
    step: Step
    calls: tuple[Call, ...]
    before: Snapshot
    after: Snapshot
    error: LabError | None = None

    @property
    def diff(self) -> Diff:
        """What the kernel changed, as far as the step's probes see."""
        return Diff.between(self.before, self.after)

    @property
    def nanoseconds(self) -> int:
        """Time spent in the calls together."""
        return sum(call.nanoseconds for call in self.calls)

    def __str__(self) -> str:
        lines = [f"step {self.number}: {self.step.title}   ({self.step.who})", "  calls"]
        lines += [f"    {call}" for call in self.calls] or ["    (none)"]
        lines += ["  shell", *(f"    $ {line}" for line in self.step.shell().split("\n")), "  changes"]
        lines += [f"    {line}" for line in str(self.diff).split("\n")]
        if self.error:
            lines += ["  error", *(f"    {line}" for line in str(self.error).split("\n"))]
        return "\n".join(lines)


@dataclass
class Trace(Shown):
    """The steps of a walk in the order in which they were taken."""

    plan: str
    taken: list[Taken] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Taken]:
        return iter(self.taken)

    def __len__(self) -> int:
        return len(self.taken)

    def calls(self) -> Iterator[Call]:
        """All calls in order."""
        return (call for taken in self.taken for call in taken.calls)

    def __str__(self) -> str:
        lines = [f"what happened in {self.plan}: {len(self)} steps, {sum(1 for _ in self.calls())} calls"]
        for taken in self:
            news = f"{len(taken.diff)} changes" if taken.error is None else str(taken.error).partition("\n")[0]
            lines.append(f"  {taken.number:3}  {taken.step.title}: {len(taken.calls)} calls, {news}")
        return "\n".join(lines)

    def to_jsonl(self) -> str:
        """The trace as JSON Lines."""
        head = {"labkit-trace": VERSION, "plan": self.plan, "machine": self.machine}
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in [head, *map(_taken_to_json, self.taken)]) + "\n"

    @classmethod
    def from_jsonl(cls, text: str) -> Trace:
        """The trace that `to_jsonl` wrote. Raises ReplayError for another format or version."""
        try:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
            head = rows[0]
            if head["labkit-trace"] != VERSION:
                raise ReplayError(f"trace format {head['labkit-trace']} is not {VERSION}", look="record it anew")
            return cls(head["plan"], [_taken_from_json(row) for row in rows[1:]], head["machine"])
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, SpecError) as error:
            raise ReplayError(f"this is not a trace: {error}", look="record it anew") from error


_REFERENCES: dict[str, Callable[[Any], Any]] = {
    kind.__name__.lower(): kind for kind in (Ret, Fd, Pid, Joined, Index, Packed)
}


def _taken_to_json(taken: Taken) -> dict[str, Any]:
    return {
        "number": taken.number,
        "step": taken.step.to_json(),
        "calls": [
            [
                c.who,
                c.name,
                [pack(a) for a in c.args],
                c.value,
                c.errno,
                c.nanoseconds,
                pack(c.out),
                c.refused,
                c.expected,
            ]
            for c in taken.calls
        ],
        "probes": list(taken.before.probes),
        "before": [fact.to_json(f) for f in taken.before],
        "after": [fact.to_json(f) for f in taken.after],
        "error": [taken.error.message, taken.error.likely, taken.error.look] if taken.error else None,
    }


def _taken_from_json(row: dict[str, Any]) -> Taken:
    calls = tuple(
        Call(who, name, tuple(unpack(args)), value, error, spent, unpack(out), refused, *expected)
        for who, name, args, value, error, spent, out, refused, *expected in row["calls"]
    )
    sides = [Snapshot.of(row["probes"], map(fact.from_json, row[side])) for side in ("before", "after")]
    error = StepError(row["error"][0], likely=row["error"][1], look=row["error"][2]) if row["error"] else None
    return Taken(row["number"], Step.from_json(row["step"]), calls, sides[0], sides[1], error)


def unpack(value: Any) -> Any:
    """The value that `labkit.agent.wire.pack` made fit for JSON."""
    if isinstance(value, list):
        return tuple(unpack(item) for item in value)
    if isinstance(value, dict):
        ((tag, inner),) = value.items()
        if tag == "b":
            return inner.encode("latin-1")
        if tag == "struct":
            return {key: unpack(item) for key, item in inner.items()}
        return _REFERENCES[tag](unpack(inner))
    return value
