"""Plans, snapshots, differences, calls and traces as static tables: what a notebook shows beside the text.

Each function returns one piece of HTML that stands alone: escaped, styled within itself, readable in an exported
page and without scripts. `labkit.view.renderers` registers them for display.
"""

from __future__ import annotations

from collections.abc import Iterable, Sized
from dataclasses import fields

from labkit.errors import LabError, errno_text
from labkit.linux import capabilities
from labkit.steps.call import Call, render
from labkit.steps.fact import Fact, Limit, Process
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Change, Diff, Snapshot
from labkit.steps.step import Step
from labkit.steps.trace import Taken, Trace
from labkit.view.markup import Markup, code, document, join, table, tag

_CALLS_SHOWN, _LINES_SHOWN, _CHANGES_SHOWN = 3, 2, 12
_FACTS_SHOWN = 200
_SIGNS = {"+": ("lk-b3", "new"), "-": ("lk-b6", "gone"), "~": ("lk-b2", "changed")}
_NOTHING = ("", (), None)
_WITH_UNITS: tuple[tuple[type[Fact], str], ...] = ((Limit, "value"),)
_IN_WORDS: tuple[tuple[type[Fact], str], ...] = (
    *_WITH_UNITS,
    (Process, "comm"),
)  # in a change; a table of facts shows what the kernel calls a program
_MASKS = {"effective", "permitted", "inheritable", "bounding", "ambient"}


def plan_html(plan: Plan) -> str:
    """The plan by its goals: number, who, what with its manual pages, system calls, shell line."""
    groups, number = [], 0
    for goal, steps in plan.by_goal():
        rows = []
        for step in steps:
            number += 1
            what = join((tag("span", step.title, title=step.why()), " ", _man(step)))
            shell = _opens(step.shell().split("\n"), _LINES_SHOWN, "lines")
            rows.append((number, step.who, what, _intents(step), shell))
        groups.append((goal, rows))
    return document(table(f"{plan.name}: {len(plan)} steps", ("", "who", "what", "system calls", "shell"), groups))


def step_html(step: Step) -> str:
    """One step, not taken: what, why, calls, shell line, manual pages."""
    rows = [
        ("who", step.who), ("why", step.why()), ("system calls", _intents(step, most=1000)),
        ("shell", code(f"$ {step.shell()}")), ("man", _man(step)),
    ]  # fmt: skip
    return document(table(step.title, ("", ""), [("", rows)]))


def fact_html(fact: Fact) -> str:
    """One fact, field by field."""
    return document(
        table(fact.title, ("", ""), [("", [(_words(field.name), _shown(fact, field.name)) for field in fields(fact)])])
    )


def snapshot_html(snapshot: Snapshot) -> str:
    """A table for each type of facts, a row for each fact."""
    tables: list[object] = []
    for kind in dict.fromkeys(type(fact) for fact in snapshot):
        facts = snapshot.of_type(kind)
        named = [field.name for field in fields(kind)]
        named = [name for name in named if any(getattr(fact, name) not in _NOTHING for fact in facts)]
        heads = [_words(name) for name in named]
        rows = [[_shown(fact, name) for name in named] for fact in facts[:_FACTS_SHOWN]]
        more = f", the first {_FACTS_SHOWN} of them" * (len(facts) > _FACTS_SHOWN)
        tables.append(table(f"{kind.__name__} ({len(facts)}{more})", heads, [("", rows)]))
    return document(*tables or [tag("p", "(no facts)", css="lk-dim")])


def change_html(change: Change) -> str:
    """One change."""
    return document(_changes([change]))


def diff_html(diff: Diff) -> str:
    """The changes: a sign, the thing, and what of it is other than before."""
    return document(_changes(diff))


def call_html(call: Call) -> str:
    """One call with its answer and its time."""
    return document(_calls([call]))


def taken_html(taken: Taken) -> str:
    """The triple view: system calls, shell line and difference side by side."""
    return document(*_taken(taken))


def trace_html(trace: Trace) -> str:
    """All steps taken, in short; each opens to its triple view."""
    blocks: list[object] = [tag("p", f"{trace.plan}: {len(trace)} steps taken", css="lk-title")]
    said: set[tuple[str, str]] = set()
    for taken in trace:
        short = f"{_count(taken.calls, 'call')}, {_count(taken.diff, 'change')}, {_time(taken.nanoseconds)}"
        state = tag("span", "failed", css="lk-chip lk-b6") if taken.error else ""
        head = tag("summary", f"{taken.number}. {taken.step.title} ", tag("span", short, css="lk-dim"), " ", state)
        told = taken.step.explanation() in said  # the second time it is folded: it stands above
        said.add(taken.step.explanation())
        blocks.append(tag("details", head, *_taken(taken, told=told), open_="open" if taken.error else ""))
    return document(*blocks)


def error_html(error: LabError) -> str:
    """An error as part of the lesson: what happened, the likely cause, where to look."""
    return document(_error(error))


def _taken(taken: Taken, *, told: bool = False) -> list[object]:
    step = taken.step
    head = tag("p", tag("span", f"step {taken.number}: {step.title}", css="lk-title"), f"  ({step.who})  ", _man(step))
    parts = (
        tag("div", _calls(taken.calls)),
        tag("div", table("shell", ("",), [("", [[code(f"$ {step.shell()}")]])])),
        tag("div", _changes(taken.diff)),
    )
    triple = tag("div", *parts, css="lk-triple")
    why = tag("p", step.why(), css="lk-dim")
    if told:
        why = tag("details", tag("summary", f"{step.summary()}."), why, css="lk-dim")
    return [head, why, triple, _error(taken.error) if taken.error else ""]


def _calls(calls: Iterable[Call]) -> Markup:
    rows = []
    for call in calls:
        if call.refused:
            rows.append([code(call.text), f"not made: {call.refused}", ""])
            continue
        rows.append([code(call.text), _answer(call), tag("span", _time(call.nanoseconds), css="lk-dim lk-whole")])
    return table("system calls", ("call", "answer", "time"), [("", rows or [["(none)", "", ""]])])


def _answer(call: Call) -> str:
    if call.expected:
        return tag("span", f"{errno_text(call.errno)}, as expected", css="lk-dim")
    return tag("strong", errno_text(call.errno)) if call.failed else call.shown_value


def _changes(changes: Iterable[Change]) -> Markup:
    rows = []
    for change in changes:
        css, word = _SIGNS[change.sign]
        sign = tag("span", change.sign, css=f"lk-chip {css}", title=word, aria_label=word, role="img")
        rows.append([sign, join((tag("strong", change.fact.title), " ", _details(change)))])
    first, rest = rows[:_CHANGES_SHOWN], rows[_CHANGES_SHOWN:]
    shown = table("what changed", ("", ""), [("", first or [["(nothing that a probe can see)", ""]])])
    if not rest:
        return shown
    return join((shown, tag("details", tag("summary", f"and {len(rest)} more"), table("", ("", ""), [("", rest)]))))


def _details(change: Change) -> Markup:
    if change.before is None or change.after is None:
        return tag("div", str(change.fact).removeprefix(change.fact.title).removeprefix(": "))
    old, new = change.before.state, change.after.state
    lines = []
    for name in new:
        if old[name] != new[name]:
            was = tag("span", _shown(change.before, name, _IN_WORDS) or "nothing", css="lk-was")
            label = _words(change.fact.label(name))
            lines.append(tag("div", f"{label} ", was, " → ", _shown(change.after, name, _IN_WORDS) or "nothing"))
    return join(lines)


def _error(error: LabError) -> Markup:
    lines = [tag("p", tag("strong", type(error).__name__), f": {error.message}")]
    if error.likely:
        lines.append(tag("p", tag("strong", "likely: "), error.likely))
    if error.look:
        lines.append(tag("p", tag("strong", "look: "), code(error.look)))
    return tag("div", *lines, css="lk-error", role="alert")


def _intents(step: Step, *, most: int = _CALLS_SHOWN) -> Markup:
    texts = [render(intent.name, intent.args) for intent in step.calls()]
    return _opens(texts, most, "calls")


def _opens(lines: list[str], most: int, what: str) -> Markup:
    """Lines of code, those over `most` behind a click; a single one more is no click's worth."""
    if len(lines) <= most + 1:
        return code("\n".join(lines))
    rest = tag("details", tag("summary", f"and {len(lines) - most} more {what}"), code("\n".join(lines[most:])))
    return join((code("\n".join(lines[:most])), Markup("\n"), rest))


def _man(step: Step) -> Markup:
    links = []
    for page in step.man():
        name, _, section = page.rstrip(")").partition("(")
        links.append(
            tag("a", page, href=f"https://manpages.debian.org/{name}.{section}", rel="noopener", target="_blank")
        )
    return tag("span", *(part for link in links for part in (link, " ")), css="lk-dim")


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(fact: Fact, name: str, in_words: tuple[tuple[type[Fact], str], ...] = _WITH_UNITS) -> str:
    """A field of a fact: as the fact itself says it where it is among `in_words`."""
    value = getattr(fact, name)
    return fact.shown(name, value) if (type(fact), name) in in_words else _value(name, value)


def _value(name: str, value: object) -> str:
    """A field's value in few words; capability sets by number and name."""
    if name in _MASKS and isinstance(value, int):
        return capabilities.summary(value)
    if name == "mode" and isinstance(value, int):
        return f"{value:04o}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(":".join(map(str, item)) if isinstance(item, tuple) else str(item) for item in value)
    return "" if value is None else str(value)


def _time(nanoseconds: int) -> str:
    if nanoseconds < 1_000_000:
        return f"{nanoseconds / 1000:.0f} µs"
    return f"{nanoseconds / 1_000_000:.1f} ms"
