"""The page on which JupyterLab opens: the course's table of contents, and in it how far this student is.

It is a page and no notebook, so that it is right without a kernel. The course's server makes it anew whenever a browser
asks for it (`labkit.contents`), so that a reload suffices.
"""

from __future__ import annotations

import re

from labkit.learn.standing import Standing, standings

#: around what is the student's in the page; comments, which no viewer shows
_BEGIN, _END = "<!--yours-->", "<!--/yours-->"
_YOURS = re.compile(f"{_BEGIN}.*?{_END}")
_ROW = re.compile(r"^\| *(\d\d|---|) *\|.*\|$", re.MULTILINE)


def page(template: str) -> str:
    """The page from ``notebooks/index.md``: a row of its table for each lesson, ``| 03 | … |``, gets one more cell."""
    far = {standing.id.removeprefix("nb"): standing for standing in standings()}

    def longer(row: re.Match[str]) -> str:
        number = row[1]
        if not number:
            return f"{row[0]} your progress |"
        return f"{row[0]}---|" if number == "---" else f"{row[0]} {_BEGIN}{_words(far[number])}{_END} |"

    return _ROW.sub(longer, template).replace("(../labkit/tiny.py)", "(tiny.py)")


def without_progress(text: str) -> str:
    """What the page says to every student."""
    return _YOURS.sub("", text)


def _words(standing: Standing) -> str:
    if not standing.done:
        return "not begun"
    if not standing.open:
        return f"✓ all {standing.total} done"
    return f"{standing.done} of {standing.total} done; open: {standing.open}"
