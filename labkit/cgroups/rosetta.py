"""The files of one container's cgroups side by side: version 2, version 1, and the same values in both.

A machine has a controller in the one version or in the other. What it has is read; the other side is translated,
and stands in parentheses: so one can see on any machine what the same limit looks like on a machine of the other kind.

    >>> print(rosetta({"cpu.weight": "200"}, {}, "cpu.weight"))
    version 2   value  version 1   value
    cpu.weight  200    cpu.shares  (2048)
      a share, where several want the same CPU; 1 to 10000. 100 in version 2 is 1024 in version 1: what
      a group has by itself
    in parentheses: translated, for the file is not there

See: cgroups(7), the kernel's admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest

from labkit.cgroups import from_v1, vocabulary
from labkit.cgroups.pairs import pairs
from labkit.cgroups.translation import to_v1
from labkit.errors import SpecError
from labkit.linux.cgroup_files import NO_LIMIT
from labkit.linux.cgroup_units import beside
from labkit.steps.display import Shown

Texts = Mapping[str, str]
NOTE = "in parentheses: translated, for the file is not there"
NOTHING = "no value: none of its cgroups has the file"

#: how the values of the two versions relate, where that is not "the same number"
RELATIONS: Mapping[str, str] = {
    "cpu.max": "two files in version 1, in microseconds too; no limit is max in the one, -1 in the other",
    "cpu.weight": "100 in version 2 is 1024 in version 1: what a group has by itself",
    "cpu.stat": "version 1 counts in nanoseconds; time and periods are in the files of two controllers there",
    "memory.max": f"no limit is max in version 2, -1 when written in version 1, and {NO_LIMIT} when read",
    "memory.swap.max": "version 1 limits memory and swap together: its number is memory.max + memory.swap.max",
    "memory.swap.current": "version 1 has memory and swap together in memory.memsw.usage_in_bytes",
    "memory.stat": "version 1 counts without total_ what is the group's alone, version 2 always what is below it, too",
    "memory.events": "in version 1 failcnt is how often the wall was met",
    "io.max": "a line for each disk; version 1 has a file for each of the four ceilings",
    "io.stat": "a line for each disk; version 1 has two files, with a line for each direction",
    "cgroup.freeze": "1 and 0 in version 2, FROZEN and THAWED in version 1",
}


@dataclass(frozen=True)
class Cell:
    """A place, and what is there: `read`, or translated from the other side. An empty value: nobody knows."""

    place: str
    value: str = ""
    read: bool = True
    old: bool = False  # of version 1

    @property
    def each(self) -> list[str]:
        """The value and what it comes to, one for each disk; in parentheses if it is translated."""
        texts = self.value.split(", ")
        if not self.old:  # one side of the row is enough
            texts = [beside(self.place, text) for text in texts]
        return texts if self.read or not self.value else [f"({text})" for text in texts]


@dataclass(frozen=True)
class Row:
    """A file of version 2 with its places, each beside its counterpart in version 1 (None: there is none)."""

    file: vocabulary.File
    lines: tuple[tuple[Cell, Cell | None], ...]

    @property
    def relation(self) -> str:
        """What it is for, in what unit, and how the values of the two versions relate, or why there is only one."""
        unit = f"; {self.file.unit}" if self.file.unit else ""
        lacking = f"nothing in version 1: {self.file.why_not}" if self.file.why_not else ""
        relation = RELATIONS.get(self.file.name) or lacking
        return f"{self.file.means}{unit}" + (f". {relation[0].upper()}{relation[1:]}" if relation else "")


@dataclass(frozen=True)
class Rosetta(Shown):
    """The table. `values` says whether it holds any; without them its text is the same on every machine."""

    rows: tuple[Row, ...]
    values: bool = True

    def __str__(self) -> str:
        heads = ("version 2", "value", "version 1", "value") if self.values else ("version 2", "version 1")
        table = [cells for row in self.rows for cells in self._cells(row)]
        widths = [max(map(len, column)) for column in zip(heads, *table, strict=True)]
        lines = [_aligned(heads, widths)]
        for row in self.rows:
            lines += [_aligned(cells, widths) for cells in self._cells(row)]
            lines += textwrap.wrap(row.relation, 100, initial_indent="  ", subsequent_indent="  ")
        return "\n".join([*lines, *self.notes])

    @property
    def notes(self) -> list[str]:
        """What there is to be said of its values."""
        lines = [line for row in self.rows for line in row.lines] if self.values else []
        some = any(cell and cell.value and not cell.read for line in lines for cell in line)
        return [NOTE] * some + [NOTHING] * any(not any(cell and cell.value for cell in line) for line in lines)

    def _cells(self, row: Row) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        for new, old in row.lines:
            right = old or Cell("-")
            if not self.values:
                found.append((new.place, right.place))
                continue
            disks = zip_longest(new.each, right.each, fillvalue="")
            found += [(new.place * (not n), a, right.place * (not n), b) for n, (a, b) in enumerate(disks)]
        return found


def rosetta(new: Texts, old: Texts, *which: str, values: bool = True) -> Rosetta:
    """The table for files of version 2 (`new`) and version 1 (`old`), by name: their texts, as far as they are there.

    `which`: names of files of version 2, or of controllers; without them all. Raises SpecError for what is neither.
    """
    rows = [_row(row, new, old) for row in _chosen(which)]
    return Rosetta(tuple(rows), values)


def _chosen(which: tuple[str, ...]) -> list[vocabulary.File]:
    known = {*vocabulary.FILES, *(row.controller for row in vocabulary.FILES.values())}
    for name in which:
        if name not in known:
            controllers = ", ".join(dict.fromkeys(row.controller for row in vocabulary.FILES.values()))
            raise SpecError(f"{name!r} is neither a file of a cgroup nor a controller", look=f"one of {controllers}")
    return [row for row in vocabulary.FILES.values() if not which or {row.name, row.controller} & set(which)]


def _row(row: vocabulary.File, new: Texts, old: Texts) -> Row:
    """Limits are translated file by file, for they are written so; meters number by number."""
    meter = row.role == "meter"
    said = None if meter else from_v1.limit(row.name, old)
    newer, older = ({} if said is None else {row.name: said}), ({} if meter else _older(row.name, new))
    lines = []
    for pair in pairs(row.name):
        left, right = pair.v2.read(new), pair.v1.read(old) if pair.v1 else None
        there = pair.newer(right) if meter and right is not None else pair.v2.read(newer)
        here = pair.older(left) if meter and left is not None else pair.v1.read(older) if pair.v1 else None
        beside_it = replace(_cell(str(pair.v1), right, here), old=True) if pair.v1 else None
        lines.append((_cell(str(pair.v2), left, there), beside_it))
    return Row(row, tuple(lines))


def _cell(place: str, read: str | None, translated: str | None) -> Cell:
    return Cell(place, translated or "", read=False) if read is None else Cell(place, read)


def _older(name: str, new: Texts) -> dict[str, str]:
    """The files of version 1 that say what this file of version 2 says."""
    texts = [(name, line) for line in new.get(name, "").splitlines()]
    memory = new.get("memory.max", "").strip()
    others = [("memory.max", memory)] if name == "memory.swap.max" and memory else []
    found: dict[str, str] = {}
    try:
        for text in texts:
            for line in to_v1([*others, text]):
                found[line.file] = f"{found[line.file]}\n{line.text}" if line.file in found else line.text
    except SpecError:  # there is nothing there that would say it
        return {}
    return found


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
