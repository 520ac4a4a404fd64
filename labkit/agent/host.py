"""The lab host: pid 1 of the machine that the notebook teaches about.

It is born by the supervisor in new pid, mount, network, uts and ipc namespaces and turns them into a
machine: a root file system of its own (an overlay whose lower layer is the real root and whose upper
layer is a tmpfs, so that nothing written here reaches the disk; so are directories that are mounts of their
own, see `labkit.agent.separate`), /proc, /sys, a small /dev, /run and
/tmp. Then it makes / shared, as systemd does on a real machine, starts the zygote, and waits.

It is the garbage collector's handle: when pid 1 of a pid namespace dies, the kernel kills every other
process in it, and with the last process go its mounts, links and rules. It dies when the supervisor
dies (the socket closes), when the zygote dies, or by SIGKILL; nothing needs to be tidied afterwards.

See: pid_namespaces(7), mount_namespaces(7), Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket

from labkit.agent import actor, separate, wire
from labkit.agent.borrowed import Borrowed
from labkit.agent.zygote import Zygote
from labkit.linux import mountinfo, syscalls, titles
from labkit.linux.constants import (
    CLONE_NEWCGROUP,
    MNT_DETACH,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
)

HOSTNAME = "lab"
_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_mount = "mount"


def build_root(scratch: str, *, cgroup: str, rootless: bool) -> None:
    """Make the machine's file systems below the empty directory `scratch` and move into them.

    Without a `cgroup` of its own it stays without the tree: who mounts that from the first cgroup namespace sets
    its options anew for the whole real machine (cgroup-v2.rst "Mounting": nsdelegate would be gone).
    Raises OSError naming the call that failed. The order is the kernel's: the tmpfs must be there
    before the overlay can use it, and /proc before the old root goes, because a new proc may be
    mounted by an unprivileged user only where a complete one is still visible.
    """
    call = syscalls.call
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    machine = Borrowed() if rootless else None
    separated = [] if machine else separate.wanted(mountinfo.read())
    call("mount", "tmpfs", scratch, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for name in ("lab", "lab/root", "lab/root/upper", "lab/root/work", "lab/images", "machine"):
        os.mkdir(f"{scratch}/{name}", 0o755)
    new = f"{scratch}/machine"
    lower = machine.skeleton(f"{scratch}/lab/root/lower") if machine else "/"
    layers = f"lowerdir={lower},upperdir={scratch}/lab/root/upper,workdir={scratch}/lab/root/work"
    call("mount", "overlay", new, "overlay", 0, layers + (",userxattr" if machine else ""))
    if machine:
        machine.mount(new)
    for number, directory in enumerate(separated):
        separate.show(directory, new, f"{scratch}/lab/root/{number}")
    call("mount", "proc", f"{new}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    call("mount", "sysfs", f"{new}/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    if cgroup:
        _mount_cgroup2(f"{new}/sys/fs/cgroup")
    _build_dev(f"{new}/dev")
    call("mount", scratch, f"{new}/run", None, MS_BIND, None)
    call("mount", "tmpfs", f"{new}/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    os.chdir(new)
    call("pivot_root", ".", ".")  # the old root is now on top of the new one: pivot_root(2) "pivot_root(".", ".")"
    call("umount2", ".", MNT_DETACH)
    os.chdir("/")
    os.rmdir("/run/machine")
    call("mount", None, "/", None, MS_REC | MS_SHARED, None)


def _mount_cgroup2(target: str) -> None:
    try:
        syscalls.call("mount", "cgroup2", target, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    except OSError as error:  # a kernel without it, or a user namespace that may not: the lab then has no cgroups
        if error.errno not in (errno.ENODEV, errno.EPERM, errno.EBUSY):
            raise


def _build_dev(dev: str) -> None:
    call = syscalls.call
    real = [os.path.realpath(f"/dev/{name}") for name in _DEVICES]
    sources = [os.open(path, os.O_PATH) for path in real]
    call("mount", "tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755,size=65536k")
    for name, source in zip(_DEVICES, sources, strict=True):
        try:
            os.mknod(f"{dev}/{name}", 0o020666, os.makedev(*_DEVICES[name]))
            os.chmod(f"{dev}/{name}", 0o666)
        except PermissionError:  # a user namespace may not make devices: borrow the machine's own
            os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
            call("mount", f"/proc/self/fd/{source}", f"{dev}/{name}", None, MS_BIND, None)
        os.close(source)
    for name in ("pts", "shm"):
        os.mkdir(f"{dev}/{name}")
    call("mount", "devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
    call("mount", "tmpfs", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    for link, target in (
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ):
        os.symlink(target, f"{dev}/{link}")


def enter_cgroup(path: str) -> None:
    """Make the lab host's cgroup `path` the root of a cgroup namespace, then leave it free of processes.

    In this order: the namespace's root is the cgroup one is in at unshare(2). A cgroup that hands
    controllers to its children may hold no processes itself (cgroups(7) "no internal processes").
    """
    if path:
        syscalls.call("unshare", CLONE_NEWCGROUP)
        os.mkdir(f"{path}/host")
        with open(f"{path}/host/cgroup.procs", "w", buffering=1) as procs:
            procs.write("0")


def main(sock: socket.socket, zygote_end: socket.socket, *, scratch: str, cgroup: str, rootless: bool) -> None:
    """The life of pid 1. Never returns."""
    titles.set_title("labkit:[host]")
    try:
        enter_cgroup(cgroup)
        build_root(scratch, cgroup=cgroup, rootless=rootless)
        syscalls.call("sethostname", HOSTNAME.encode())
        syscalls.call("setdomainname", b"(none)")
        _loopback_up()
    except OSError as error:
        wire.send(sock, {"error": [error.errno, str(error.strerror), str(error.filename or "")]})
        os._exit(1)
    titles.set_title("labkit:[zygote]")  # before the fork: who looks as soon as we are ready finds it by its name
    zygote = os.fork()
    if zygote == 0:
        sock.close()
        actor.live(Zygote(zygote_end))
        os._exit(0)
    titles.set_title("labkit:[host]")
    zygote_end.close()
    watch = select.poll()
    watch.register(os.pidfd_open(zygote), select.POLLIN)
    watch.register(sock.fileno(), select.POLLIN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans that end up here are reaped by the kernel: wait(2) NOTES
    wire.send(sock, {"ready": True})
    watch.poll()  # one of the two is gone, so is this machine
    os._exit(0)


def _loopback_up() -> None:
    """SIOCSIFFLAGS on lo: the one link that every network namespace is born with is born down. See: netdevice(7)."""
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as any_socket:
        flags = 1 | 64  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", flags))  # SIOCSIFFLAGS
