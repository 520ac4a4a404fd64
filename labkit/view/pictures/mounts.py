"""The mounts of each mount namespace side by side, and along which arrows the news of a mount travels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.steps.fact import Mount, Namespace
from labkit.view.lettering import clean, grid, shorten
from labkit.view.palette import colour
from labkit.view.pictures.mount_news import News, Twig, names, news, tree
from labkit.view.pictures.picture import Picture, Source, look
from labkit.view.pictures.scene import by_number
from labkit.view.svg import LINE, Svg, measure, number

PROBES = ("mounts",)
_USEFUL = ("namespaces",)
_TITLE = "Mount namespaces and the way of the news"
_GUTTER, _MOST, _STEP = 96.0, 3, 16.0
_TINTS = (5, 6, 3, 7, 1, 2)  # of the arrows; yellow would be lost on white paper
_LEGEND = "arrows: what is mounted or unmounted below here, is so there too; with one head only: and not the other way"


@dataclass(frozen=True)
class Spot:
    """Where a mount is on paper: the edges of its panel and the height of its line."""

    left: float
    right: float
    y: float


def mount_tree(source: Source, *, namespaces: Sequence[str] = ()) -> Picture:
    """Trees of mounts, with ⇄ between peers and → to slaves. `namespaces` chooses; else the first three are drawn.

    Raises LabError for a mount namespace that is not there.
    """
    snapshot = look(source, PROBES, useful=_USEFUL)
    mounts = snapshot.of_type(Mount)
    there = by_number({mount.ns for mount in mounts})
    for name in namespaces:
        if name not in there:
            look_at = f"one of {', '.join(there) or 'none'}"
            raise LabError(f"there is no mount namespace {clean(name)} here", look=look_at)
    people = {space.name: ", ".join(space.members) or "nobody" for space in snapshot.of_type(Namespace)}
    known = names(mounts)
    trees = {name: tree([m for m in mounts if m.ns == name], known) for name in namespaces or there}
    drawn = list(trees) if namespaces else list(trees)[:_MOST]
    links = news(mounts, drawn)
    return Picture(
        _TITLE,
        f"{len(trees)} mount namespaces; {len(links)} arrows between mounts that hear of each other's changes.",
        _text(trees, people), _draw({name: trees[name] for name in drawn}, people, links, len(trees) - len(drawn)),
    )  # fmt: skip


def _text(trees: dict[str, list[Twig]], people: dict[str, str]) -> str:
    lines = []
    for name, twigs in trees.items():
        lines.append(clean(name) + (f"  ({shorten(people[name], 60)})" if name in people else ""))
        table = [[f"  {twig.lead}{twig.step}", twig.mount.type, twig.news] for twig in twigs]
        lines += grid(table, most=60)
    return "\n".join(lines) or "(no mounts)"


def _draw(trees: dict[str, list[Twig]], people: dict[str, str], links: list[News], hidden: int) -> Svg:
    svg = Svg()
    if not trees:
        svg.text(0, 14, "(no mounts)")
        return svg
    order = list(trees)
    far = [link for link in links if order.index(link.target.ns) - order.index(link.source.ns) not in (0, 1, -1)]
    top = 9.0 * len(far) + 6 * bool(far)
    at: dict[Mount, Spot] = {}
    x = 0.0
    for name, twigs in trees.items():
        x = _panel(svg, x, top, name, people.get(name, ""), twigs, at) + _GUTTER
    groups = list(dict.fromkeys(link.group for link in links))
    lane = {id(link): 9.0 * i + 4 for i, link in enumerate(far)}
    for link in links:
        tint = _TINTS[groups.index(link.group) % len(_TINTS)]
        _arrow(svg, link, at[link.source], at[link.target], tint, lane.get(id(link)))
    if links:
        svg.text(0, svg.height + 18, _LEGEND, css="lk-dim", size=11.5)
    if hidden:
        note = f"and {hidden} more: print this picture, or choose by namespaces=(…)"
        svg.text(0, svg.height + 16, note, css="lk-dim")
    return svg


def _panel(svg: Svg, x: float, top: float, name: str, people: str, twigs: list[Twig], at: dict[Mount, Spot]) -> float:
    """One namespace; notes in `at` where each mount is, returns its right edge."""
    steps = [shorten(twig.step, 26) for twig in twigs]
    types = [shorten(twig.mount.type, 10) for twig in twigs]
    kinds = [twig.kind for twig in twigs]
    names = max(twig.depth * _STEP + measure(step) for twig, step in zip(twigs, steps, strict=True)) + 26
    kind_at = names + max(map(measure, types)) + 14
    head = f"{clean(name)}  {shorten(people, 26)}"
    width = max(kind_at + max(measure(word, size=11.5) for word in kinds) + 12, measure(head) + 20)
    tint = colour(name)
    svg.rect(x, top, width, LINE * (len(twigs) + 1) + 8, css=f"lk-s{tint} lk-edge" if tint else "lk-box", r=8)
    svg.rect(x, top, width, LINE + 1, css=f"lk-c{tint}", r=8, tip=f"{name}: {people}" if people else name)
    svg.text(x + 10, top + 16, head, css=f"lk-on{tint} lk-strong" if tint else "lk-strong")
    knees: list[float] = []
    for index, (twig, step, fstype, word) in enumerate(zip(twigs, steps, types, kinds, strict=True)):
        y = top + LINE * (index + 1.5) + 3
        left = x + 12 + twig.depth * _STEP
        del knees[twig.depth :]
        if twig.depth:
            svg.line([(left - 11, knees[-1]), (left - 11, y), (left - 3, y)], css="lk-line")
            knees[-1] = y
        knees.append(y + 7)
        svg.text(left, y + 4, step, tip=str(twig.mount))
        svg.text(x + names, y + 4, fstype, css="lk-dim")
        svg.text(x + kind_at, y + 4, word, css="lk-dim", size=11.5)
        at[twig.mount] = Spot(x, x + width, y)
    return x + width


def _arrow(svg: Svg, link: News, source: Spot, target: Spot, tint: int, lane: float | None) -> None:
    """From mount to mount: a curve to the next panel or within one, an angular line over the panels between."""
    tip = f"{link.source.title} {'and' if link.both else 'tells'} {link.target.title}{' tell each other' * link.both}"
    css, point = f"lk-s{tint} lk-edge", f"lk-c{tint}"
    leftward = target.left < source.left
    first, last = (target, source) if leftward else (source, target)
    to_first, to_last = link.both or leftward, link.both or not leftward  # which ends have a head
    loop = first.left == last.left
    x1, x2 = first.right + 3, last.right + 3 if loop else last.left - 3
    out, into = (x1 + 6 if to_first else x1), (x2 - 6 if to_last and not loop else x2 + 6 * loop)
    if lane is None:
        bend = (x1 + 26 + min(30.0, abs(last.y - first.y) / 6)) if loop else (x1 + x2) / 2
        curve = [out, first.y, bend, first.y, bend, last.y, into, last.y]
        svg.path("M{} {} C{} {} {} {} {} {}".format(*map(number, curve)), css=css, tip=tip)
        svg.reach(bend, last.y)
    else:
        near, far = x1 + 18 + lane % 54, x2 - 18 - lane % 54
        points = [(out, first.y), (near, first.y), (near, lane), (far, lane), (far, last.y), (into, last.y)]
        svg.line(points, css=css, tip=tip)
    if to_first:
        svg.head(x1, first.y, left=True, css=point)
    if to_last:
        svg.head(x2, last.y, left=loop, css=point)
