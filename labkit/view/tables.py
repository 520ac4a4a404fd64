"""The progress of a student, and the files of a cgroup in both versions, as HTML tables."""

from __future__ import annotations

from labkit.cgroups.rosetta import Cell, Rosetta, Row
from labkit.learn.standing import WORDS, Part, Standing
from labkit.learn.table import HEADS, Table
from labkit.learn.table import Cell as Done
from labkit.view.markup import Markup, code, document, join, table, tag


def progress_html(progress: Table) -> str:
    """The progress as a table; a tick stands where all is right."""
    rows = [(f"{name} {title}", *map(_ticked, cells), str(asked or "-")) for name, title, cells, asked in progress.rows]
    return document(table("Progress", ("lesson", *HEADS), [("", rows)]))


def _ticked(cell: Done) -> str:
    return f"{'✓ ' * (cell.total > 0 and cell.right == cell.total)}{cell}"
def standing_html(standing: Standing) -> str:
    """How far a lesson is, on one line without a style of its own: a dot for each thing, full where it is done."""
    parts = (part for each in standing.parts for part in (Markup(" &nbsp; "), _dots(each)))
    title = f"{standing.title.capitalize()}{'' if standing.done else ', not begun'}"
    return tag("div", tag("strong", title), *parts, "" if standing.open else " ✓")


def _dots(part: Part) -> Markup:
    word = WORDS[part.kind][part.total != 1]
    dots = tag("span", "●" * part.done + "○" * (part.total - part.done), aria_hidden="true")
    said = f"{part.done} of {part.total} {word} done"
    return tag("span", f"{word} ", dots, title=said, role="img", aria_label=said, style="white-space:nowrap")


def rosetta_html(rosetta: Rosetta) -> str:
    """Version 2 and version 1 side by side, file by file; what is translated is dimmed, and in parentheses."""
    heads = ("version 2", "value", "version 1", "value") if rosetta.values else ("version 2", "version 1")
    groups = [(_about(row), [_places(*line, values=rosetta.values) for line in row.lines]) for row in rosetta.rows]
    notes = (tag("p", note, css="lk-dim") for note in rosetta.notes)
    return document(table("The files of its cgroups, in version 2 and in version 1", heads, groups), *notes)


def _about(row: Row) -> Markup:
    return join((f"{row.file.name}  ", tag("span", row.relation, css="lk-aside")))


def _places(new: Cell, old: Cell | None, *, values: bool) -> tuple[object, ...]:
    left, right = code(new.place), code(old.place) if old else "–"
    return (left, _said(new), right, _said(old)) if values else (left, right)


def _said(cell: Cell | None) -> Markup:
    if cell is None or not cell.value:
        return Markup()
    texts = join(part for text in cell.each for part in (Markup("<br>"), text))
    tip = "" if cell.read else "translated, not read"
    return tag(
        "span", Markup(texts.removeprefix("<br>")), css="lk-whole" if cell.read else "lk-whole lk-dim", title=tip
    )
