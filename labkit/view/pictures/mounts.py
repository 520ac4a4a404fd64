"""The mounts of each mount namespace side by side, and along which arrows the news of a mount travels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
_ROOM = 740.0  # of a notebook on a screen of 1024 × 768, in letters of 12 px at least
_TINTS = (5, 6, 3, 7, 1, 2)  # of the arrows; yellow would be lost on white paper
_LEGEND = "arrows: what is mounted or unmounted below here, is so there too; with one head only: and not the other way"


@dataclass(frozen=True)
class Spot:
    """Where a mount is on paper: its panel's row and place in the row, the panel's edges, the height of its line."""

    row: int
    column: int
    left: float
    right: float
    y: float


@dataclass(frozen=True)
class Panel:
    """One namespace and its mounts, each with its path, type and propagation; where these begin, and the whole size."""

    name: str
    people: str
    twigs: Sequence[Twig]
    texts: Sequence[tuple[str, str]]
    types_at: float
    kinds_at: float
    width: float

    @property
    def height(self) -> float:
        """With the head and the frame."""
        return LINE * (len(self.twigs) + 1) + 8

    @property
    def head(self) -> str:
        """The name, and the processes in it."""
        return f"{clean(self.name)}  {shorten(self.people, 26)}"


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
    rows = _rows([_panel(name, people.get(name, ""), twigs) for name, twigs in trees.items()])
    place = {panel.name: (row, column) for row, panels in enumerate(rows) for column, panel in enumerate(panels)}
    # what does not go to a neighbour takes a lane above its row, or above the row that it comes down to
    lanes: dict[int, list[News]] = {}
    for link in links:
        (row, column), (other, beside) = sorted((place[link.source.ns], place[link.target.ns]))
        if other != row or beside - column > 1:
            lanes.setdefault(row + 1 if other > row else row, []).append(link)
    at: dict[Mount, Spot] = {}
    lane: dict[int, float] = {}
    bottom = 0.0
    for row, panels in enumerate(rows):
        top = bottom + 22 * bool(row)
        lane |= {id(link): top + 9.0 * i + 4 for i, link in enumerate(lanes.get(row, ()))}
        top += 9.0 * len(lanes.get(row, ())) + 6 * bool(lanes.get(row))
        x = 0.0
        for column, panel in enumerate(panels):
            _paint(svg, panel, x, top, (row, column), at)
            x += panel.width + _GUTTER
        bottom = top + max(panel.height for panel in panels)
    groups = list(dict.fromkeys(link.group for link in links))
    for link in links:
        tint = _TINTS[groups.index(link.group) % len(_TINTS)]
        _arrow(svg, link, at[link.source], at[link.target], tint, lane.get(id(link)))
    if links:
        svg.text(0, svg.height + 18, _LEGEND, css="lk-dim", size=11.5)
    if hidden:
        note = f"and {hidden} more: print this picture, or choose by namespaces=(…)"
        svg.text(0, svg.height + 16, note, css="lk-dim")
    return svg


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    """As many beside each other as a page has room for, the others below them."""
    rows: list[list[Panel]] = []
    free = 0.0
    for panel in panels:
        if not rows or panel.width > free:
            rows.append([])
            free = _ROOM
        rows[-1].append(panel)
        free -= panel.width + _GUTTER
    return rows


def _panel(name: str, people: str, twigs: Sequence[Twig]) -> Panel:
    texts = [(shorten(twig.step, 26), shorten(twig.mount.type, 10)) for twig in twigs]
    types_at = max(twig.depth * _STEP + measure(step) for twig, (step, _) in zip(twigs, texts, strict=True)) + 26
    kinds_at = types_at + max(measure(fstype) for _, fstype in texts) + 14
    width = kinds_at + max(measure(twig.kind, size=11.5) for twig in twigs) + 12
    panel = Panel(name, people, twigs, texts, types_at, kinds_at, width)
    return replace(panel, width=max(width, measure(panel.head) + 20))


def _paint(svg: Svg, panel: Panel, x: float, top: float, place: tuple[int, int], at: dict[Mount, Spot]) -> None:
    """Paint it; note in `at` where each mount is."""
    tint, width = colour(panel.name), panel.width
    tip = f"{panel.name}: {panel.people}" if panel.people else panel.name
    svg.rect(x, top, width, panel.height, css=f"lk-s{tint} lk-edge" if tint else "lk-box", r=8)
    svg.rect(x, top, width, LINE + 1, css=f"lk-c{tint}", r=8, tip=tip)
    svg.text(x + 10, top + 16, panel.head, css=f"lk-on{tint} lk-strong" if tint else "lk-strong")
    knees: list[float] = []
    for index, (twig, (step, fstype)) in enumerate(zip(panel.twigs, panel.texts, strict=True)):
        y = top + LINE * (index + 1.5) + 3
        left = x + 12 + twig.depth * _STEP
        del knees[twig.depth :]
        if twig.depth:
            svg.line([(left - 11, knees[-1]), (left - 11, y), (left - 3, y)], css="lk-line")
            knees[-1] = y
        knees.append(y + 7)
        svg.text(left, y + 4, step, tip=str(twig.mount))
        svg.text(x + panel.types_at, y + 4, fstype, css="lk-dim")
        svg.text(x + panel.kinds_at, y + 4, twig.kind, css="lk-dim", size=11.5)
        at[twig.mount] = Spot(*place, x, x + width, y)


def _arrow(svg: Svg, link: News, source: Spot, target: Spot, tint: int, lane: float | None) -> None:
    """From mount to mount: a curve to the next panel or within one, an angular line to any other.

    That line runs in the gutters between panels and in its `lane` above a row, so it crosses none.
    """
    tip = f"{link.source.title} {'and' if link.both else 'tells'} {link.target.title}{' tell each other' * link.both}"
    css, point = f"lk-s{tint} lk-edge", f"lk-c{tint}"
    leftward = (target.row, target.left) < (source.row, source.left)
    first, last = (target, source) if leftward else (source, target)
    to_first, to_last = link.both or leftward, link.both or not leftward  # which ends have a head
    below = last.row > first.row
    loop = first.left == last.left and not below
    turned = loop or below  # it comes back to a right edge
    x1, x2 = first.right + 3, last.right + 3 if turned else last.left - 3
    out, into = (x1 + 6 if to_first else x1), (x2 - 6 if to_last and not turned else x2 + 6 * turned)
    if lane is None:
        bend = (x1 + 26 + min(30.0, abs(last.y - first.y) / 6)) if loop else (x1 + x2) / 2
        curve = [out, first.y, bend, first.y, bend, last.y, into, last.y]
        svg.path("M{} {} C{} {} {} {} {} {}".format(*map(number, curve)), css=css, tip=tip)
        svg.reach(bend, last.y)
    else:
        aside = 18 + lane % 54
        near, far = x1 + aside, x2 + aside if below else x2 - aside
        points = [(out, first.y), (near, first.y), (near, lane), (far, lane), (far, last.y), (into, last.y)]
        svg.line(points, css=css, tip=tip)
    if to_first:
        svg.head(x1, first.y, left=True, css=point)
    if to_last:
        svg.head(x2, last.y, left=turned, css=point)
