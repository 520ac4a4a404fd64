"""A walk in the words of the step player: what the widget and the exported page show, as plain JSON.

Pure functions of what a walk knows; nothing here asks the kernel. `plan` changes seldom and is sent
once, `moment` after each move: it holds one step only, so that it stays small.

A step is shown in one of four states: "coming" (its calls as they are intended, and what it may
change), "asked" (the same without what it explains and changes, while a prediction stands before it), "taken" (its
calls as they were made, and what did change), "failed".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from labkit.errors import LabError, StepError, errno_meaning, errno_name
from labkit.steps.call import Call, quoted, render
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Change
from labkit.steps.step import Step
from labkit.steps.trace import Taken
from labkit.steps.walk import Walk

Json = dict[str, Any]

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(0-9])")
_READ = 80  # characters of what a call has read
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|cf|resp|vs|approx)\.$")


def plan(plan: Plan) -> Json:
    """The plan as a table of contents: goals, and under each its steps."""
    goals, number = [], 0
    for goal, steps in plan.by_goal():
        rows = [{"number": number + i, "title": step.title, "who": step.who} for i, step in enumerate(steps, 1)]
        goals.append({"goal": goal, "steps": rows})
        number += len(steps)
    return {"name": plan.name, "total": number, "goals": goals}


def again(plan: Plan, number: int) -> bool:
    """Whether an earlier step of the plan than this one has the same explanation."""
    step = plan[number - 1]
    return any(type(one) is type(step) and one.explanation() == step.explanation() for one in plan.steps[: number - 1])


def moment(walk: Walk, *, hide: Sequence[str] | None = None) -> Json:
    """Where the walk stands: the step that is looked at, the one that comes next, and how the way back was.

    With `hide` a prediction stands before the next step: that one is looked at, without what `hide` names and without
    changes, and the step that was taken last is in "before".
    """
    position, total = walk.position, len(walk.plan)
    tried = walk.trace.taken[position] if len(walk.trace.taken) > position else None
    in_question = hide is not None and tried is None and position < total
    shown: Json | None
    if tried is not None:
        shown = taken(tried, walk.plan)
    elif in_question:
        shown = asked(walk.plan[position], position + 1, walk.plan, hide or ())
    elif position:
        shown = taken(walk.last, walk.plan)
    else:
        shown = coming(walk.plan[0], 1, walk.plan) if total else None
    following = tried is None and 0 < position < total and not in_question
    return {
        "position": position,
        "total": total,
        "tried": tried is not None,
        "step": shown,
        "before": taken(walk.last, walk.plan) if in_question and position else None,
        "next": _next(walk.plan, position + 1) if following else None,
        "way_back": walk.way_back,
    }


def _next(plan: Plan, number: int) -> Json:
    step = plan[number - 1]
    return {"number": number, "title": step.title, "why": "" if again(plan, number) else sentence(step.why())}


def coming(step: Step, number: int, plan: Plan) -> Json:
    """A step that has not been taken: what it will ask of the kernel."""
    calls = [{"text": render(i.name, i.args), "name": i.name, "man": f"{i.name}(2)"} for i in step.calls()]
    return _step(step, number, plan) | {"is": "coming", "calls": calls, "changes": [], "probes": list(step.probes)}


def asked(step: Step, number: int, plan: Plan, hide: Sequence[str]) -> Json:
    """A step before which a prediction stands: nothing is in it that would tell the answer."""
    shown = coming(step, number, plan) | {"is": "asked", "what": "", "why": "", "probes": [], "hidden": list(hide)}
    return shown | {name: [] if name == "calls" else "" for name in hide}


def taken(done: Taken, plan: Plan) -> Json:
    """A step that was taken, or tried."""
    return _step(done.step, done.number, plan) | {
        "is": "failed" if done.error else "taken",
        "calls": [call(c) for c in done.calls],
        "changes": [change(title, same) for title, same in done.diff.groups()],
        "probes": list(done.step.probes),
        "µs": done.nanoseconds / 1000,
        "error": error(done.error) if done.error else None,
    }


def _step(step: Step, number: int, plan: Plan) -> Json:
    return {
        "number": number,
        "title": step.title,
        "who": step.who,
        "goal": plan.goal_of(number - 1),
        "what": step.summary(),
        "why": step.why(),
        "again": again(plan, number),
        "man": list(step.man()),
        "shell": step.shell(),
    }


def call(made: Call) -> Json:
    """One call with its result; `µs` is its time. Of what was read, the beginning is shown, as strace does."""
    result = f"-1 {errno_name(made.errno)}" if made.errno else made.shown_value
    text = made.text
    if made.name == "read" and isinstance(made.out, bytes):
        text = text.replace("…", quoted(made.out, _READ), 1)
    return {
        "text": text,
        "name": made.name,
        "man": f"{made.name}(2)",
        "result": "" if made.refused else result,
        "meaning": errno_meaning(made.errno) if made.errno else "",
        "refused": made.refused,
        "failed": made.failed and not made.expected,
        "expected": made.expected,
        "µs": made.nanoseconds / 1000,
    }


def change(title: str, same: Sequence[Change]) -> Json:
    """One difference: its sign, what it is about, the rest of the fact; for ``~`` each field before and after.

    What has happened to several things alike (`many`) is told once, in short.
    """
    made, many = same[0], len(same)
    row: Json = {"sign": made.sign, "probe": made.fact.probe, "title": title, "rest": "", "fields": [], "many": many}
    if many > 1:
        return row | {"rest": made.detail}
    if made.before is not None and made.after is not None:
        old, new = made.before.state, made.after.state
        names = [name for name in new if old[name] != new[name]]
        label, was, now = made.fact.label, made.before.shown, made.after.shown
        row["fields"] = [[label(n).replace("_", " "), was(n, old[n]), now(n, new[n])] for n in names]
    else:
        row["rest"] = str(made.fact).removeprefix(made.fact.title).lstrip(": ")
    return row


def error(fault: LabError) -> Json:
    """An error as a lesson: what happened, why that usually is, where to look next."""
    known = fault.errno if isinstance(fault, StepError) else 0
    return {
        "kind": type(fault).__name__,
        "message": fault.message,
        "likely": fault.likely or "",
        "look": fault.look or "",
        "errno": f"{errno_name(known)}: {errno_meaning(known)}" if known else "",
    }


def sentence(text: str) -> str:
    """The first sentence of a text.

    >>> sentence("A volume is this; so is a masked file. (pivot_root wants one.)")
    'A volume is this; so is a masked file.'
    """
    for match in _SENTENCE.finditer(text):
        if not _ABBREVIATION.search(text[: match.start()]):
            return text[: match.start()]
    return text
