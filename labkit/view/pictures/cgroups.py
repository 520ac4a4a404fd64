"""The tree of cgroups: which controllers each has, how it is limited, who lives there; and what has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import cast

from labkit.cgroups.usage import Usage
from labkit.container import metering
from labkit.errors import LabError
from labkit.steps.snapshot import Snapshot
from labkit.view.lettering import cells, clean, grid, shorten
from labkit.view.pictures.cgroup_nodes import Mark, Node, nodes
from labkit.view.pictures.picture import Picture, Source, look
from labkit.view.svg import CHAR, LINE, Svg, measure

PROBES = ("cgroup",)
_TITLE = "The tree of cgroups"
_STEP = 3 * CHAR
_HEADS = ("cgroup", "controllers, ↓ handed down", "limits", "used", "processes")
_ALWAYS = {0, 2, 4}  # columns that stand even where nothing is in them
_MOST = (34, 28, 56, 26, 30)  # letters of each column on paper; a printed line has them all
_TINTS = {"+": 3, "-": 6, "~": 2}
_WORDS = {"+": "new", "-": "gone", "~": "changed"}
Line = tuple[Mark, ...]  # of one cell


def cgroup_tree(source: Source, *, since: Snapshot | None = None, usage: bool | Mapping[str, Usage] = False) -> Picture:
    """The cgroups of a lab, each with its controllers, limits and processes; `since` marks what is other than then.

    `usage` adds what each has used: True asks the lab, or it is given by the names of the cgroups. Raises LabError
    where facts are drawn, which do not tell that.
    """
    found = nodes(look(source, PROBES), None if since is None else look(since, PROBES))
    used = usage if isinstance(usage, Mapping) else _asked(source) if usage else {}
    sheet = Sheet(_together(found, used), used, since is not None)
    described = (
        f"{sum(map(len, found.values()))} cgroups in {len(found)} trees, with controllers, limits and processes."
    )
    return Picture(_TITLE, described, _text(sheet), _draw(sheet))


def _asked(source: Source) -> dict[str, Usage]:
    lab = getattr(source, "lab", source)
    if not hasattr(lab, "backend"):
        raise LabError("facts do not say what is used", look="cgroup_tree(lab, usage=True)")
    return metering.of_all(cast(metering.Metered, lab))


def _together(found: Mapping[str, list[Node]], usage: Mapping[str, Usage]) -> dict[str, list[Node]]:
    """By heading; trees of version 1 in which all is the same stand under one, and version 2 alone needs none."""
    if list(found) == [""]:
        return {"": found[""]}
    alike: dict[object, list[str]] = {}
    for tree, branch in found.items():
        said = [(replace(node, tree=""), usage.get(node.name)) for node in branch] if tree else []
        alike.setdefault(repr(said), []).append(tree)
    return {f"version 1: {'; '.join(names)}" if names[0] else "version 2": found[names[0]] for names in alike.values()}


@dataclass(frozen=True)
class Sheet:
    """What is to be shown: trees by their headings, what was used, and whether there is a column for signs."""

    trees: Mapping[str, list[Node]]
    usage: Mapping[str, Usage]
    signs: bool

    @property
    def nodes(self) -> list[Node]:
        """All cgroups of all trees."""
        return [node for branch in self.trees.values() for node in branch]

    @property
    def columns(self) -> list[int]:
        """Which of `_HEADS` are shown."""
        return sorted(
            _ALWAYS.union(*({n for n, lines in enumerate(self.cells(node), 1) if lines} for node in self.nodes))
        )

    def cells(self, node: Node) -> tuple[list[Line], ...]:
        """The lines of each column after the name."""
        controllers = [node.has, tuple(Mark(f"↓{mark.text}", mark.sign) for mark in node.down)]
        used: list[Line] = [(Mark(text),) for text in _used(self.usage.get(node.name, Usage()))]
        return [line for line in controllers if line], [(mark,) for mark in node.limits], used, _people(node.people)


def _used(usage: Usage) -> list[str]:
    """What was used, in a few words for each controller that counts."""
    texts = []
    if usage.cpu is not None:
        texts.append(f"CPU {usage.cpu:.3f} s")
    if usage.memory is not None:
        texts.append(f"memory {usage.memory / 2**20:.1f} MiB")
    if usage.read is not None and usage.written is not None:
        texts.append(f"disks {(usage.read + usage.written) / 2**20:.1f} MiB")
    if usage.processes is not None:
        texts.append(f"processes {usage.processes}")
    return texts


def _people(people: Sequence[Mark]) -> list[Line]:
    """Names side by side, as many as go into a line."""
    lines: list[Line] = []
    for mark in people:
        if lines and cells(_flat((*lines[-1], mark))) <= _MOST[-1]:
            lines[-1] = (*lines[-1], mark)
        else:
            lines.append((mark,))
    return lines


def _flat(line: Line) -> str:
    return " ".join(clean(mark) for mark in line)


# in letters


def _text(sheet: Sheet) -> str:
    if not sheet.trees:
        return "(no cgroups)"
    lines: list[tuple[str, ...]] = [(" ", *_HEADS)]
    headings: dict[int, str] = {}
    for heading, branch in sheet.trees.items():
        headings |= {len(lines): clean(heading)} if heading else {}
        for node, following in zip_longest(branch, branch[1:]):
            lines += _rows(node, following, sheet.cells(node))
    shown = [0] * sheet.signs + [number + 1 for number in sheet.columns]
    printed = grid([[line[number] for number in shown] for line in lines], most=120)
    for number in reversed(headings):
        printed.insert(number, headings[number])
    return "\n".join(printed)


def _rows(node: Node, following: Node | None, columns: tuple[list[Line], ...]) -> Iterator[tuple[str, ...]]:
    """A cgroup's lines: its sign, its name and all columns; below the name the tree's lines go on."""
    down = "".join("   " if last else "│  " for last in node.lasts)
    below = f"{down}│" if following and following.depth > node.depth else down
    first, *others = zip_longest(*(lines or [()] for lines in columns), fillvalue=())
    yield node.sign or " ", node.lead + clean(node.step), *map(_flat, first)
    yield from ((" ", below, *map(_flat, texts)) for texts in others)


# on paper


def _draw(sheet: Sheet) -> Svg:
    svg = Svg()
    if not sheet.trees:
        svg.text(0, 14, "(no cgroups)")
        return svg
    at = _places(sheet)  # by column
    for number, x in at.items():
        svg.text(x, 14, _HEADS[number], css="lk-strong")
    y = LINE
    for heading, branch in sheet.trees.items():
        if heading:
            svg.text(at[0], y + 18, shorten(heading, 80), css="lk-dim lk-strong")
            y += LINE + 4
        knees: list[float] = []
        for node in branch:
            _name(svg, node, at[0], y, knees)
            columns = sheet.cells(node)
            for column, x in list(at.items())[1:]:
                for number, line in enumerate(columns[column - 1]):
                    _words(svg, x, y + LINE * number, line, column)
            y += LINE * max(1, *map(len, columns)) + 3
    if sheet.signs:
        svg.text(at[0], y + 20, ", ".join(f"{s} {word}" for s, word in _WORDS.items()), css="lk-dim", size=11.5)
    return svg


def _places(sheet: Sheet) -> dict[int, float]:
    """Where each column begins."""
    found, x = {}, 22.0 * sheet.signs
    for column in sheet.columns:
        found[column] = x
        long = [measure(_HEADS[column])]
        for node in sheet.nodes:
            if column:
                lines = sheet.cells(node)[column - 1]
                long += [sum(measure(shorten(mark, _MOST[column])) + 12 for mark in line) for line in lines]
            else:
                long.append(node.depth * _STEP + measure(shorten(node.step, _MOST[0])))
        x += max(long) + 24
    return found


def _name(svg: Svg, node: Node, left: float, y: float, knees: list[float]) -> None:
    """A cgroup's name at its place in the tree, with its sign before it."""
    x, middle = left + node.depth * _STEP, y + LINE / 2
    del knees[node.depth :]
    if node.depth:
        elbow = x - _STEP + 7
        svg.line([(elbow, knees[-1]), (elbow, middle), (x - 4, middle)], css="lk-line")
        knees[-1] = middle
    knees.append(middle + 9)
    if node.sign:
        tint = _TINTS[node.sign]
        svg.rect(left - 22, y + 3, 15, 16, css=f"lk-c{tint}", tip=_WORDS[node.sign])
        svg.text(left - 14.5, y + 15.5, node.sign, css=f"lk-on{tint} lk-strong", anchor="middle")
    css = "lk-dim" if node.sign == "-" else "lk-strong"
    svg.text(x, middle + 4.5, shorten(node.step, _MOST[0]), css=css, tip=node.name)


def _words(svg: Svg, x: float, y: float, line: Line, column: int) -> None:
    """The words of one line of a cell; what is new, gone or changed has a frame in the colour of its sign."""
    for mark in line:
        text = shorten(mark, _MOST[column])
        long = measure(text)
        if mark.sign:
            svg.rect(x - 4, y + 2.5, long + 8, 17, css=f"lk-s{_TINTS[mark.sign]} lk-edge", r=5, tip=str(mark))
        svg.text(x, y + LINE / 2 + 4.5, text, css="lk-dim" if mark.sign == "-" else "", tip=str(mark))
        x += long + 12
