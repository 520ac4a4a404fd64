"""Building HTML whose text is escaped unless it is markup already; tables that screen readers can read.

tag("td", "a <b>", tag("code", "x"), css="lk-dim")   →   <td class="lk-dim">a &lt;b&gt;<code>x</code></td>
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from labkit.view.lettering import escape
from labkit.view.palette import STYLE, TABLE_STYLE

#: followed by a line break, for readers that drop all tags
_BLOCKS = frozenset(("p", "div", "pre", "h4", "table", "caption", "tr", "th", "td", "details", "summary"))
#: constants, with what stands after them in a call; options of a command
_WHOLE = re.compile(r"(\b[A-Z][A-Z0-9]*_[A-Z0-9_]{1,40}\b[|,)]?|(?<!\S)--?\w[\w-]{0,30})")


class Markup(str):
    """Text that is markup; everything else is letters to be escaped."""

    __slots__ = ()


def tag(name: str, *content: object, css: str = "", **attributes: object) -> Markup:
    """One element. Attributes: ``aria_label`` is aria-label, ``open_`` is open; an empty one is left out."""
    given = {"class": css, **{key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}}
    shown = "".join(f' {key}="{escape(value)}"' for key, value in given.items() if value not in ("", None))
    return Markup(f"<{name}{shown}>{join(content)}</{name}>" + "\n" * (name in _BLOCKS))


def join(content: Iterable[object]) -> Markup:
    """Markup as it is, all else escaped, one after the other."""
    return Markup("".join(item if isinstance(item, Markup) else escape(item) for item in content))


def lines_of(text: str) -> Markup:
    """Text for a ``pre``: escaped, its line breaks kept."""
    return Markup("\n".join(escape(line) for line in text.split("\n")))


def code(text: str) -> Markup:
    """Lines of code; line breaks are kept. Where it is narrow, lines break anywhere but in constants and options."""
    lines = (_WHOLE.split(line) for line in text.split("\n"))
    shown = ("".join(_part(part, whole=n % 2 == 1) for n, part in enumerate(parts)) for parts in lines)
    return Markup(f'<code class="lk-code">{"<br>".join(shown)}</code>')


def _part(text: str, *, whole: bool) -> str:
    return f"{tag('span', text, css='lk-word')}<wbr>" if whole else escape(text)


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
