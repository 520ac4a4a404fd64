"""Facts of the tree of files: mounts, and the files that the lab made."""

from __future__ import annotations

import stat
from dataclasses import dataclass

from labkit.steps.fact.base import Fact

FILE_TYPES = {
    stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mount(Fact):
    """A mount in one mount namespace: what is where, with which options and which propagation."""

    probe = "mounts"
    about = ("ns", "mountpoint", "layer")
    mountpoint: str
    type: str = ""
    source: str = ""
    root: str = "/"
    options: str = ""
    propagation: str = "private"
    ns: str = "mnt#1"
    layer: int = 0
    super_options: str = ""

    @property
    def title(self) -> str:
        over = f" (over {self.layer} more)" if self.layer else ""
        return f"mount {self.mountpoint}{over} in {self.ns}"

    def __str__(self) -> str:
        below = f" from {self.root}" if self.root != "/" else ""
        return f"{self.title}: {self.type} {self.source}{below}, {self.options}, {self.propagation}"


@dataclass(frozen=True, slots=True)
class File(Fact):
    """A file that the lab made, in a tmpfs of the lab host or of a container (`ns`: whose view the path is)."""

    probe = "files"
    about = ("ns", "path")
    path: str
    type: str
    mode: str
    uid: int = 0
    gid: int = 0
    size: int | None = None
    target: str = ""
    device: tuple[int, int] | None = None
    ns: str = "mnt#1"

    @property
    def title(self) -> str:
        return f"{self.type} {self.path} in {self.ns}"

    def __str__(self) -> str:
        more = (
            f" -> {self.target}" if self.target else f" device {self.device[0]}:{self.device[1]}" if self.device else ""
        )
        size = f", {self.size} bytes" if self.size is not None else ""
        return f"{self.title}{more}: mode {self.mode}, owner {self.uid}:{self.gid}{size}"
