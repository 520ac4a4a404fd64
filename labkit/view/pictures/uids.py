"""The maps of a user namespace as two rulers: which number inside is which number outside."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import log10

from labkit.steps.fact import IdMap
from labkit.view.lettering import clean
from labkit.view.palette import colour
from labkit.view.pictures.picture import Picture, Source, look
from labkit.view.pictures.scene import by_number
from labkit.view.svg import LINE, Svg, measure, number

PROBES = ("users",)
_TITLE = "Ids inside and outside a user namespace"
_END = 2**32 - 1  # (uid_t) -1 means "no uid", so no map reaches it
_ROWS = 8  # drawn of one map; the kernel takes up to 340
_CROWDED = 12
_NO_MAP = "no map: everybody in it is 65534 (nobody)"
_NOTE = "an id outside that is in no row shows inside as 65534 (nobody)"

Extent = tuple[int, int, int]


def uid_ruler(source: Source) -> Picture:
    """A ruler pair for each user namespace: inside above, the real machine below, the map between them."""
    maps = {each.ns: each for each in look(source, PROBES).of_type(IdMap)}
    facts = [maps[name] for name in by_number(maps)]
    described = f"Id maps of {len(facts)} user namespaces. " + " ".join(_lines(facts))
    return Picture(_TITLE, described, "\n".join(_lines(facts)) or "(no user namespaces)", _draw(facts))


def _wholly(extents: tuple[Extent, ...]) -> bool:
    return extents == ((0, 0, _END),)


def _parts(fact: IdMap) -> list[tuple[str, tuple[Extent, ...]]]:
    if fact.uid_map == fact.gid_map:
        return [("uid and gid", fact.uid_map)]
    return [("uid", fact.uid_map), ("gid", fact.gid_map)]


def _span(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first}…{first + count - 1}"


def _lines(facts: Iterable[IdMap]) -> list[str]:
    lines = []
    for fact in facts:
        lines.append(clean(fact.ns) + (" (setgroups denied)" if fact.setgroups == "deny" else ""))
        for what, extents in _parts(fact):
            if _wholly(extents):
                lines.append(f"  {what:<12} every number is itself")
                continue
            if not extents:
                lines.append(f"  {what:<12} {_NO_MAP}")
                continue
            lines += [
                f"  {what:<12} inside {_span(i, n)}  =  outside {_span(o, n)}" + f"  ({n})" * (n > 1)
                for i, o, n in extents
            ]
        if not all(not extents or _wholly(extents) for _, extents in _parts(fact)):
            lines.append(f"  {_NOTE}")
    return lines


def _draw(facts: list[IdMap]) -> Svg:
    svg = Svg()
    if not facts:
        svg.text(0, 14, "(no user namespaces)")
    every = [extents[:_ROWS] for fact in facts for _, extents in _parts(fact)]
    together = _scale([extent for extents in every for extent in extents])
    y = 0.0
    for fact in facts:
        for what, extents in _parts(fact):
            scale = together if len(together) <= _CROWDED else _scale(extents[:_ROWS])
            y = _ruler(svg, y, fact, what, extents, scale) + 18
    return svg


def _scale(extents: Iterable[Extent]) -> dict[int, float]:
    """Where on paper each number that begins or ends something lies: distances are logarithms of what is between."""
    extents = list(extents)
    marks = sorted({0, _END, *(p for i, o, n in extents for p in (i, i + n, o, o + n))})
    wide = {a: 34.0 if b - a == 1 else 30 + 15 * log10(b - a) for a, b in pairwise(marks)}
    for first, count in [(i, n) for i, _, n in extents] + [(o, n) for _, o, n in extents]:
        inside = [mark for mark in marks if first <= mark < first + count]
        need = (measure(_span(first, count)) + 14) / max(1.0, sum(wide[mark] for mark in inside))
        if need > 1:
            wide |= {mark: wide[mark] * need for mark in inside}
    at, x = {}, 74.0
    for mark in marks:
        at[mark] = x
        x += wide.get(mark, 0.0)
    return at


def _ruler(svg: Svg, y: float, fact: IdMap, what: str, extents: tuple[Extent, ...], at: dict[int, float]) -> float:
    """Two rulers and the bands between them; returns where they end."""
    tint = colour(fact.ns)
    denied = "  (setgroups denied)" if fact.setgroups == "deny" and what != "uid" else ""
    svg.text(0, y + 14, f"{clean(fact.ns)}  {what}{denied}", css="lk-strong")
    if not extents or _wholly(extents):
        words = f"{_span(0, _END)}: every number is itself" if extents else _NO_MAP
        wide = max(at[_END] - at[0], measure(words) + 20)
        svg.rect(at[0], y + 24, wide, LINE, css=f"lk-c{tint}" if extents else "lk-box lk-dash", r=3)
        svg.text(at[0] + wide / 2, y + 39, words, css=f"lk-on{tint}" if extents and tint else "", anchor="middle")
        return y + 24 + LINE
    top, bottom = y + 24, y + 24 + 70
    for level, word in ((top, "inside"), (bottom, "outside")):
        svg.text(0, level + 15, word, css="lk-dim")
        svg.rect(at[0], level, at[_END] - at[0], LINE, css="lk-box lk-dash", r=3, tip=_NOTE)
    top_end = max(at[inside + count] for inside, _, count in extents[:_ROWS])
    if at[_END] - top_end > measure("not mapped") + 20:
        svg.text((top_end + at[_END]) / 2, top + 15, "not mapped", css="lk-dim", anchor="middle", size=11.5)
    for inside, outside, count in extents[:_ROWS]:
        a, b = at[inside], at[inside + count]
        c, d = at[outside], at[outside + count]
        tip = f"{what} {_span(inside, count)} inside is {_span(outside, count)} outside"
        corners = [(a, top + LINE), (b, top + LINE), (d, bottom), (c, bottom)]
        shape = "M" + " L".join(f"{number(px)} {number(py)}" for px, py in corners) + " Z"
        svg.path(shape, css=f"lk-c{tint} lk-band", tip=tip)
        svg.path(shape, css=f"lk-s{tint}")
        for left, right, level, first in ((a, b, top, inside), (c, d, bottom, outside)):
            svg.rect(left, level, right - left, LINE, css="lk-ground", r=3)
            svg.rect(left, level, right - left, LINE, css=f"lk-c{tint}", r=3, tip=tip)
            svg.text(
                (left + right) / 2, level + 15, _span(first, count), css=f"lk-on{tint}" if tint else "", anchor="middle"
            )
    end = bottom + LINE
    notes = [_NOTE]
    if len(extents) > _ROWS:
        notes.append(f"and {len(extents) - _ROWS} rows more")
    for note in notes:
        end += 18
        svg.text(at[0], end, note, css="lk-dim", size=11.5)
    return end
