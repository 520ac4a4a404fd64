"""The tree of cgroups: which controllers each has, how it is limited, who lives there; and what has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from labkit.cgroups.usage import Usage
from labkit.steps.snapshot import Snapshot
from labkit.view.lettering import cells, clean, grid, shorten
from labkit.view.pictures.cgroup_nodes import Mark, Node, nodes
from labkit.view.pictures.picture import Picture, Source, look
from labkit.view.svg import CHAR, LINE, Svg, measure

PROBES = ("cgroup",)
_TITLE = "The tree of cgroups"
_STEP = 3 * CHAR
_HEADS = ("cgroup", "controllers", "limits", "used", "processes")
_MOST = (34, 28, 44, 26, 30)  # letters of each column on paper; a printed line has them all
_TINTS = {"+": 3, "-": 6, "~": 2}
_LEGEND = "↓ handed down to its children.  + new, - gone, ~ changed"
Line = tuple[Mark, ...]  # of one cell


def cgroup_tree(source: Source, *, since: Snapshot | None = None, usage: Mapping[str, Usage] | None = None) -> Picture:
    """The cgroups of a lab, each with its controllers, limits and processes; `since` marks what is other than then.

    `usage` adds what each has used, by the name of the cgroup (`labkit.container.metering` asks a lab for it).
    """
    found = nodes(look(source, PROBES), None if since is None else look(since, PROBES))
    trees, signs = _together(found, usage or {}), since is not None
    described = (
        f"{sum(map(len, found.values()))} cgroups in {len(found)} trees, with controllers, limits and processes."
    )
    return Picture(_TITLE, described, _text(trees, usage or {}, signs), _draw(trees, usage or {}, signs))


def _together(found: Mapping[str, list[Node]], usage: Mapping[str, Usage]) -> dict[str, list[Node]]:
    """By heading; trees of version 1 in which all is the same stand under one."""
    alike: dict[object, list[str]] = {}
    for tree, branch in found.items():
        said = tuple((replace(node, tree=""), usage.get(node.name)) for node in branch) if tree else ""
        alike.setdefault(repr(said), []).append(tree)
    if list(found) == [""]:
        return {"": found[""]}
    return {f"version 1: {'; '.join(names)}" if names[0] else "version 2": found[names[0]] for names in alike.values()}


def _cells(node: Node, usage: Mapping[str, Usage]) -> tuple[list[Line], ...]:
    """The lines of each column after the name."""
    controllers = [node.has, tuple(Mark(f"↓{mark.text}", mark.sign) for mark in node.down)]
    used: list[Line] = [(Mark(text),) for text in _used(usage[node.name])] if node.name in usage else []
    return [line for line in controllers if line], [(mark,) for mark in node.limits], used, _people(node.people)


def _people(people: Sequence[Mark], width: int = _MOST[-1]) -> list[Line]:
    """Names side by side, as many as go into a line."""
    lines: list[Line] = []
    for mark in people:
        if lines and cells(_flat((*lines[-1], mark))) <= width:
            lines[-1] = (*lines[-1], mark)
        else:
            lines.append((mark,))
    return lines


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


def _flat(line: Line) -> str:
    return " ".join(clean(mark) for mark in line)


def _columns(trees: Mapping[str, list[Node]], usage: Mapping[str, Usage]) -> list[int]:
    """Which columns have something in them; name, limits and processes always stand."""
    full = {0, 2, 4}
    for node in (node for branch in trees.values() for node in branch):
        full |= {number for number, lines in enumerate(_cells(node, usage), 1) if lines}
    return sorted(full)


# in letters


def _text(trees: Mapping[str, list[Node]], usage: Mapping[str, Usage], signs: bool) -> str:
    if not trees:
        return "(no cgroups)"
    shown = _columns(trees, usage)
    lines: list[list[str]] = [[*[" "] * signs, *(_HEADS[number] for number in shown)]]
    headings: dict[int, str] = {}
    for heading, branch in trees.items():
        if heading:
            headings[len(lines)] = clean(heading)
        for index, node in enumerate(branch):
            lines += _rows(node, branch[index + 1 : index + 2], usage, shown, signs)
    printed = grid(lines, most=120)
    for number in reversed(headings):
        printed.insert(number, headings[number])
    return "\n".join(printed)


def _rows(
    node: Node, following: Sequence[Node], usage: Mapping[str, Usage], shown: Sequence[int], signs: bool
) -> list[list[str]]:
    """A cgroup's lines; those after the first have the lines of the tree alone before them."""
    columns = _cells(node, usage)
    lines = []
    for number, texts in enumerate(zip_longest(*columns, fillvalue=())):
        name = _going_on(node, following) if number else node.lead + clean(node.step)
        cells_ = (name, *map(_flat, texts))
        lines.append([*[node.sign or " "] * (signs and not number), *[" "] * (signs and number > 0),
                      *(cells_[column] for column in shown)])  # fmt: skip
    return lines or [[*[node.sign or " "] * signs, node.lead + clean(node.step)]]


def _going_on(node: Node, following: Sequence[Node]) -> str:
    """What stands below a name when its limits need more lines: the tree's lines that lead further down."""
    down = "".join("   " if last else "│  " for last in node.lasts)
    return f"{down}│" if following and following[0].depth > node.depth else down


# on paper


def _draw(trees: Mapping[str, list[Node]], usage: Mapping[str, Usage], signs: bool) -> Svg:
    svg = Svg()
    if not trees:
        svg.text(0, 14, "(no cgroups)")
        return svg
    shown = _columns(trees, usage)
    left = 22.0 * signs
    at = dict(zip(shown, _offsets(trees, usage, shown, left), strict=True))
    for number, x in at.items():
        svg.text(x, 14, _HEADS[number], css="lk-strong")
    y = LINE
    for heading, branch in trees.items():
        if heading:
            svg.text(left, y + 18, shorten(heading, 80), css="lk-dim lk-strong")
            y += LINE + 4
        knees: list[float] = []
        for node in branch:
            y = _paint(svg, node, y, at, knees, usage)
    handed = any(node.down for branch in trees.values() for node in branch)
    legend = _LEGEND if signs and handed else _LEGEND.partition("  ")[2] if signs else _LEGEND.partition(".")[0]
    if signs or handed:
        svg.text(left, y + 20, legend, css="lk-dim", size=11.5)
    return svg


def _offsets(
    trees: Mapping[str, list[Node]], usage: Mapping[str, Usage], shown: Sequence[int], left: float
) -> list[float]:
    """Where each column begins."""
    widths = [measure(_HEADS[number]) for number in shown]
    for node in (node for branch in trees.values() for node in branch):
        columns = _cells(node, usage)
        lengths = [node.depth * _STEP + measure(shorten(node.step, _MOST[0]))]
        lengths += [max((_long(line, number) for line in columns[number - 1]), default=0) for number in shown[1:]]
        widths = [max(pair) for pair in zip(widths, lengths, strict=True)]
    return [left + sum(widths[:number]) + 24 * number for number in range(len(shown))]


def _long(line: Line, column: int) -> float:
    return sum(measure(shorten(mark, _MOST[column])) + 12 for mark in line)


def _paint(
    svg: Svg, node: Node, y: float, at: Mapping[int, float], knees: list[float], usage: Mapping[str, Usage]
) -> float:
    """One cgroup; returns where the next one begins."""
    columns = _cells(node, usage)
    x, middle = at[0] + node.depth * _STEP, y + LINE / 2
    del knees[node.depth :]
    if node.depth:
        elbow = x - _STEP + 7
        svg.line([(elbow, knees[-1]), (elbow, middle), (x - 4, middle)], css="lk-line")
        knees[-1] = middle
    knees.append(middle + 9)
    gone = node.sign == "-"
    if node.sign:
        _chip(svg, at[0] - 22, y, node.sign)
    svg.text(x, middle + 4.5, shorten(node.step, _MOST[0]), css="lk-dim" if gone else "lk-strong", tip=node.name)
    for column, start in at.items():
        for number, line in enumerate(columns[column - 1] if column else ()):
            _words(svg, start, y + LINE * number, line, column)
    return y + LINE * max(1, *map(len, columns)) + 3


def _chip(svg: Svg, x: float, y: float, sign: str) -> None:
    tint = _TINTS[sign]
    svg.rect(x, y + 3, 15, 16, css=f"lk-c{tint}", tip={"+": "new", "-": "gone", "~": "changed"}[sign])
    svg.text(x + 7.5, y + 15.5, sign, css=f"lk-on{tint} lk-strong", anchor="middle")


def _words(svg: Svg, x: float, y: float, line: Line, column: int) -> None:
    """The words of one line of a cell; what is new, gone or changed has a frame in the colour of its sign."""
    for mark in line:
        text = shorten(mark, _MOST[column])
        long = measure(text)
        if mark.sign:
            svg.rect(x - 4, y + 2.5, long + 8, 17, css=f"lk-s{_TINTS[mark.sign]} lk-edge", r=5, tip=str(mark))
        svg.text(x, y + LINE / 2 + 4.5, text, css="lk-dim" if mark.sign == "-" else "", tip=str(mark))
        x += long + 12
