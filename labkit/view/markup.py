"""Building HTML whose text is escaped unless it is markup already; tables that screen readers can read.

tag("td", "a <b>", tag("code", "x"), css="lk-dim")   →   <td class="lk-dim">a &lt;b&gt;<code>x</code></td>
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labkit.view.lettering import escape
from labkit.view.palette import STYLE, TABLE_STYLE


class Markup(str):
    """Text that is markup; everything else is letters to be escaped."""

    __slots__ = ()


def tag(name: str, *content: object, css: str = "", **attributes: object) -> Markup:
    """One element. Attributes: ``aria_label`` is aria-label, ``open_`` is open; an empty one is left out."""
    given = {"class": css, **{key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}}
    shown = "".join(f' {key}="{escape(value)}"' for key, value in given.items() if value not in ("", None))
    return Markup(f"<{name}{shown}>{join(content)}</{name}>")


def join(content: Iterable[object]) -> Markup:
    """Markup as it is, all else escaped, one after the other."""
    return Markup("".join(item if isinstance(item, Markup) else escape(item) for item in content))


def code(text: str) -> Markup:
    """Lines of code; line breaks are kept."""
    lines = [escape(line) for line in text.split("\n")]
    return Markup(f'<code class="lk-code">{"<br>".join(lines)}</code>')


def table(caption: object, heads: Sequence[str], groups: Iterable[tuple[object, Iterable[Sequence[object]]]]) -> Markup:
    """A table. Each group is a heading (empty: none) and its rows; the first cell of a row names the row."""
    bodies = []
    for heading, rows in groups:
        lines = [tag("tr", tag("th", heading, colspan=len(heads), scope="rowgroup", css="lk-goal"))] if heading else []
        for row in rows:
            lines.append(tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])))
        bodies.append(tag("tbody", *lines))
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in heads)))
    return tag("table", tag("caption", caption) if caption else "", head if any(heads) else "", *bodies, css="lk-table")


def document(*content: object) -> str:
    """The whole output of a cell: one style, then the content."""
    return tag("div", Markup(f"<style>{STYLE}{TABLE_STYLE}</style>"), *content, css="lk lk-doc")
