"""Who shares what: a row for each process, a column for each kind of namespace, a colour for each namespace."""

from __future__ import annotations

from labkit.steps.fact import Namespace
from labkit.steps.snapshot import Snapshot
from labkit.view.lettering import grid, shorten
from labkit.view.palette import colour
from labkit.view.pictures.picture import Picture, Source, look
from labkit.view.pictures.scene import Branch, by_number, family, kinds, memberships
from labkit.view.svg import LINE, Svg, measure

PROBES = ("processes", "namespaces")
_CELL, _GAP, _NAME = 82.0, 6.0, 30
_TITLE = "Which process is in which namespace"


def namespace_map(source: Source) -> Picture:
    """Processes by kinds of namespaces. Cells of one colour and number in one column are one namespace, shared."""
    snapshot = look(source, PROBES)
    columns = kinds(snapshot.of_type(Namespace))
    rows, member_of = family(snapshot), memberships(snapshot)
    empty = [namespace for namespace in _sorted(snapshot) if not namespace.members]
    described = f"{len(rows)} processes by {len(columns)} kinds of namespaces; equal numbers in a column mean shared."
    return Picture(_TITLE, described, _text(columns, rows, member_of, empty), _draw(columns, rows, member_of, empty))


def _sorted(snapshot: Snapshot) -> list[Namespace]:
    by_name = {namespace.name: namespace for namespace in snapshot.of_type(Namespace)}
    return [by_name[name] for name in by_number(by_name)]


def _text(
    columns: list[str], rows: list[Branch], member_of: dict[str, dict[str, Namespace]], empty: list[Namespace]
) -> str:
    if not rows and not empty:
        return "(no processes)"
    table = [["process", *columns]]
    for row in rows:
        spaces = member_of.get(row.process.name, {})
        table.append([row.lead + row.process.name, *(spaces[kind].name if kind in spaces else "-" for kind in columns)])
    return "\n".join([*grid(table), *(f"nobody is in {space.name}, {_holder(space)}" for space in empty)])


def _holder(space: Namespace) -> str:
    return f"held open by {', '.join(space.held_by)}" if space.held_by else "which only its children keep"


def _draw(
    columns: list[str], rows: list[Branch], member_of: dict[str, dict[str, Namespace]], empty: list[Namespace]
) -> Svg:
    svg = Svg()
    names = [shorten(row.lead + row.process.name, _NAME) for row in rows]
    held = [shorten(f"(nobody: {_holder(space)})", _NAME + 14) for space in empty]
    left = max([measure(name) for name in (*names, *held, "process")], default=0) + 14
    at = {kind: left + i * (_CELL + _GAP) for i, kind in enumerate(columns)}
    svg.text(0, 14, "process", css="lk-strong")
    for kind, x in at.items():
        svg.text(x + _CELL / 2, 14, kind, css="lk-strong", anchor="middle")
    for index, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = LINE * (index + 1) + 4
        svg.text(0, y + 14, name, tip=f"{row.process.name}: pid {' > '.join(map(str, row.process.pids))}")
    for kind, x in at.items():
        for first, last, space in _runs([member_of.get(row.process.name, {}).get(kind) for row in rows]):
            _cell(svg, x, first, last, space)
    for index, (space, note) in enumerate(zip(empty, held, strict=True), len(rows)):
        y = LINE * (index + 1) + 4
        svg.text(0, y + 14, note, css="lk-dim", tip=_holder(space))
        svg.rect(at[space.kind], y, _CELL, LINE - 3, css=f"lk-s{colour(space.name)} lk-edge lk-dash", tip=str(space))
        svg.text(at[space.kind] + _CELL / 2, y + 14, space.name, anchor="middle")
    svg.reach(at[columns[-1]] + _CELL if columns else 200, LINE * (len(rows) + len(empty) + 1))
    return svg


def _cell(svg: Svg, x: float, first: int, last: int, space: Namespace | None) -> None:
    """One namespace in consecutive rows: one box, its number in each row."""
    top = LINE * (first + 1) + 4
    tint = colour(space.name) if space else 0
    if space:
        svg.rect(x, top, _CELL, LINE * (last - first + 1) - 3, css=f"lk-c{tint}", tip=str(space))
    for index in range(first, last + 1):
        css = f"lk-on{tint}" if tint else "lk-dim"
        svg.text(x + _CELL / 2, LINE * (index + 1) + 18, space.name if space else "–", css=css, anchor="middle")


def _runs(column: list[Namespace | None]) -> list[tuple[int, int, Namespace | None]]:
    """Where the same namespace stands in consecutive rows: (first row, last row, namespace)."""
    runs: list[tuple[int, int, Namespace | None]] = []
    for index, space in enumerate(column):
        if runs and runs[-1][2] is space:
            runs[-1] = (runs[-1][0], index, space)
        else:
            runs.append((index, index, space))
    return runs
