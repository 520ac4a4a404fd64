"""The progress of a student, and the files of a cgroup in both versions, as HTML tables."""

from __future__ import annotations

from itertools import groupby

from labkit.cgroups.rosetta import NOTE, Cell, Rosetta, Row
from labkit.learn.table import HEADS, Table
from labkit.view.markup import Markup, code, document, join, table, tag


def progress_html(progress: Table) -> str:
    """The progress as a table; a tick stands where all is right."""
    rows = [
        (f"{name} {title}", *(f"{'✓ ' * (cell.total > 0 and cell.right == cell.total)}{cell}" for cell in cells))
        for name, title, cells in progress.rows
    ]
    return document(table("Progress", ("lesson", *HEADS), [("", rows)]))


def rosetta_html(rosetta: Rosetta) -> str:
    """Version 2 and version 1 side by side, by controllers; what is translated is dimmed, and in parentheses."""
    heads = ("version 2", "value", "version 1", "value", "") if rosetta.values else ("version 2", "version 1", "")
    groups = [
        (controller, [cells for row in rows for cells in _files(row, rosetta.values)])
        for controller, rows in groupby(rosetta.rows, key=lambda row: row.file.controller)
    ]
    note = tag("p", NOTE, css="lk-dim") if rosetta.translated else ""
    return document(table("The files of its cgroups, in version 2 and in version 1", heads, groups), note)


def _files(row: Row, values: bool) -> list[tuple[object, ...]]:
    """A line for each place; what it is for stands in the first."""
    lines: list[tuple[object, ...]] = []
    for number, (new, old) in enumerate(row.lines):
        left, right = code(new.place), code(old.place) if old else "–"
        relation = "" if number else row.relation
        lines.append((left, _said(new), right, _said(old), relation) if values else (left, right, relation))
    return lines


def _said(cell: Cell | None) -> Markup:
    if cell is None or not cell.value:
        return Markup()
    texts = join(part for text in cell.each for part in (Markup("<br>"), text))
    tip = "" if cell.read else "translated, not read"
    return tag(
        "span", Markup(texts.removeprefix("<br>")), css="lk-whole" if cell.read else "lk-whole lk-dim", title=tip
    )
