"""A whole container in 150 lines. Read this first; the rest of labkit only does it more slowly and shows it.

    sudo python3 -m labkit.tiny ROOTFS PROGRAM [ARG...]        for example:  ROOTFS sh -c 'hostname; ps'

The kernel knows no containers. It knows processes, and this one, before its execve(2), gets its own copy of what it can
*see* (namespaces), its own files (overlay, pivot_root) and less than root may *do* (capabilities). What it may *use* is
another page: it stays in the cgroup that it was started in. See: namespaces(7), capabilities(7), pivot_root(2).
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import sys
import warnings  # noqa: F401  os.execvpe imports it: after pivot_root that would be a file of the container
from collections.abc import Callable, Sequence
from fcntl import ioctl

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000  # sched.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 0x1, 0x2, 0x4, 0x8, 0x20, 0x1000
MS_REC, MS_PRIVATE, MS_STRICTATIME, MNT_DETACH = 0x4000, 0x40000, 0x1000000, 2  # sys/mount.h
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, SIOCSIFFLAGS, IFF_UP = 1, 24, 38, 0x8914, 1  # sys/prctl.h
INERT = MS_NOSUID | MS_NODEV | MS_NOEXEC  # for file systems that need no setuid file, no device and no program
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
         "ptmx": "pts/ptmx"}  # fmt: skip
# No namespace covers these files, they show the machine itself: hide them, or at least stop writes. runc's lists.
MASKED = ("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware")  # fmt: skip
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
# Docker's: chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot audit_write
# setfcap. Not sys_admin, which undoes this page; nor (Docker has a devices cgroup) mknod, which makes and reads disks.
CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31)
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *args: str | bytes | int | None) -> None:
    """Make a system call that Python has no function for. A failure is an OSError that names it."""
    raw = [os.fsencode(a) if isinstance(a, str) else ctypes.c_ulong(a) if isinstance(a, int) else a for a in args]
    if getattr(libc, name)(*raw) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"{name}{args}")


def mount(kind: str, target: str, flags: int, options: str | None = None) -> None:
    """Mount a new file system of this kind, on a directory that is made if it is missing. mount(2)"""
    os.makedirs(target, 0o755, exist_ok=True)
    call("mount", kind, target, kind, flags, options)


def tiny(rootfs: str, argv: Sequence[str], hostname: str = "tiny") -> int:
    """Run `argv` in a container on top of the directory `rootfs`; return its exit status. Needs root."""
    return in_child(leave, rootfs, argv, hostname)  # not in this process: our caller stays where it is


def in_child(function: Callable[..., int], *args: object) -> int:
    """Run `function` in a child, wait, and tell as a shell would how the child ended: 128+n if by signal n. fork(2)"""
    if (pid := os.fork()) == 0:
        try:
            os._exit(function(*args))
        except Exception as error:
            os.write(2, os.fsencode(f"tiny: {error}\n"))
        finally:  # whatever happened, the child must not return into its parent's program
            os._exit(125)  # as docker run says: the program never started
    return code if (code := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])) >= 0 else 128 - code


def leave(rootfs: str, argv: Sequence[str], hostname: str) -> int:
    """Leave the machine's namespaces. unshare(2), pid_namespaces(7)"""
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # if our parent dies, so do we: nothing stays behind
    call("unshare", CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)
    return in_child(become, rootfs, argv, hostname)  # nobody's own pid ever changes: the next child will be pid 1


def become(rootfs: str, argv: Sequence[str], hostname: str) -> int:
    """Turn this process, pid 1 (whose death kills the rest), into the container. Each line needs the ones above it."""
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.setsid()  # no controlling terminal, else the container could type into yours: ioctl_tty(2), TIOCSTI
    os.umask(0)  # else whatever umask we were started with cuts down the modes asked for below
    new_root(rootfs)
    kernel_files()
    call("sethostname", hostname, len(os.fsencode(hostname)))  # without CLONE_NEWUTS: of the whole machine
    with socket.socket() as any_socket:  # a new network namespace has one link, lo, and it is down:
        ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))  # not even 127.0.0.1 would answer
    give_up_power()  # last, since all of the above needed the power
    os.umask(0o022)
    os.closerange(3, 2**31 - 1)  # one directory of the host left open is a way out, past every line of this page
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:  # execve(2) hands on what is ignored:
        signal.signal(number, signal.SIG_DFL)  # by Python, or nohup(1): `yes | head -1` would end in an error message
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # and what is blocked
    try:
        os.execvpe(argv[0], list(argv), ENVIRONMENT)
    except OSError as error:
        os.write(2, os.fsencode(f"tiny: {argv[0]}: {error.strerror}\n"))
        return 127 if isinstance(error, (FileNotFoundError, NotADirectoryError)) else 126


def new_root(rootfs: str) -> None:
    """Lay a thin writable layer on top of `rootfs`, make it the root, let go of the machine's files."""
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)  # systemd shares /: the host would see our mounts
    os.chdir(rootfs)  # from here on it is ".", wherever it lies, even in the /tmp that the next line covers
    mount("tmpfs", "/tmp", 0, "mode=755")  # for what the container writes: in memory, gone when it is
    for directory in ("/tmp/upper", "/tmp/work"):
        os.mkdir(directory, 0o755)
    mount("overlay", "/tmp/root", MS_NODEV, "lowerdir=.,upperdir=/tmp/upper,workdir=/tmp/work")  # its devices are inert
    os.chdir("/tmp/root")  # a mount point, as pivot_root(2) wants; a plain directory would be EINVAL
    call("pivot_root", ".", ".")  # not chroot(2), which root can leave. The old root now lies on top of the new one
    call("umount2", ".", MNT_DETACH)  # and goes, busy as it is: no path leads to the machine's files any more
    os.chdir("/")


def kernel_files() -> None:
    """Mount what the kernel makes up, fill /dev with all but the disks, cover what shows the machine."""
    mount("proc", "/proc", INERT)  # shows the pid namespace of whoever mounts it; without it, ps is blind
    mount("sysfs", "/sys", INERT | MS_RDONLY)  # read-only, since all but its network part is the machine's own
    mount("tmpfs", "/dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k")
    for name, number in DEVICES.items():
        os.mknod(f"/dev/{name}", 0o020666, os.makedev(*number))  # a character device that all may read and write
    for name, target in LINKS.items():
        os.symlink(target, f"/dev/{name}")
    mount("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5")  # own terminals
    mount("tmpfs", "/dev/shm", INERT, "mode=1777")
    os.mkdir("/dev/empty", 0o555)
    for path in filter(os.path.exists, MASKED):  # as far as this kernel has them; the lids are from our own /dev
        call("mount", "/dev/empty" if os.path.isdir(path) else "/dev/null", path, None, MS_BIND, None)
    os.rmdir("/dev/empty")  # as a lid it stays; but in a removed directory nobody can make anything
    for path in filter(os.path.exists, READ_ONLY):  # the call that binds ignores MS_RDONLY, so it takes two
        call("mount", path, path, None, MS_BIND | MS_REC, None)
        call("mount", None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY | INERT, None)


def give_up_power() -> None:
    """Keep thirteen of root's forty-one capabilities, and shut the doors to the others. capabilities(7)"""
    os.setgroups([])  # nor the groups of whoever started us
    with open("/proc/sys/kernel/cap_last_cap") as file:
        for number in set(range(int(file.read()) + 1)) - set(CAPABILITIES):
            call("prctl", PR_CAPBSET_DROP, number, 0, 0, 0)  # else execve(2) would give root all of them back
    kept = sum(1 << number for number in CAPABILITIES)
    call("capset", struct.pack("Ii", 0x20080522, 0), struct.pack("6I", kept, kept, 0, 0, 0, 0))  # none inheritable
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # setuid files and file capabilities give nothing any more


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends us, and PR_SET_PDEATHSIG the others
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take from us how our child ended: wait(2)
    sys.exit(tiny(sys.argv[1], sys.argv[2:]) if len(sys.argv) > 2 else __doc__)
