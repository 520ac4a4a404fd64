"""The progress of a student as an HTML table."""

from __future__ import annotations

from html import escape

from labkit.learn.table import HEADS, Table


def progress_html(table: Table) -> str:
    """The progress as a table."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("lesson", *HEADS))
    rows = []
    for name, title, cells in table.rows:
        shown = "".join(
            f"<td>{'✓ ' * (cell.total > 0 and cell.right == cell.total)}{escape(str(cell))}</td>" for cell in cells
        )
        rows.append(f'<tr><th scope="row" style="text-align:start">{escape(name)} {escape(title)}</th>{shown}</tr>')
    return f"<table><caption>Progress</caption><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
