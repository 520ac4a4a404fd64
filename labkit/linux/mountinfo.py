"""The mount table: what is mounted where, under what, and to whom the news of it travels.

A line of /proc/PID/mountinfo, which is the table of the mount namespace that PID is in::

    36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    │  │  │    │     │     │          │          │    │         └ options of the file system
    │  │  │    │     │     │          │          │    └ source
    │  │  │    │     │     │          │          └ type
    │  │  │    │     │     │          └ propagation: shared:N, master:N, propagate_from:N, unbindable, or nothing
    │  │  │    │     │     └ options of this mount
    │  │  │    │     └ where, seen from PID's root
    │  │  │    └ which directory of the file system: not "/" means a bind mount
    │  │  └ device
    │  └ id of the mount it sits on
    └ id

Space, tab, newline and backslash in a path are written as ``\\040`` and so on, nothing else is: cut
lines at "\\n" and fields at one space, or a mount called "a\\rb" breaks the parser.

See: proc(5) "/proc/pid/mountinfo", mount_namespaces(7), the kernel's sharedsubtree.rst.
"""

from __future__ import annotations

import errno

from labkit.linux import proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.linux.proc import Pid, Root


class Mount:
    """One line. `options` and `super_options` are tuples of words; propagation is None or a peer group's number."""

    __slots__ = (
        "device",
        "id",
        "master",
        "options",
        "parent",
        "propagate_from",
        "root",
        "shared",
        "source",
        "super_options",
        "target",
        "type",
        "unbindable",
    )

    def __init__(self, line: str) -> None:
        field = line.split(" ")
        dash = field.index("-", 6)
        peers = dict(each.partition(":")[::2] for each in field[6:dash])
        self.id = int(field[0])
        self.parent = int(field[1])
        self.device = field[2]
        self.root = unescape(field[3])
        self.target = unescape(field[4])
        self.options = tuple(field[5].split(","))
        self.shared = _group(peers.get("shared"))
        self.master = _group(peers.get("master"))
        self.propagate_from = _group(peers.get("propagate_from"))
        self.unbindable = "unbindable" in peers
        self.type = unescape(field[dash + 1])
        self.source = unescape(field[dash + 2])
        self.super_options = tuple(unescape(each) for each in " ".join(field[dash + 3 :]).split(","))

    @property
    def propagation(self) -> str:
        """``shared:1 master:2`` with the numbers, ``unbindable``, or ``private``."""
        peers = (("shared", self.shared), ("master", self.master), ("propagate_from", self.propagate_from))
        words = [f"{name}:{group}" for name, group in peers if group is not None]
        return " ".join(words + ["unbindable"] * self.unbindable) or "private"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mount) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.id, self.parent, self.target))

    def __repr__(self) -> str:
        return f"<Mount {self.id} {self.type} on {self.target} {self.propagation}>"


def parse(text: str) -> list[Mount]:
    """The mounts in the text of a mountinfo file, in its order. Raises ValueError for a line that is none."""
    return [Mount(line) for line in text.split("\n") if line]


def read(pid: Pid = "self", root: Root = "/proc") -> list[Mount]:
    """The mount table that process `pid` sees. Raises ProcessLookupError for one that is gone or a zombie."""
    try:
        return parse(proc.text(pid, "mountinfo", root))
    except OSError as error:
        if error.errno == errno.EINVAL:  # the kernel's answer for a process without a mount namespace
            raise ProcessLookupError(errno.ESRCH, "a zombie has no mount namespace", f"/proc/{pid}") from None
        raise


def covering(mounts: Sequence[Mount], path: str) -> Mount | None:
    """The mount in which an absolute `path` without links lies, as the kernel's path walk would find it.

    The longest target is not always the answer: a later mount on ``/a`` hides what is mounted on ``/a/b``.
    So go down from the root and cross to the mount that the walk meets first.
    """
    known = {mount.id for mount in mounts}
    here: Mount | None = None
    while True:
        on_the_way = [
            mount
            for mount in mounts
            if (mount.parent == here.id if here else mount.parent not in known or mount.parent == mount.id)
            and mount is not here
            and within(path, mount.target)
        ]
        if not on_the_way:
            return here
        here = min(on_the_way, key=lambda mount: len(mount.target))


def within(path: str, directory: str) -> bool:
    """Whether `path` is `directory` or lies below it, both absolute and normalised."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def unescape(field: str) -> str:
    """A field with its ``\\ooo`` turned back into characters."""
    if "\\" not in field:
        return field
    first, *rest = field.split("\\")
    return first + "".join(_character(part) for part in rest)


def _character(part: str) -> str:
    digits = part[:3]
    if len(digits) == 3 and all(digit in "01234567" for digit in digits):
        return chr(int(digits, 8) & 0xFF) + part[3:]
    return "\\" + part


def _group(number: str | None) -> int | None:
    return None if number is None else int(number)
