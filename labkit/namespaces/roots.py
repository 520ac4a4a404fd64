"""Another root directory: chroot, which is a habit, and pivot_root, which is a wall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from labkit.linux.calls import Intent, chdir, chroot, mkdir, pivot_root, umount2, unlink
from labkit.linux.constants import AT_REMOVEDIR, EEXIST, MNT_DETACH
from labkit.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class Chroot(Step):
    """Let this process look up / somewhere else.

    Only where path lookup begins is changed. Mounts stay as they are, and root inside gets out again:
    make a directory, chroot into it without entering it, and walk up with ``..``.

    See: chroot(2).
    """

    path: str
    probes = ("root", "mounts", "files", "namespaces")
    no_way_back = "from inside, the old root has no name any more"
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:
        yield chroot(self.path)
        yield chdir("/")

    def shell(self) -> str:
        return f"chroot {quote(self.path)}"

    @property
    def title(self) -> str:
        return f"chroot into {self.path}"


@dataclass(frozen=True, kw_only=True)
class EscapeChroot(Step):
    """Walk out of a chroot.

    A process has one root and one current directory. When the root is moved below the current
    directory, ``..`` never meets it on the way up. It needs CAP_SYS_CHROOT, which root in a chroot has.

    See: chroot(2) "NOTES", path_resolution(7).
    """

    depth: int = 8
    probes = ("root", "mounts", "files", "namespaces")
    no_way_back = "the process would have to chroot again"
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:
        yield mkdir("/out", tolerate=(EEXIST,))
        yield chroot("/out")
        yield chdir("../" * self.depth + ".")
        yield chroot(".")

    def shell(self) -> str:
        up = "../" * self.depth + "."
        return f'perl -e \'mkdir "/out"; chroot "/out"; chdir "{up}"; chroot "."; exec @ARGV\''

    @property
    def title(self) -> str:
        return "walk out of the chroot"


@dataclass(frozen=True, kw_only=True)
class PivotRoot(Step):
    """Put a new root mount in the place of the old one, for the whole mount namespace.

    Unlike chroot it moves mounts: the old root lands at `put_old` and can then be taken away, so that no
    path leads back to it. The new root must be a mount point, and its parent must not be shared.

    See: pivot_root(2), pivot_root(8).
    """

    new_root: str
    put_old: str = "old"
    probes = ("mounts", "root", "files", "namespaces")
    no_way_back = "the processes' roots would have to be put back one by one"
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:
        yield chdir(self.new_root)
        yield mkdir(self.put_old, 0o700, tolerate=(EEXIST,))
        yield pivot_root(".", self.put_old)
        yield chdir("/")

    def shell(self) -> str:
        new, old = quote(self.new_root), quote(self.put_old)
        return f"sh -euc 'cd {new}; mkdir -m 700 -p {old}; pivot_root . {old}; cd /; exec \"$@\"' sh"

    @property
    def title(self) -> str:
        return f"make {self.new_root} the root of this mount namespace"


@dataclass(frozen=True, kw_only=True)
class DetachOldRoot(Step):
    """Take the old root, and all that is mounted below it, out of this mount namespace.

    Until now every file of the host is still there, at /old. Afterwards no path leads to it. The unmount
    is lazy because the process's own program was loaded from there.

    See: umount(2) "MNT_DETACH", pivot_root(2).
    """

    put_old: str = "/old"
    probes = ("mounts", "files", "root", "namespaces")
    no_way_back = "what has no name any more cannot be mounted again"

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        return what, why.replace("/old.", f"{self.put_old}.")

    def calls(self) -> Iterator[Intent]:
        yield umount2(self.put_old, MNT_DETACH)
        yield unlink(self.put_old, AT_REMOVEDIR)

    def shell(self) -> str:
        return f"umount -l {quote(self.put_old)} && rmdir {quote(self.put_old)}"

    @property
    def title(self) -> str:
        return f"detach the old root at {self.put_old}"


@dataclass(frozen=True, kw_only=True)
class ChangeDirectory(Step):
    """Make another directory the current one.

    It survives chroot and setns(mnt) does not keep it: a forgotten current directory outside the new
    root is a way out.

    See: chdir(2), path_resolution(7).
    """

    path: str
    probes = ("root",)
    no_way_back = "the old directory may have no path any more"

    def calls(self) -> Iterator[Intent]:
        yield chdir(self.path)

    def shell(self) -> str:
        return f"cd {quote(self.path)}"

    @property
    def title(self) -> str:
        return f"change to directory {self.path}"
