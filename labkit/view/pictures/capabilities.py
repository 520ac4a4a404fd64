"""What root may do, in forty-one lights, for each process and each of its five sets."""

from __future__ import annotations

from collections.abc import Iterable

from labkit.linux import capabilities
from labkit.steps.fact import Credentials
from labkit.view.lettering import clean, shorten
from labkit.view.pictures.picture import Picture, Source, look
from labkit.view.pictures.scene import family
from labkit.view.svg import Svg, measure, number

PROBES = ("processes", "caps")
SETS = ("effective", "permitted", "inheritable", "bounding", "ambient")
_TITLE = "Capabilities: which lights are on"
_PITCH, _ROW = 17.0, 18.0

Group = tuple[Credentials, list[str]]


def capability_lights(source: Source) -> Picture:
    """A row of lights for each set; processes with the same sets and the same uid stand together."""
    snapshot = look(source, PROBES)
    place = {branch.process.name: index for index, branch in enumerate(family(snapshot))}
    groups: dict[tuple[object, ...], Group] = {}
    for who in sorted(snapshot.of_type(Credentials), key=lambda c: (place.get(c.process, len(place)), c.process)):
        key = (who.uids, who.no_new_privs, *(getattr(who, name) for name in SETS))
        groups.setdefault(key, (who, []))[1].append(who.process)
    highest = max([getattr(who, name).bit_length() for who, _ in groups.values() for name in SETS], default=0)
    count = max(len(capabilities.NUMBERS), min(highest, 64))
    described = f"{count} lights by five sets, for {len(groups)} kinds of processes. " + " ".join(
        f"{_who(group)}: {_many(group[0].effective)} effective." for group in groups.values()
    )
    return Picture(_TITLE, described, _text(list(groups.values()), count), _draw(list(groups.values()), count))


def _who(group: Group, most: int = 60) -> str:
    """``c1, sh#1: uid 0, no new privileges``."""
    who, names = group
    uid = f": uid {who.uids[min(1, len(who.uids) - 1)]}" if who.uids else ""
    more = ", no_new_privs" if who.no_new_privs else ""
    return shorten(", ".join(names), most) + uid + more


def _many(mask: int) -> str:
    return str(mask.bit_count())


def _named(mask: int, count: int) -> str:
    """The set in names, or what is missing from it where that is shorter."""
    missing = ~mask & (1 << count) - 1
    if not mask or not missing:
        return "none" if not mask else "all"
    few, word = (mask, "") if mask.bit_count() <= count // 2 else (missing, "all but ")
    return word + ", ".join(name.removeprefix("CAP_").lower() for name in capabilities.decode_set(few))


def _text(groups: list[Group], count: int) -> str:
    lines = []
    for who, names in groups:
        lines.append(_who((who, names)))
        for name in SETS:
            mask = getattr(who, name)
            lights = "".join("●" if mask >> n & 1 else "·" for n in range(count))
            lines.append(f"  {name:<11} {lights} {_many(mask):>2}")
        same: dict[int, list[str]] = {}
        for name in SETS:
            same.setdefault(getattr(who, name), []).append(name)
        lines += [f"  {', '.join(sets)}: {_named(mask, count)}" for mask, sets in same.items()]
    return "\n".join(lines) or "(no processes)"


def _draw(groups: list[Group], count: int) -> Svg:
    svg = Svg()
    names = [capabilities.name(n).removeprefix("CAP_").lower() for n in range(count)]
    left, top = measure("inheritable") + 16, max(measure(name, size=11.5) for name in names) + 8
    for n, name in enumerate(names):
        svg.text(left + n * _PITCH + 4, top - 6, name, size=11.5, turned=True)
    y = top
    for who, members in groups:
        svg.text(0, y + 16, clean(_who((who, members))), css="lk-strong", tip=", ".join(members))
        y += 24
        svg.line([(left + count * _PITCH + 22, y), (0, y)], css="lk-hair")
        for name in SETS:
            _lights(svg, left, y + _ROW / 2 + 1, getattr(who, name), count)
            svg.text(0, y + 14, name, css="" if name == "effective" else "lk-dim")
            svg.text(left + count * _PITCH + 22, y + 14, _many(getattr(who, name)), css="lk-dim", anchor="end")
            y += _ROW
        y += 12
    for n, name in enumerate(names):
        svg.rect(left + (n - 0.5) * _PITCH, 0, _PITCH, y, css="lk-hit", r=0, tip=f"CAP_{name.upper()} ({n})")
    svg.reach(left + count * _PITCH + 24, y)
    return svg


def _lights(svg: Svg, left: float, y: float, mask: int, count: int) -> None:
    """The lights of one set as two shapes: large and filled, small and hollow."""
    on = [n for n in range(count) if mask >> n & 1]
    off = [n for n in range(count) if not mask >> n & 1]
    for numbers, r, css in ((on, 6.0, "lk-lit"), (off, 2.5, "lk-off")):
        if numbers:
            svg.path(_discs((left + n * _PITCH for n in numbers), y, r), css=css)


def _discs(xs: Iterable[float], y: float, r: float) -> str:
    arc = f"a{number(r)} {number(r)} 0 1 0"
    return " ".join(f"M{number(x - r)} {number(y)} {arc} {number(2 * r)} 0 {arc} {number(-2 * r)} 0Z" for x in xs)
