"""Which labs run, and what runs in them, as their journals and the cgroups named there say.

A lab makes its cgroups below one of its own, ``h1`` for its first lab host, ``h2`` after a reset; in there each
container has one of its name. A lab without cgroups is asked through its window (`labkit.agent.window`) for its
processes.

See: `labkit.agent.journal`, cgroups(7).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from labkit.agent import journal
from labkit.agent.journal import Journal
from labkit.learn import outside
from labkit.steps.naming import HOST

MACHINES = "/run/labkit"  #: where root's labs are, and those that a sudo rule has started


@dataclass(frozen=True)
class Found:
    """A container: its cgroups, that of version 2 first; where the lab has none, its processes, the first one first."""

    lab: str
    run: str
    name: str
    cgroups: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()


def labs(known: set[str]) -> list[Journal]:
    """The labs of this user that run at this moment; of root all that are on the machine.

    `known` remembers whose window has answered, so that each is asked once.
    """
    places = dict.fromkeys((journal.place(), MACHINES))
    return [lab for place in places for lab in _in(place) if _ours(lab, place, known)]


def _in(place: str) -> list[Journal]:
    try:
        return journal.all_labs(place)
    except OSError:  # there is none, or it is not for us to see
        return []


def _ours(lab: Journal, place: str, known: set[str]) -> bool:
    """Whether it lives and is ours: one that sudo has started is root's, and answers nobody but whom it serves."""
    owner = lab.owner()
    if owner is None or not journal.lives(owner):
        return False
    name = f"{lab.directory} {owner}"
    if os.geteuid() != 0 and place != journal.place() and name not in known:
        try:
            outside.look(lab.directory, [])
        except outside.NotSeen:
            return False
        known.add(name)
    return True


def containers(lab: Journal) -> list[Found]:
    """What runs in the lab, by name; nothing of one that ends at this moment."""
    try:
        places = [str(line["cgroup"]) for line in lab.lines() if "cgroup" in line]
    except OSError:
        return []
    new = [path for path in places if os.path.exists(f"{path}/cgroup.events")]  # version 1 has no such file
    if not new:
        return sorted(_uncounted(lab), key=lambda found: found.name)
    old = [path for path in places if path not in new]
    return [
        Found(lab.name, lab.directory, name, (f"{new[0]}/{host}/{name}", *_there(old, f"{host}/{name}")))
        for host in _below(new[0]) for name in _below(f"{new[0]}/{host}") if name != HOST
    ]  # fmt: skip


def _there(places: list[str], name: str) -> list[str]:
    return [f"{place}/{name}" for place in places if os.path.isdir(f"{place}/{name}")]


def _below(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _uncounted(lab: Journal) -> Iterator[Found]:
    """The zygote's children, named by their programs: what a container is called only its notebook knows."""
    try:
        rows = outside.look(lab.directory, [])["processes"]
    except outside.NotSeen:
        return
    zygote = rows[1]["pid"] if len(rows) > 1 else 0
    for row in rows[2:]:
        if row["parent"] == zygote:
            family = [row["pid"]]
            family += [other["pid"] for other in rows if other["parent"] in family]
            yield Found(lab.name, lab.directory, row["comm"], pids=tuple(family))
