"""One style for all pictures and tables: eight colours that colour-blind eyes tell apart, light, dark and stage.

The colours are those of Okabe and Ito. A namespace has the colour of its number, so a container that is
``#2`` in everything is orange in every picture; ``#1``, what the lab host began with, is grey. Colour never
stands alone: there is always a letter, a number or a shape that says the same.

Whoever shows a picture may set ``--lk-fg``, ``--lk-bg`` and ``--lk-size`` (a length, 13px; 22px in the hall) on any
element around it. Unset, the colours and the size are JupyterLab's or VS Code's, and in a page that knows
neither, those of the reader's system. The paper is painted, so letters and ground always go together.

See: Okabe and Ito, "Color Universal Design" (2008); CSS Custom Properties; prefers-color-scheme.
"""

from __future__ import annotations

from labkit.view import assets

#: black on the colour, but white on blue
_FILLS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
_LETTERS = ("#000", "#000", "#000", "#000", "#fff", "#000", "#000")


def place(name: str) -> int:
    """The number in ``uts#2``; 0 for a name without one."""
    digits = name.rpartition("#")[2]
    return int(digits) if digits.isascii() and digits.isdecimal() else 0


def colour(name: str) -> int:
    """The colour of a namespace: 0 (grey) for the first of its kind and for what lies outside, else 1 to 7."""
    return 0 if place(name) < 2 else (place(name) - 2) % len(_FILLS) + 1


_COLOURS = "".join(
    f".lk .lk-c{n}{{fill:{fill}}}.lk .lk-on{n}{{fill:{letter}}}.lk .lk-s{n}{{stroke:{fill};fill:none}}"
    f".lk .lk-b{n}{{background:{fill};color:{letter}}}"
    for n, (fill, letter) in enumerate(zip(_FILLS, _LETTERS, strict=True), 1)
)

STYLE = assets.squeezed("pictures.css") + _COLOURS
TABLE_STYLE = assets.squeezed("tables.css")
