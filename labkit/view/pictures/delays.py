"""How long equal pieces of work took: a stroke for each, on a line of which each mark is ten times the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log10
from statistics import median, quantiles
from textwrap import wrap

from labkit.view.lettering import clean
from labkit.view.pictures.picture import Picture
from labkit.view.svg import Svg, measure

_TITLE = "How long each piece of work took"
_DECADE, _ROW, _STROKE = 190.0, 46.0, 22.0
_MARK = 3.5  # half the width of ▲
_WIDE = 72  # letters of a note in one line
_UNITS = ("1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s")
_LEAST = -6  # the exponent of the first of them


def delay_strip(rows: Mapping[str, Sequence[float]], *, note: str = "") -> Picture:
    """A row of strokes for each of these lists of seconds, with its median and the 95th percentile.

    `note` is what a reader must know of the measurement: that the machine was busy. It stands in the text, too.
    """
    lines = [f"{clean(name)}: {len(seconds)} pieces of work" for name, seconds in rows.items()]
    text = "\n".join([*lines, *([clean(note)] if note else [])])
    return Picture(_TITLE, f"{_TITLE}. {text}", text, _draw(rows, note))


def _draw(rows: Mapping[str, Sequence[float]], note: str) -> Svg:
    svg = Svg()
    every = [max(each, 1e-6) for seconds in rows.values() for each in seconds]
    first = max(_LEAST, floor(log10(min(every)))) if every else -3
    last = max(first + 1, min(_LEAST + len(_UNITS) - 1, floor(log10(max(every))) + 1)) if every else first + 1
    left = max(measure(clean(name)) for name in rows) + 24 if rows else 0.0

    def at(seconds: float) -> float:
        return left + _DECADE * (min(max(log10(max(seconds, 1e-6)), first), last) - first)

    bottom = 8 + _ROW * len(rows)
    for exponent in range(first, last + 1):
        x = left + _DECADE * (exponent - first)
        svg.line([(x, 0), (x, bottom)], css="lk-line lk-dash")
        svg.text(x, bottom + 18, _UNITS[exponent - _LEAST], css="lk-dim", anchor="middle")
    for row, (name, seconds) in enumerate(rows.items()):
        y = 8 + _ROW * row
        svg.text(0, y + _STROKE - 6, clean(name), css="lk-strong")
        for each in seconds:
            svg.rect(at(each) - 0.75, y, 1.5, _STROKE, css=f"lk-c{row % 7 + 1}", r=0, tip=_told(each))
        middle, tail = median(seconds), quantiles(seconds, n=20, method="inclusive")[-1]
        below = y + _STROKE + 14  # each mark on its own side, for they may be close to each other
        svg.text(at(middle) + _MARK, below, "median ▲", css="lk-dim", size=11.5, anchor="end", tip=_told(middle))
        svg.text(at(tail) - _MARK, below, "▲ 95 of 100", css="lk-dim", size=11.5, tip=_told(tail))
    for line, words in enumerate(wrap(clean(note), _WIDE)):
        svg.text(0, bottom + 44 + 18 * line, words, css="lk-strong")
    return svg


def _told(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
