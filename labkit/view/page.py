"""Widgets as HTML that stands still: for exported pages, saved notebooks and viewers without a kernel.

No script. The little style there is comes with it, and the page reads well where styles are thrown away: words
that stand apart are apart in the text as well, and nothing is numbered by the browser.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from labkit.steps.plan import Plan
from labkit.steps.trace import Taken
from labkit.steps.walk import Walk
from labkit.view import describe, saved
from labkit.view.markup import Markup, code, join, lines_of, tag


def html(walk: Walk) -> str:
    """The plan with its goals, each step with its mark, and the triple view of those that were taken."""
    tried = {taken.number: taken for taken in walk.trace}
    rows: list[object] = []
    number = 0
    for goal, steps in walk.plan.by_goal():
        rows.append(tag("h4", goal))
        for _ in steps:
            number += 1
            rows.append(_step(walk.plan, number, tried.get(number)))
    return saved.frame(f"{walk.plan.name}: {walk.position} of {len(walk.plan)} steps taken", *rows)


def card(face: dict[str, Any]) -> str:
    """What a card shows (`labkit.view.cards.face`), with its answers and without its buttons."""
    lines = (tag("p", tag("code" if line.get("code") else "span", lines_of(line["text"]))) for line in face["lines"])
    questions = (part for asked in face["questions"] for part in _question(asked))
    return saved.frame(f"{face['label']}: {face['title']}", *lines, *questions, _verdict(face["verdict"]))


def panel(text: str, image: bytes) -> str:
    """A live panel: its text, and its figure if there is one."""
    drawn = f'<img src="data:image/png;base64,{b64encode(image).decode()}" alt="what was used, as lines">'
    return saved.frame("Live panel", tag("pre", lines_of(text)), Markup(drawn if image else ""))


def terminal(where: str, command: str, lines: str) -> str:
    """A terminal: the last lines on it."""
    another = tag("p", "In any terminal, this opens another shell: ", tag("code", command))
    return saved.frame(f"Terminal in {where}", tag("pre", lines_of(lines)), another)


def _question(asked: dict[str, Any]) -> Iterator[Markup]:
    yield tag("p", tag("strong", f"{asked['number']}. {asked['ask']}"))
    for choice in asked["choices"]:
        yield tag("div", "● " if asked["said"] == choice else "○ ", str(choice))
    yield _verdict(asked["verdict"])


def _verdict(came: dict[str, Any] | None) -> Markup:
    mark = {True: "✓ ", False: "✗ "}.get(came["right"], "") if came else ""
    return tag("p", mark, lines_of(came["text"])) if came else Markup()


def _step(plan: Plan, number: int, taken: Taken | None) -> Markup:
    step = plan[number - 1]
    mark = "·" if taken is None else "✗" if taken.error else "✓"
    head = join((f"{mark} {number}  ", tag("strong", step.title), f" ({step.who})"))
    if taken is None:
        return tag("div", head, "  ", code(step.shell()))
    calls = "\n".join(_call(describe.call(made)) for made in taken.calls) or "(none)"
    parts = [("system calls", calls), ("shell", f"$ {step.shell()}"), ("what changed", str(taken.diff))]
    if taken.error:
        parts.append(("error", str(taken.error)))
    columns = [part for title, body in parts for part in (tag("p", tag("em", title)), tag("pre", lines_of(body)))]
    why = tag("p", lines_of(step.why()))
    if describe.again(plan, number):  # read already: folded
        why = tag("details", tag("summary", step.summary(), "."), why)
    return tag("details", tag("summary", head), why, *columns, open_="open")


def _call(row: describe.Json) -> str:
    if row["refused"]:
        return f"{row['text']}   not made: {row['refused']}"
    expected = ", as expected" * row["expected"]
    return f"{row['text']} = {row['result']}{expected}   {row['µs']:.1f} µs"
