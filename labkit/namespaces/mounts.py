"""Mounting, binding, read-only, and the four ways in which mount events travel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote
from typing import ClassVar

from labkit.linux.calls import Intent, mount, umount2
from labkit.linux.constants import (
    MNT_DETACH,
    MS_BIND,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
)
from labkit.steps.shell import mount_options
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class Unmount(Step):
    """Take the topmost mount at a place away.

    What it covered comes back into sight. The kernel refuses while somebody stands on it, unless told
    to detach it now and clear it when the last one has gone (lazy).

    See: umount(2).
    """

    target: str
    lazy: bool = False
    probes = ("mounts", "files", "namespaces", "root")
    no_way_back = "what was mounted there is gone with its contents"

    def calls(self) -> Iterator[Intent]:
        yield umount2(self.target, MNT_DETACH if self.lazy else 0)

    def shell(self) -> str:
        return f"umount {'-l ' * self.lazy}{quote(self.target)}"

    @property
    def title(self) -> str:
        return f"unmount {self.target}"


@dataclass(frozen=True, kw_only=True)
class Mount(Step):
    """Attach a file system at a directory.

    What the directory held before is covered, not lost. Whoever shares this mount namespace sees it,
    and where the parent mount is shared, so do its peers in other namespaces.

    See: mount(2), mount(8).
    """

    type: str
    target: str
    source: str = ""
    flags: int = 0
    data: str = ""
    probes = ("mounts", "files")

    def calls(self) -> Iterator[Intent]:
        yield mount(self.source or self.type, self.target, self.type, self.flags, self.data or None)

    def shell(self) -> str:
        option = ",".join([*mount_options(self.flags), *filter(None, [self.data])])
        spelled = f" -o {quote(option)}" if option else ""
        return f"mount -t {self.type}{spelled} {quote(self.source or self.type)} {quote(self.target)}"

    def undo(self, before: Snapshot) -> Step | None:
        return Unmount(who=self.who, target=self.target)

    @property
    def title(self) -> str:
        return f"mount {self.type} on {self.target}"


@dataclass(frozen=True, kw_only=True)
class Bind(Step):
    """Make one directory tree appear at a second place.

    Not a copy and not a link: the same files under another mount, which can have its own options. A
    volume is this; so is a masked file. (pivot_root needs a mount point: any directory bound on itself is one.)

    See: mount(2) "Creating a bind mount".
    """

    source: str
    target: str
    recursive: bool = True
    probes = ("mounts", "files", "namespaces")

    def calls(self) -> Iterator[Intent]:
        yield mount(self.source, self.target, None, MS_BIND | (MS_REC if self.recursive else 0))

    def shell(self) -> str:
        return f"mount --{'r' * self.recursive}bind {quote(self.source)} {quote(self.target)}"

    def undo(self, before: Snapshot) -> Step | None:
        return None if self.recursive else Unmount(who=self.who, target=self.target)

    @property
    def title(self) -> str:
        return f"bind {self.source} to {self.target}"


@dataclass(frozen=True, kw_only=True)
class RemountReadOnly(Step):
    """Make one mount read-only, leaving the file system writable elsewhere.

    The flag belongs to the mount, not to the file system: the same files stay writable through other
    mounts. A bind mount takes no options when it is made; they come with this second call.

    See: mount(2) "Remounting an existing mount", mount_setattr(2).
    """

    target: str
    flags: int = 0
    probes = ("mounts",)

    def calls(self) -> Iterator[Intent]:
        yield mount(None, self.target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | self.flags)

    def shell(self) -> str:
        words = ["remount", "bind", "ro", *mount_options(self.flags & ~MS_RDONLY)]
        # with a source (whatever it says) mount(8) asks for these options alone, not for the old ones too
        return f"mount -o {','.join(words)} none {quote(self.target)}"

    no_way_back = "which options the mount had before is its own business; a fresh machine knows"

    @property
    def title(self) -> str:
        return f"make {self.target} read-only"


@dataclass(frozen=True, kw_only=True)
class _Propagation(Step):
    target: str = "/"
    recursive: bool = True
    flag: ClassVar[int] = 0
    word: ClassVar[str] = ""
    probes = ("mounts",)
    no_way_back = "a mount that has left its peer group cannot find back into it"

    def calls(self) -> Iterator[Intent]:
        yield mount(None, self.target, None, self.flag | (MS_REC if self.recursive else 0))

    def shell(self) -> str:
        return f"mount --make-{'r' * self.recursive}{self.word} {quote(self.target)}"

    @property
    def title(self) -> str:
        return f"make {self.target} {self.word}{' and all below it' * self.recursive}"


@dataclass(frozen=True, kw_only=True)
class MakePrivate(_Propagation):
    """Stop mount events travelling between this mount namespace and its parent.

    mount_namespaces(7) calls private the default, yet systemd makes / shared at boot, so a fresh
    namespace still propagates: what the container mounts, the host sees. Take the step, go back, leave
    it out, and look at the host.

    See: mount(2) "MS_PRIVATE", mount_namespaces(7) "Shared subtrees".
    """

    flag = MS_PRIVATE
    word = "private"


@dataclass(frozen=True, kw_only=True)
class MakeSlave(_Propagation):
    """Let mount events in from the peer group, but none out.

    The container then sees a disk that the host mounts later, and the host does not see what the
    container mounts. This is what most engines choose.

    See: mount(2) "MS_SLAVE", mount_namespaces(7) "Shared subtrees".
    """

    flag = MS_SLAVE
    word = "slave"


@dataclass(frozen=True, kw_only=True)
class MakeShared(_Propagation):
    """Put a mount into a peer group: what is mounted below one member appears below all.

    Copies made of it afterwards, by bind or by a new mount namespace, are members of the same group.
    systemd makes / so at boot, for the sake of containers that should see new disks.

    See: mount(2) "MS_SHARED", mount_namespaces(7) "Shared subtrees".
    """

    flag = MS_SHARED
    word = "shared"


@dataclass(frozen=True, kw_only=True)
class MakeUnbindable(_Propagation):
    """Make a mount private and refuse to bind it anywhere.

    Binding / recursively below itself would otherwise copy the copies too, without end.

    See: mount(2) "MS_UNBINDABLE", mount_namespaces(7) "Unbindable mounts".
    """

    flag = MS_UNBINDABLE
    word = "unbindable"
