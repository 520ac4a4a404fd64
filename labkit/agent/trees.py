"""The lab's own places in the trees of cgroup version 1, which has one for each controller.

The lab gets a directory in each of them when it is asked for limits for the first time, and its lab host sees these
directories, and nothing above them. Nobody is in them but containers that were started with limits.

See: cgroups(7) "Cgroups version 1", cpuset(7).
"""

from __future__ import annotations

import os

from labkit.linux import cgroup2, freezer, hierarchies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from labkit.agent.journal import Journal
    from labkit.linux.hierarchies import Hierarchy


class Trees:
    """The lab's places in the trees of version 1. `directories` are those of the lab host of the moment, by tree."""

    def __init__(self, journal: Journal, name: str) -> None:
        self.journal, self.name = journal, name
        self.directories: dict[str, str] = {}
        self._there = [tree for tree in hierarchies.read() if tree.version == 1 and tree.controllers]
        self._places: dict[str, str] = {}  # of the lab, by tree

    def controllers(self, cgroup: str) -> dict[str, int]:
        """Which controllers a lab host can have, each with its version; `cgroup` is the lab's own, of version 2."""
        found = {name: 1 for _, tree in self._ours() for name in tree.controllers}
        if cgroup:
            with open(f"{cgroup}/cgroup.subtree_control", encoding="ascii") as file:
                found |= dict.fromkeys(file.read().split(), 2)
        return found

    def words(self) -> list[str]:
        """The trees of version 1 that there are, each named by its controllers."""
        return [words for words, _ in self._ours()]

    def refused(self) -> str:
        """Why a lab has no place in trees of version 1 that there are; empty where it has one in each."""
        found: dict[str, list[str]] = {}
        for tree in self._there:
            if why := _why_not(tree.directory):
                found.setdefault(why, []).extend(tree.controllers)
        return "; ".join(f"{', '.join(sorted(names))}: {why}" for why, names in found.items())

    def _ours(self) -> Iterator[tuple[str, Hierarchy]]:
        """Those in which we may make something, each named by its controllers."""
        for tree in self._there:
            if not _why_not(tree.directory):
                yield ",".join(tree.controllers), tree

    def open(self, generation: int) -> dict[str, str]:
        """Make the places that are missing. Raises OSError where they may not be made."""
        for words, tree in self._ours():
            place = f"{tree.directory}/{self.name}"
            if words not in self._places:
                self.journal.cgroup(place)
                os.mkdir(place)
                self._places[words] = place
                if "cpuset" in tree.controllers:
                    _inherit(place)
                if "blkio" in tree.controllers:
                    _have_disks_counted(place)
            directory = f"{place}/h{generation}"
            if words not in self.directories:
                os.mkdir(directory)
                self.directories[words] = directory
        return self.directories

    def thaw(self) -> None:
        """Let all go on that are frozen there: in version 1 a frozen process does not even die."""
        for words, directory in self.directories.items():
            if "freezer" in words.split(","):
                for frozen, _, _ in os.walk(directory):
                    with open(f"{frozen}/{freezer.STATE}", "w", encoding="ascii") as file:
                        file.write("THAWED")

    def let_go(self) -> None:
        """Remove those of a lab host that has gone."""
        for words, directory in list(self.directories.items()):
            cgroup2.remove(directory, root=self._places[words])
            del self.directories[words]

    def bury(self) -> None:
        """Remove all."""
        self.let_go()
        for place in self._places.values():
            cgroup2.remove(place, root=os.path.dirname(place))
        self._places.clear()


def _why_not(directory: str) -> str:
    """Why nothing can be made in a directory; empty where it can. An empty one is mounted nowhere."""
    if not directory:
        return "the tree is not mounted here"
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        return "the tree is mounted read-only"
    return "" if os.access(directory, os.W_OK | os.X_OK) else "the cgroup that you are in is not yours"


def _inherit(place: str) -> None:
    """Give a new cgroup the CPUs and memory nodes of the one above, and have those below it do so by themselves.

    Without either nobody can enter it: ENOSPC. See: cpuset(7) "cgroup.clone_children".
    """
    for name in ("cpuset.cpus", "cpuset.mems"):
        with open(f"{os.path.dirname(place)}/{name}", encoding="ascii") as above:
            text = above.read()
        with open(f"{place}/{name}", "w", encoding="ascii") as file:
            file.write(text)
    with open(f"{place}/cgroup.clone_children", "w", encoding="ascii") as file:
        file.write("1")


def _have_disks_counted(place: str) -> None:
    """Set a ceiling that no disk reaches on each disk of the machine, and take it back.

    From the first ceiling on, whoever's it is, the kernel counts for all cgroups what goes to that disk; since Linux
    6.10 not before. See: throtl_init in the kernel's block/blk-throttle.c.
    """
    for disk in os.listdir("/sys/block"):
        try:
            with open(f"/sys/block/{disk}/size", encoding="ascii") as size, open(f"/sys/block/{disk}/dev") as number:
                name = number.read().strip() if int(size.read()) else ""
            for ceiling in (1 << 40, 0) if name else ():
                with open(f"{place}/blkio.throttle.read_bps_device", "w", encoding="ascii") as file:
                    file.write(f"{name} {ceiling}")
        except OSError:  # it was pulled out, or cannot be throttled: then nobody is limited on it either
            continue
