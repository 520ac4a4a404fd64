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
    MS_MOVE,
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

    What it covered comes back into sight. The kernel refuses (EBUSY) while a process uses it: as its root, as its
    current directory, or by an open file.

    See: umount(2).
    """

    target: str
    lazy: bool = False
    probes = ("mounts", "files", "namespaces", "root")
    no_way_back = "what was mounted there is gone with its contents"

    def calls(self) -> Iterator[Intent]:
        yield umount2(self.target, MNT_DETACH if self.lazy else 0)

    def explanation(self) -> tuple[str, str]:
        if not self.lazy:
            return super().explanation()
        return "Detach the topmost mount at a place, and all that is mounted below it.", (
            "No path leads there from now on. Processes that still use it go on; the kernel clears it up when the last "
            "one has let go. Without MNT_DETACH it would refuse as long as there is one."
        )

    def shell(self) -> str:
        return f"umount {'-l ' * self.lazy}{quote(self.target)}"

    @property
    def title(self) -> str:
        return f"unmount {self.target}"


_PROPAGATED = (
    "Say how mount events travel between this mount and its copies.",
    "With these flags mount(2) attaches nothing: it changes the propagation of a mount that is there.",
)
_PROPAGATION = ((MS_SHARED, "shared"), (MS_PRIVATE, "private"), (MS_SLAVE, "slave"), (MS_UNBINDABLE, "unbindable"))
#: by flag, in the order in which the kernel looks at them: what mount(2) does that attaches no file system
_OTHER_ACTS = (
    (MS_REMOUNT, ("change the options of the mount on {target}", "Change the options of a mount that is there.",
                  "With MS_REMOUNT mount(2) attaches nothing. Together with MS_BIND it changes this one mount, without "
                  "it the file system, wherever that is mounted.")),
    (MS_BIND, ("bind {source} to {target}", "Make one directory tree appear at a second place.",
               "With MS_BIND mount(2) takes no file system but a directory: the same files under another mount.")),
    *((flag, (f"make {{target}} {word}", *_PROPAGATED)) for flag, word in _PROPAGATION),
    (MS_MOVE, ("move the mount on {source} to {target}", "Move a mount to another place.",
               "With MS_MOVE mount(2) attaches what is attached elsewhere, with all that is mounted below it.")),
)  # fmt: skip


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
        kind = None if self._other else self.type  # the kernel does not look at it then
        yield mount(self.source or self.type, self.target, kind, self.flags, self.data or None)

    def shell(self) -> str:
        deep, source, target = "r" * bool(self.flags & MS_REC), quote(self.source or self.type), quote(self.target)
        acts = []
        if self.flags & MS_REMOUNT:
            acts = ["remount", *["bind"] * bool(self.flags & MS_BIND)]
        elif self.flags & MS_BIND:
            return f"mount --{deep}bind {source} {target}"
        elif word := next((word for flag, word in _PROPAGATION if self.flags & flag), ""):
            return f"mount --make-{deep}{word} {target}"
        elif self.flags & MS_MOVE:
            return f"mount --move {source} {target}"
        option = ",".join([*acts, *mount_options(self.flags), *filter(None, [self.data])])
        spelled = f" -o {quote(option)}" if option else ""
        return f"mount -t {self.type}{spelled} {source} {target}"

    def undo(self, before: Snapshot) -> Step | None:
        return None if self._other else Unmount(who=self.who, target=self.target)

    @property
    def _other(self) -> tuple[str, str, str] | None:
        """What the flags make of it, if they do not attach a file system: a title, what changes, and why."""
        return next((said for flag, said in _OTHER_ACTS if self.flags & flag), None)

    no_way_back = "which options the mount had before is its own business; a fresh machine knows"

    def explanation(self) -> tuple[str, str]:
        return self._other[1:] if self._other else super().explanation()

    @property
    def title(self) -> str:
        if self._other:
            return self._other[0].format(source=self.source, target=self.target)
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

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        return what, why if self.recursive else f"{why} Without MS_REC what is mounted below it does not come along."

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
    """Stop mount events travelling between this mount and its copies in other namespaces.

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
