"""The progress of a student as an HTML table."""

from __future__ import annotations

from labkit.learn.table import HEADS, Table
from labkit.view.markup import document, table


def progress_html(progress: Table) -> str:
    """The progress as a table; a tick stands where all is right."""
    rows = [
        (f"{name} {title}", *(f"{'✓ ' * (cell.total > 0 and cell.right == cell.total)}{cell}" for cell in cells))
        for name, title, cells in progress.rows
    ]
    return document(table("Progress", ("lesson", *HEADS), [("", rows)]))
