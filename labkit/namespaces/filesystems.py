"""The file systems that every container expects: /proc, /sys and a small /dev; and what of them is hidden."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EACCES, EINVAL, ENOENT, ENOTDIR
from shlex import quote

from labkit.linux.calls import Intent, Ret, close, fchmodat, mkdir, mknod, mount, open_, symlink, unlink
from labkit.linux.constants import (
    AT_REMOVEDIR,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    O_CREAT,
    O_WRONLY,
    S_IFCHR,
)
from labkit.namespaces.mounts import Unmount
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

_SAFE = MS_NOSUID | MS_NODEV | MS_NOEXEC
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
#: what runc hides by default: kernel memory, keys, timers of all processes, firmware and power meters
MASKED_FILES = ("/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug")
MASKED_DIRECTORIES = ("/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap")
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_LID = "/dev/empty"


@dataclass(frozen=True, kw_only=True)
class MountProc(Step):
    """Mount a /proc that shows the processes of this pid namespace.

    A procfs belongs to the pid namespace of whoever mounts it. Without this step ps inside shows the
    processes of the host, although the process cannot signal one of them.

    See: proc(5), pid_namespaces(7) "/proc and PID namespaces".
    """

    target: str = "/proc"
    probes = ("mounts", "files")

    def calls(self) -> Iterator[Intent]:
        yield mount("proc", self.target, "proc", _SAFE)

    def shell(self) -> str:
        return f"mount -t proc -o nosuid,nodev,noexec proc {quote(self.target)}"

    def undo(self, before: Snapshot) -> Step | None:
        return Unmount(who=self.who, target=self.target)

    @property
    def title(self) -> str:
        return f"mount a proc of its own on {self.target}"


@dataclass(frozen=True, kw_only=True)
class MountSysfs(Step):
    """Mount a /sys that shows the devices of this network namespace, read-only.

    Its network part follows the mounter's network namespace; the rest is the machine's own, so it must
    not be writable from inside.

    See: sysfs(5), network_namespaces(7).
    """

    target: str = "/sys"
    probes = ("mounts", "files")

    def calls(self) -> Iterator[Intent]:
        yield mount("sysfs", self.target, "sysfs", _SAFE | MS_RDONLY)

    def shell(self) -> str:
        return f"mount -t sysfs -o nosuid,nodev,noexec,ro sysfs {quote(self.target)}"

    def undo(self, before: Snapshot) -> Step | None:
        return Unmount(who=self.who, target=self.target)

    @property
    def title(self) -> str:
        return f"mount sysfs read-only on {self.target}"


@dataclass(frozen=True, kw_only=True)
class MountDevpts(Step):
    """Mount an instance of devpts: pseudo terminals of its own.

    Each instance numbers its terminals from 0 and shows no other's. Without it a shell inside has no
    terminal, or sees those of the host.

    See: pts(4), mount(2).
    """

    target: str = "/dev/pts"
    probes = ("mounts", "files")

    def calls(self) -> Iterator[Intent]:
        yield mount("devpts", self.target, "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")

    def shell(self) -> str:
        return f"mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666,mode=0620 devpts {quote(self.target)}"

    def undo(self, before: Snapshot) -> Step | None:
        return Unmount(who=self.who, target=self.target)

    @property
    def title(self) -> str:
        return f"mount terminals of its own on {self.target}"


@dataclass(frozen=True, kw_only=True)
class BuildDev(Step):
    """Build a minimal /dev: six harmless devices, terminals, shared memory and the usual links.

    The host's /dev holds its disks and its memory. A container gets a tmpfs with what programs really
    expect. Where devices may not be made (`bind`: in a user namespace) those of the host are bound.

    See: mknod(2), pts(4), null(4), tmpfs(5).
    """

    target: str
    source: str = "/dev"
    bind: bool = False
    probes = ("mounts", "files")
    no_way_back = "what was made in it is many things; a fresh machine is quicker"

    def calls(self) -> Iterator[Intent]:
        dev = self.target
        yield mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755,size=65536k")
        made = 1
        for name, (major, minor) in DEVICES.items():
            path = f"{dev}/{name}"
            if self.bind:
                yield open_(path, O_CREAT | O_WRONLY, 0o666)
                yield close(Ret(made))
                yield mount(f"{self.source}/{name}", path, None, MS_BIND)
                made += 3
            else:
                yield mknod(path, S_IFCHR | 0o666, os.makedev(major, minor))
                yield fchmodat(path, 0o666)  # mknod's mode is cut by the umask
                made += 2
        yield mkdir(f"{dev}/pts")
        yield mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
        yield mkdir(f"{dev}/shm")
        yield mount("tmpfs", f"{dev}/shm", "tmpfs", _SAFE, "mode=1777,size=65536k")
        for name, target in _LINKS.items():
            yield symlink(target, f"{dev}/{name}")

    def shell(self) -> str:
        dev = quote(self.target)
        lines = [f"mount -t tmpfs -o nosuid,mode=755,size=65536k tmpfs {dev}"]
        for name, (major, minor) in DEVICES.items():
            path = f"{dev}/{name}"
            make = f"mknod -m 666 {path} c {major} {minor}"
            lines.append(f": >{path}; mount --bind {self.source}/{name} {path}" if self.bind else make)
        pts = "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"
        lines.append(f"mkdir {dev}/pts && mount -t devpts -o {pts} devpts {dev}/pts")
        shm = "nosuid,nodev,noexec,mode=1777,size=65536k"
        lines.append(f"mkdir {dev}/shm && mount -t tmpfs -o {shm} tmpfs {dev}/shm")
        lines += [f"ln -s {target} {dev}/{name}" for name, target in _LINKS.items()]
        return "\n".join(lines)

    @property
    def title(self) -> str:
        return f"build a minimal /dev at {self.target}"


@dataclass(frozen=True, kw_only=True)
class HidePaths(Step):
    """Cover what no namespace hides: kernel memory, keys, firmware; and make the kernel's switches read-only.

    Much of /proc and /sys belongs to the whole machine. /dev/null is bound over files. Over directories goes
    an empty one that is then removed: mounted it stays, and in a removed directory nobody can make anything.
    /proc/sys and its like are bound on themselves, read-only.

    See: proc(5), sysfs(5), mount(2), rmdir(2).
    """

    masked_files: tuple[str, ...] = MASKED_FILES
    masked_directories: tuple[str, ...] = MASKED_DIRECTORIES
    read_only: tuple[str, ...] = READ_ONLY
    probes = ("mounts",)
    no_way_back = "it is a dozen mounts; a fresh machine is quicker"

    def calls(self) -> Iterator[Intent]:
        for path in self.masked_files:  # a path that this kernel does not have needs no cover
            yield mount("/dev/null", path, None, MS_BIND)._replace(tolerate=(ENOENT,))
        yield mkdir(_LID, 0o555)  # one for all: to make and to end a tmpfs for each takes twice as long
        for path in self.masked_directories:
            yield mount(_LID, path, None, MS_BIND)._replace(tolerate=(ENOENT, ENOTDIR))
        yield unlink(_LID, AT_REMOVEDIR)
        for path in self.read_only:
            yield mount(path, path, None, MS_BIND | MS_REC)._replace(tolerate=(ENOENT,))
            flags = MS_BIND | MS_REMOUNT | MS_RDONLY | _SAFE
            yield mount(None, path, None, flags)._replace(tolerate=(ENOENT, EINVAL, EACCES))

    def shell(self) -> str:
        return "\n".join((
            f"for p in {' '.join(self.masked_files)}; do [ ! -e $p ] || mount --bind /dev/null $p; done",
            f"mkdir -m 555 {_LID}",
            f"for p in {' '.join(self.masked_directories)}; do [ ! -d $p ] || mount --bind {_LID} $p; done",
            f"rmdir {_LID}",
            f"for p in {' '.join(self.read_only)}; do [ ! -e $p ] ||",
            "  { mount --rbind $p $p; mount -o remount,bind,ro,nosuid,nodev,noexec none $p; }; done",
        ))  # fmt: skip

    @property
    def title(self) -> str:
        return "hide the machine's own parts of /proc and /sys"


@dataclass(frozen=True, kw_only=True)
class MaskPath(Step):
    """Cover one path: /dev/null over a file, an empty read-only tmpfs over a directory.

    The path exists, and says nothing. Whoever may mount can also uncover it, so CAP_SYS_ADMIN must go.

    See: mount(2).
    """

    path: str
    directory: bool = False
    probes = ("mounts", "files")

    def calls(self) -> Iterator[Intent]:
        if self.directory:
            yield mount("tmpfs", self.path, "tmpfs", MS_RDONLY, "size=0k")
        else:
            yield mount("/dev/null", self.path, None, MS_BIND)

    def shell(self) -> str:
        if self.directory:
            return f"mount -t tmpfs -o ro,size=0k tmpfs {quote(self.path)}"
        return f"mount --bind /dev/null {quote(self.path)}"

    def undo(self, before: Snapshot) -> Step | None:
        return Unmount(who=self.who, target=self.path)

    @property
    def title(self) -> str:
        return f"mask {self.path}"
