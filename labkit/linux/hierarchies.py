"""All cgroup trees of a machine, line by line: which version each is, which controllers it has, and where we are in it.

Version 1 has a tree for each controller (or a few mounted together, ``cpu,cpuacct``), version 2 one for all, and
a machine may have both: a controller is then in the one or in the other. A process has its own place in each tree.

    >>> from labkit.linux import hierarchies
    >>> for each in hierarchies.read():
    ...     print(each.version, each.controllers, each.path, each.directory)
    1 ('memory',) / /sys/fs/cgroup/memory
    2 ('hugetlb',) / /sys/fs/cgroup/unified

See: cgroups(7) "/proc files", proc(5) "/proc/pid/cgroup", cgroup_namespaces(7).
"""

from __future__ import annotations

from labkit.linux import cgroup2, mountinfo, proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.linux.mountinfo import Mount
    from labkit.linux.proc import Pid, Root


class Hierarchy:
    """One tree, and the place of a process in it.

    `number` is the kernel's (0 for version 2), `controllers` those that can be used at this place, `name` that of a
    tree of version 1 without any (systemd's). `path` is as /proc/PID/cgroup tells it, `directory` where that is
    mounted; empty where it is not to be seen, and then `why` says why.
    """

    __slots__ = ("controllers", "directory", "name", "number", "path", "version", "why")

    def __init__(self, number: int, words: str, path: str, mounts: Sequence[Mount]) -> None:
        self.number, self.path, self.version = number, path, 2 if number == 0 else 1
        listed = tuple(word for word in words.split(",") if word)
        self.name = next((word.removeprefix("name=") for word in listed if word.startswith("name=")), "")
        self.controllers = tuple(word for word in listed if not word.startswith("name="))
        self.directory, self.why = "", ""
        try:
            self.directory = cgroup2.locate(mounts, path, words)
        except LookupError as error:
            self.why = str(error)
        if self.directory and self.version == 2:
            self.controllers = _available(self.directory)

    @property
    def place(self) -> str:
        """The last two names of its path: ``h1/web``, say."""
        return "/".join(self.path.split("/")[-2:])

    def __repr__(self) -> str:
        return f"Hierarchy({self.number}, {','.join(self.controllers) or self.name!r}, {self.path!r})"


def read(pid: Pid = "self", root: Root = "/proc") -> list[Hierarchy]:
    """All of them as process `pid` sees them, version 2 last as the kernel lists it."""
    mounts = cgroup2.visible(mountinfo.read(root=root))  # once: for each of them each tree would look again
    return [Hierarchy(number, words, path, mounts) for number, words, path in proc.cgroup_lines(pid, root)]


def of(controller: str, pid: Pid = "self", root: Root = "/proc") -> Hierarchy:
    """The tree that a controller is in. Raises LookupError with the reason where there is none."""
    trees = read(pid, root)
    for tree in trees:
        if controller in tree.controllers:
            if not tree.directory:
                raise LookupError(tree.why)
            return tree
    unified = next((tree for tree in trees if tree.version == 2), None)
    if unified is not None and unified.directory:
        raise LookupError(
            f"the controller {controller} is not enabled for {unified.directory}: its parents do not hand it down, "
            "or this kernel has none"
        )
    raise LookupError(unified.why if unified is not None else f"no tree has the controller {controller}")


def own(pid: Pid = "self", root: Root = "/proc") -> list[Hierarchy]:
    """Those trees in which the process has the place that it has in version 2, and that one. Raises LookupError.

    Who was put into a cgroup of version 2 alone has stayed where it was in the other trees, with many others: what
    is counted there is not its own. A place is the same if its name, and that of the cgroup above it, are the same.
    """
    trees = read(pid, root)
    unified = next((tree for tree in trees if tree.version == 2), None)
    if unified is None or not unified.directory:
        raise LookupError(unified.why if unified is not None else "the process is in no tree of version 2")
    return [tree for tree in trees if tree.directory and tree.place == unified.place]


def _available(directory: str) -> tuple[str, ...]:
    try:
        with open(f"{directory}/cgroup.controllers", encoding="ascii") as file:
            return tuple(file.read().split())
    except OSError:
        return ()
