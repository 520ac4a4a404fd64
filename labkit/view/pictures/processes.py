"""Whose child is whose, and in which namespaces each one lives that are not those of the lab host."""

from __future__ import annotations

from labkit.steps.fact import Namespace
from labkit.view.lettering import clean, grid, shorten
from labkit.view.palette import colour, place
from labkit.view.pictures.picture import Picture, Source, look
from labkit.view.pictures.scene import KINDS, Branch, family, memberships
from labkit.view.svg import CHAR, LINE, Svg, measure

PROBES = ("processes", "namespaces")
_TITLE = "The process tree, with badges for namespaces of one's own"
_STEP = 3 * CHAR


def process_tree(source: Source) -> Picture:
    """The family of processes. A full badge: this process differs from its parent; an empty one: inherited."""
    snapshot = look(source, PROBES)
    rows, member_of = family(snapshot), memberships(snapshot)
    badges = [_badges(row, member_of) for row in rows]
    described = f"{len(rows)} processes; badges name the namespaces that are not the lab host's first ones."
    return Picture(_TITLE, described, _text(rows, badges), _draw(rows, badges))


def _badges(row: Branch, member_of: dict[str, dict[str, Namespace]]) -> list[tuple[Namespace, bool]]:
    """The namespaces worth a badge, each with whether it is another than the parent's."""
    own, above = member_of.get(row.process.name, {}), member_of.get(row.process.parent, {})
    order = sorted(own, key=lambda kind: (KINDS.index(kind) if kind in KINDS else len(KINDS), kind))
    return [(own[k], own[k] is not above.get(k)) for k in order if place(own[k].name) != 1]


def _what(row: Branch) -> str:
    process = row.process
    life = f", {process.state_of_life}" if process.state_of_life else ""
    return f"{process.runs}{life}"


def _text(rows: list[Branch], badges: list[list[tuple[Namespace, bool]]]) -> str:
    if not rows:
        return "(no processes)"
    table = [["process", "pid", "runs", "namespaces of its own (* new here)"]]
    for row, spaces in zip(rows, badges, strict=True):
        shown = " ".join(clean(space.name) + "*" * new for space, new in spaces)
        table.append(
            [row.lead + row.process.name, str(row.process.pids[0]) if row.process.pids else "-", _what(row), shown]
        )
    return "\n".join(grid(table, most=90))


def _draw(rows: list[Branch], badges: list[list[tuple[Namespace, bool]]]) -> Svg:
    svg = Svg()
    heads = [(shorten(row.process.name, 28), shorten(_what(row), 22)) for row in rows]
    names = (
        max([row.depth * _STEP + measure(name) for row, (name, _) in zip(rows, heads, strict=True)], default=60) + 20
    )
    pids = max([measure("pid"), *(measure(str(row.process.pids[0])) for row in rows if row.process.pids)])
    runs = names + pids + 18
    start = runs + max([measure(what) for _, what in heads], default=60) + 22
    for x, title in ((0.0, "process"), (names, "pid"), (runs, "runs"), (start, "namespaces of its own")):
        svg.text(x, 14, title, css="lk-strong")
    svg.text(
        start + measure("namespaces of its own "),
        14,
        "(full: new here, outlined: the parent's)",
        css="lk-dim",
        size=11.5,
    )
    knees: list[float] = []  # for each open level, from where the line goes on to the next child
    for index, (row, (name, what), spaces) in enumerate(zip(rows, heads, badges, strict=True)):
        y = LINE * (index + 1.5) + 2
        x = row.depth * _STEP
        del knees[row.depth :]
        if row.depth:
            elbow = x - _STEP + 7
            svg.line([(elbow, knees[-1]), (elbow, y), (x - 3, y)], css="lk-line")
            knees[-1] = y
        knees.append(y + 8)
        svg.text(x, y + 4, name, css="lk-strong", tip=str(row.process))
        if row.process.pids:
            svg.text(names, y + 4, row.process.pids[0], css="lk-dim")
        svg.text(runs, y + 4, what, css="lk-dim", tip=f"its comm: {row.process.comm}")
        at = start
        for space, new in spaces:
            at += _badge(svg, at, y, space, new) + 5
    return svg


def _badge(svg: Svg, x: float, y: float, space: Namespace, new: bool) -> float:
    """A badge; returns its length."""
    tint, label = colour(space.name), shorten(space.name, 14)
    long = measure(label, size=12) + 12
    svg.rect(x, y - 8.5, long, 17, css=f"lk-c{tint}" if new else f"lk-s{tint} lk-edge", r=8, tip=str(space))
    svg.text(x + 6, y + 4, label, css=f"lk-on{tint}" if new and tint else "", size=12)
    return long
