"""A root file system made of an image and a thin layer of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.linux.calls import Intent, mkdir, mount
from labkit.linux.constants import EEXIST
from labkit.steps.shell import mount_options
from labkit.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class MountOverlay(Step):
    """Lay a thin writable layer over a read-only image.

    Reads go to the topmost layer that has the file; a write copies the file up first. So a thousand
    containers share one image, and deleting a container is deleting its upper directory.

    See: mount(2), the kernel's filesystems/overlayfs.rst.
    """

    lower: tuple[str, ...]
    directory: str
    target: str
    userxattr: bool = False
    flags: int = 0
    probes = ("mounts", "files")
    no_way_back = "the upper layer and its work directory stay"

    @property
    def upper(self) -> str:
        """The writable layer."""
        return f"{self.directory}/upper"

    def _options(self) -> str:
        layers = ":".join(path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,") for path in self.lower)
        options = f"lowerdir={layers},upperdir={self.upper},workdir={self.directory}/work"
        return options + ",userxattr" * self.userxattr

    def calls(self) -> Iterator[Intent]:
        for path in (self.directory, self.upper, f"{self.directory}/work", self.target):
            yield mkdir(path, tolerate=(EEXIST,))
        yield mount("overlay", self.target, "overlay", self.flags, self._options())

    def shell(self) -> str:
        made = f"mkdir -p {self.directory} {self.upper} {self.directory}/work {self.target}"
        words = ",".join([*mount_options(self.flags), self._options()])
        return f"{made}\nmount -t overlay -o '{words}' overlay {self.target}"

    @property
    def title(self) -> str:
        return f"lay a thin layer over {', '.join(path.rpartition('/')[2] for path in self.lower)}"
