"""A walk as HTML that stands still: for exported pages, slides and viewers without a kernel.

All that was taken stands open, the rest of the plan is listed. No script; the little style there is comes
with it, so that the page reads well even where styles are thrown away.
"""

from __future__ import annotations

from html import escape

from labkit.steps.plan import Plan
from labkit.steps.trace import Taken
from labkit.steps.walk import Walk
from labkit.view import describe

_STYLE = """<style>
.lk-page{font:inherit;line-height:1.45;max-width:60em} .lk-page ol{list-style:none;padding:0;margin:.2em 0 .8em}
.lk-page summary,.lk-page .lk-row{padding:.15em 0} .lk-page .lk-n{display:inline-block;min-width:2.6em;opacity:.75}
.lk-page pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.2em 0 .6em 2.6em;padding:.4em .6em}
.lk-page pre{border-left:3px solid #0072b2;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.9em}
.lk-page p{margin:.2em 0 .2em 2.6em;max-width:46em} .lk-page h4{margin:.6em 0 .1em;font-size:1em}
</style>"""


def html(walk: Walk) -> str:
    """The plan with its goals, each step with its mark, and the triple view of those that were taken."""
    tried = {taken.number: taken for taken in walk.trace}
    rows, number = [], 0
    for goal, steps in walk.plan.by_goal():
        rows.append(f"<h4>{escape(goal)}</h4><ol>")
        for _ in steps:
            number += 1
            rows.append(f"<li>{_step(walk.plan, number, tried.get(number))}</li>")
        rows.append("</ol>")
    head = f"<strong>{escape(walk.plan.name)}</strong>: {walk.position} of {len(walk.plan)} steps taken"
    return f'{_STYLE}<div class="lk-page"><div>{head}</div>{"".join(rows)}</div>'


def _step(plan: Plan, number: int, taken: Taken | None) -> str:
    step = plan[number - 1]
    mark = "·" if taken is None else "✗" if taken.error else "✓"
    head = f'<span class="lk-n">{mark} {number}</span>{escape(step.title)} <small>({escape(step.who)})</small>'
    shell = escape(step.shell())
    if taken is None:
        return f'<div class="lk-row">{head} <code>{shell}</code></div>'
    calls = "\n".join(_call(describe.call(made)) for made in taken.calls) or "(none)"
    parts = [("system calls", calls), ("shell", f"$ {shell}"), ("what changed", escape(str(taken.diff)))]
    if taken.error:
        parts.append(("error", escape(str(taken.error))))
    columns = "".join(f"<p><small>{title}</small></p><pre>{body}</pre>" for title, body in parts)
    why = f"<p>{escape(step.why())}</p>"
    if describe.again(plan, number):  # read already: folded
        why = f"<details><summary>{escape(step.summary())}.</summary>{why}</details>"
    return f"<details open><summary>{head}</summary>{why}{columns}</details>"


def _call(row: describe.Json) -> str:
    if row["refused"]:
        return f"{escape(row['text'])}   not made: {escape(row['refused'])}"
    expected = ", as expected" * row["expected"]
    return f"{escape(row['text'])} = {escape(row['result'])}{expected}   {row['µs']:.1f} µs"
