"""Making directories and files, for the steps around the namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from labkit.linux.calls import Intent, Ret, close, fchownat, mkdir, open_, unlink, write
from labkit.linux.constants import AT_REMOVEDIR, O_CREAT, O_TRUNC, O_WRONLY
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

UMASK = 0o022  #: of every process that takes steps


@dataclass(frozen=True, kw_only=True)
class Remove(Step):
    """Remove a file, or an empty directory.

    A name goes; a file that is open stays until its last descriptor is closed.

    See: unlink(2), rmdir(2).
    """

    path: str
    directory: bool = False
    probes = ("files",)
    no_way_back = "the contents are gone"

    def calls(self) -> Iterator[Intent]:
        yield unlink(self.path, AT_REMOVEDIR if self.directory else 0)

    def explanation(self) -> tuple[str, str]:
        if not self.directory:
            return super().explanation()
        return "Remove an empty directory.", (
            "The kernel refuses while there is a name in it (ENOTEMPTY), or while something is mounted on it (EBUSY)."
        )

    def shell(self) -> str:
        return f"{'rmdir' if self.directory else 'rm'} {quote(self.path)}"

    @property
    def title(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True, kw_only=True)
class MakeDirectory(Step):
    """Make a directory.

    Directories hold more than files: each mount needs one as the place to be attached to.

    See: mkdir(2).
    """

    path: str
    mode: int = 0o755
    probes = ("files",)

    def calls(self) -> Iterator[Intent]:
        yield mkdir(self.path, self.mode)

    def shell(self) -> str:
        return f"mkdir -m {self.mode & ~UMASK:o} {quote(self.path)}"  # the call minds the umask, the option does not

    def undo(self, before: Snapshot) -> Step | None:
        return Remove(who=self.who, path=self.path, directory=True)

    @property
    def title(self) -> str:
        return f"make directory {self.path}"


@dataclass(frozen=True, kw_only=True)
class ChangeOwner(Step):
    """Give a file to another user.

    Owners are numbers, and the number on disk is that of the machine: what uid 0 of a user namespace
    is to write, must belong to the uid that 0 stands for outside.

    See: chown(2), user_namespaces(7).
    """

    path: str
    uid: int
    gid: int
    probes = ("files",)
    no_way_back = "whose it was is not kept"

    def calls(self) -> Iterator[Intent]:
        yield fchownat(self.path, self.uid, self.gid)

    def shell(self) -> str:
        return f"chown {self.uid}:{self.gid} {quote(self.path)}"

    @property
    def title(self) -> str:
        return f"give {self.path} to {self.uid}:{self.gid}"


@dataclass(frozen=True, kw_only=True)
class WriteFile(Step):
    """Write a file, making it if it is not there.

    Through which mount the path goes decides where the bytes lie: on a disk, in memory, in a container's upper layer.

    See: open(2), write(2).
    """

    path: str
    text: str
    mode: int = 0o644
    probes = ("files",)
    no_way_back = "what the file held before is not kept"

    def calls(self) -> Iterator[Intent]:
        yield open_(self.path, O_CREAT | O_WRONLY | O_TRUNC, self.mode)
        yield write(Ret(0), self.text.encode())
        yield close(Ret(0))

    def shell(self) -> str:
        line = f"printf %s {quote(self.text)} >{quote(self.path)}"
        return line if self.mode == 0o644 else f"(umask {0o666 & ~self.mode:04o}; {line})"

    @property
    def title(self) -> str:
        return f"write {self.path}"
