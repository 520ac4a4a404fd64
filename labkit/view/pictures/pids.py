"""One process, several pids: a column for each level of pid namespaces, a box around each namespace."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.steps.fact import Namespace, Process
from labkit.steps.snapshot import Snapshot
from labkit.view.lettering import grid, shorten
from labkit.view.palette import colour
from labkit.view.pictures.picture import Picture, Source, look
from labkit.view.pictures.scene import ancestors, by_number
from labkit.view.svg import LINE, Svg, measure

PROBES = ("processes", "namespaces")
_TITLE = "One process, its pid on every level"
_CELL, _FOOT = 92.0, 6.0
_LEGEND = "bold: the pid that the process itself sees; the others: what those outside call it"


@dataclass(frozen=True)
class Room:
    """A pid namespace, how deep it lies (0: the outermost), who is in it and which lie in it."""

    name: str
    level: int
    members: tuple[Process, ...]
    inner: tuple[Room, ...]

    @property
    def height(self) -> float:
        """On paper: its heading, its members, its inner rooms."""
        return LINE * (1 + len(self.members)) + sum(room.height for room in self.inner) + _FOOT


def pid_table(source: Source) -> Picture:
    """Nested pid namespaces: whoever stands in an inner one has a pid there and in each one around it."""
    snapshot = look(source, PROBES)
    rooms, strangers = _rooms(snapshot)
    levels = max([len(process.pids) for process in snapshot.of_type(Process)], default=0)
    return Picture(
        _TITLE, f"{levels} levels of pid namespaces; each column holds the pids that are valid on its level.",
        _text(rooms, strangers, levels), _draw(rooms, strangers, levels),
    )  # fmt: skip


def _rooms(snapshot: Snapshot) -> tuple[tuple[Room, ...], tuple[Process, ...]]:
    """The outermost rooms, and the processes of which nothing says where they are."""
    spaces = {space.name: space for space in snapshot.of_type(Namespace) if space.kind == "pid"}
    parents = {name: space.parent for name, space in spaces.items()}
    levels = {name: len(ancestors(name, parents)) - 1 for name in spaces}
    processes = sorted(snapshot.of_type(Process), key=lambda p: (p.pids, p.name))
    inside = {name: tuple(p for p in processes if p.name in space.members) for name, space in spaces.items()}
    rooms: dict[str, Room] = {}
    for name in sorted(by_number(spaces), key=lambda n: -levels[n]):  # inner ones first
        inner = (
            rooms[other] for other in by_number(spaces) if parents[other] == name and levels[other] == levels[name] + 1
        )
        rooms[name] = Room(name, levels[name], inside[name], tuple(inner))
    placed = {process for members in inside.values() for process in members}
    return tuple(rooms[n] for n in by_number(rooms) if levels[n] == 0), tuple(p for p in processes if p not in placed)


def _pids(process: Process, levels: int) -> list[str]:
    return [str(pid) for pid in process.pids] + [""] * (levels - len(process.pids))


def _text(rooms: tuple[Room, ...], strangers: tuple[Process, ...], levels: int) -> str:
    if not rooms and not strangers:
        return "(no processes)"
    table = [["", *(f"level {n}" for n in range(1, levels + 1))]]

    def walk(room: Room) -> None:
        table.append(["   " * room.level + room.name])
        table.extend([["   " * (room.level + 1) + p.name, *_pids(p, levels)] for p in room.members])
        for inner in room.inner:
            walk(inner)

    for room in rooms:
        walk(room)
    table += [[p.name, *_pids(p, levels)] for p in strangers]
    return "\n".join(grid(table))


def _draw(rooms: tuple[Room, ...], strangers: tuple[Process, ...], levels: int) -> Svg:
    svg = Svg()
    everyone = [p for room in _all(rooms) for p in room.members] + list(strangers)
    left = max([measure(shorten(p.name, 30)) for p in everyone], default=60.0) + 24
    right = left + levels * _CELL + 5 * levels
    for level in range(levels):
        svg.text(left + (level + 0.5) * _CELL, 14, f"level {level + 1}", css="lk-strong", anchor="middle")
    svg.text(8, 14, "process", css="lk-strong")
    y = LINE + 2

    def row(process: Process, y: float) -> None:
        svg.text(8, y + 15, shorten(process.name, 30), tip=str(process))
        for level in range(1, len(process.pids)):
            ends = (left + (level + side) * _CELL for side in (-0.12, 0.12))
            svg.line([(x, y + 11) for x in ends], css="lk-line")
        for level, pid in enumerate(process.pids):
            own = level == len(process.pids) - 1
            svg.text(left + (level + 0.5) * _CELL, y + 15, pid, css="lk-strong" if own else "lk-dim", anchor="middle")

    def box(room: Room, y: float) -> float:
        """Paint the room, return where it ends."""
        tint = colour(room.name)
        x = left + room.level * _CELL + 4 if room.level else 0.0
        size = right - x - 5 * room.level, room.height - 4
        for css in ("lk-ground", f"lk-c{tint} lk-band", f"lk-s{tint} lk-edge") if tint else ("lk-box",):
            svg.rect(x, y, *size, css=css, r=6)
        svg.text(x + 8, y + 15, room.name, css="lk-strong", tip=f"{len(room.members)} processes")
        y += LINE
        for process in room.members:
            row(process, y)
            y += LINE
        for inner in room.inner:
            y = box(inner, y)
        return y + _FOOT

    for room in rooms:
        y = box(room, y)
    for process in strangers:
        row(process, y)
        y += LINE
    if levels > 1:
        svg.text(8, y + 14, _LEGEND, css="lk-dim", size=11.5)
    svg.reach(right, y)
    return svg


def _all(rooms: tuple[Room, ...]) -> list[Room]:
    return [each for room in rooms for each in (room, *_all(room.inner))]
