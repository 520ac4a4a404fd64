"""Letters on paper: making any text safe to show, measuring it, and fitting it.

Host names, program names and paths are chosen by whoever runs in the lab; a file may be called
``</svg><script>`` or contain a terminal escape. So all text goes through `clean` (what cannot be seen
is written out: ``\\x1b``, ``\\u202e``) before it is measured, and through `escape` before it is markup.

See: XML 1.0 "2.2 Characters", Unicode Standard Annex 11 (East Asian Width) and 9 (bidirectional text).
"""

from __future__ import annotations

import unicodedata
from html import escape as _escape

#: categories that have no glyph of their own, or change the letters around them: control, format, surrogate, unassigned
_UNSEEN = {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def clean(text: object) -> str:
    """The text in letters that can be seen; the others as Python writes them in a string."""
    return "".join(c if unicodedata.category(c) not in _UNSEEN else _written(c) for c in str(text))


def _written(letter: str) -> str:
    number = ord(letter)
    if letter in _SHORT:
        return _SHORT[letter]
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def escape(text: object) -> str:
    """The text cleaned, and safe as content or as a quoted attribute of HTML and of XML."""
    return _escape(clean(text), quote=True)


def cells(text: str) -> int:
    """How many columns the (cleaned) text takes in a fixed-width font: CJK and emoji two, combining marks none."""
    return sum(_cell(c) for c in text)


def _cell(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def shorten(text: object, most: int, *, prose: bool = False) -> str:
    """The cleaned text in at most `most` columns.

    If it must be, the middle is left out, as both ends of a path tell; of `prose` the end.
    """
    whole = clean(text)
    if cells(whole) <= most:
        return whole
    if prose:
        while cells(whole) >= most:
            whole = whole[:-1]
        return f"{whole.rstrip()}…"
    head, tail = "", ""
    for front, back in zip(whole, reversed(whole), strict=True):
        if cells(head) + _cell(front) + cells(tail) + 1 > most:
            break
        head += front
        if cells(head) + cells(tail) + _cell(back) + 1 > most:
            break
        tail = back + tail
    return f"{head}…{tail}"


def pad(text: object, columns: int) -> str:
    """The cleaned text, shortened or filled with spaces to exactly `columns`."""
    short = shorten(text, columns)
    return short + " " * (columns - cells(short))


def grid(rows: list[list[str]], *, most: int = 40, gap: str = "  ") -> list[str]:
    """Rows of texts as aligned lines; no column is wider than `most`."""
    rows = [[shorten(item, most) for item in row] for row in rows]
    count = max((len(row) for row in rows), default=0)
    widths = [max(cells(row[i]) for row in rows if i < len(row)) for i in range(count)]
    return [gap.join(pad(item, width) for item, width in zip(row, widths, strict=False)).rstrip() for row in rows]
