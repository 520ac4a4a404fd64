"""What a system call looks like: its number on each architecture and the kinds of its arguments.

One row a call, as in section 2 of the manual. The kind of an argument says two things at once:
how a value of Python becomes a machine word (`labkit.linux.syscalls`) and how it is shown to a
reader (`labkit.steps.call`). The *at* forms are used throughout: arm64 never had the others.

Kinds
    int fd pid mode      a number; fd and pid may also be a name that the executing process resolves
    path str             a NUL-terminated string; a trailing ``?`` allows None (a null pointer)
    strs                 a NULL-terminated array of strings (argv, envp)
    buf                  bytes going in: becomes two words, address and length
    out                  bytes coming out: the value is the size; becomes two words
    status               an int that the kernel fills in (wait4)
    sigset gids          numbers of signals, of groups: a bit or an int for each
    MS, CLONE, …         flags of that group in `labkit.linux.constants`
    clone_args …         a structure, see `labkit.linux.structs`
    null                 always a null pointer

See: syscalls(2), syscall(2) "Architecture calling conventions".
"""

from __future__ import annotations

import os

#: name: (number on x86_64, number on aarch64, "argument:kind …")
TABLE: dict[str, tuple[int, int, str]] = {
    "bind": (49, 200, "fd:fd addr:buf"),
    "bpf": (321, 280, "command:BPF attr:bpf_attr"),
    "capset": (126, 91, "header:cap_header data:cap_data"),
    "chdir": (80, 49, "path:path"),
    "chroot": (161, 51, "path:path"),
    "clone3": (435, 435, "args:clone_args"),
    "close": (3, 57, "fd:fd"),
    "close_range": (436, 436, "first:int last:int flags:CLOSE_RANGE"),
    "dup3": (292, 24, "old:fd new:int flags:O"),
    "execve": (59, 221, "path:path argv:strs envp:strs"),
    "execveat": (322, 281, "dirfd:fd path:path argv:strs envp:strs flags:AT"),
    "exit_group": (231, 94, "status:int"),
    "fchdir": (81, 50, "fd:fd"),
    "fchmodat": (268, 53, "dirfd:fd path:path mode:mode"),
    "fchownat": (260, 54, "dirfd:fd path:path uid:int gid:int flags:AT"),
    "fsconfig": (431, 431, "fd:fd command:FSCONFIG key:str? value:str? aux:int"),
    "fsmount": (432, 432, "fd:fd flags:FSMOUNT attributes:MOUNT_ATTR"),
    "fsopen": (430, 430, "fstype:str flags:FSOPEN"),
    "getpid": (39, 172, ""),
    "getppid": (110, 173, ""),
    "ioctl": (16, 29, "fd:fd request:IOCTL argument:int"),
    "keyctl": (250, 219, "operation:KEYCTL name:str?"),
    "kill": (62, 129, "pid:pid signal:SIG"),
    "linkat": (265, 37, "olddirfd:fd old:path newdirfd:fd new:path flags:AT"),
    "listen": (50, 201, "fd:fd backlog:int"),
    "mkdirat": (258, 34, "dirfd:fd path:path mode:mode"),
    "mknodat": (259, 33, "dirfd:fd path:path mode:NODE device:dev"),
    "mount": (165, 40, "source:path? target:path fstype:str? flags:MS data:str?"),
    "mount_setattr": (442, 442, "dirfd:fd path:path flags:AT attr:mount_attr"),
    "move_mount": (429, 429, "from_dirfd:fd from:path to_dirfd:fd to:path flags:MOVE_MOUNT"),
    "msgget": (68, 186, "key:int flags:IPC"),
    "open_tree": (428, 428, "dirfd:fd path:path flags:OPEN_TREE"),
    "openat": (257, 56, "dirfd:fd path:path flags:O mode:mode"),
    "openat2": (437, 437, "dirfd:fd path:path how:open_how"),
    "personality": (135, 92, "persona:int"),
    "pidfd_open": (434, 434, "pid:pid flags:int"),
    "pidfd_send_signal": (424, 424, "pidfd:fd signal:SIG info:null flags:int"),
    "pivot_root": (155, 41, "new_root:path put_old:path"),
    "pread64": (17, 67, "fd:fd buf:out offset:int"),
    "prctl": (157, 167, "option:PR arg2:int arg3:int arg4:int arg5:int"),
    "read": (0, 63, "fd:fd buf:out"),
    "recvfrom": (45, 207, "fd:fd buf:out flags:int addr:null addrlen:null"),
    "rt_sigprocmask": (14, 135, "how:SIG_HOW set:sigset oldset:null sigsetsize:int"),
    "sendto": (44, 206, "fd:fd buf:buf flags:int addr:null addrlen:int"),
    "setdomainname": (171, 162, "name:buf"),
    "setgid": (106, 144, "gid:int"),
    "setgroups": (116, 159, "size:int list:gids"),
    "sethostname": (170, 161, "name:buf"),
    "setns": (308, 268, "fd:fd nstype:CLONE"),
    "setresgid": (119, 149, "rgid:int egid:int sgid:int"),
    "setresuid": (117, 147, "ruid:int euid:int suid:int"),
    "setsid": (112, 157, ""),
    "setuid": (105, 146, "uid:int"),
    "socket": (41, 198, "domain:AF type:SOCK protocol:int"),
    "symlinkat": (266, 36, "target:path newdirfd:fd path:path"),
    "umask": (95, 166, "mask:mode"),
    "umount2": (166, 39, "target:path flags:MNT"),
    "uname": (63, 160, "buf:utsname"),
    "unlinkat": (263, 35, "dirfd:fd path:path flags:AT"),
    "unshare": (272, 97, "flags:CLONE"),
    "wait4": (61, 260, "pid:pid status:status options:W rusage:null"),
    "write": (1, 64, "fd:fd buf:buf"),
}

_COLUMN = {"x86_64": 0, "aarch64": 1}


class Signature:
    """The number of a call here and its parameters as ``(name, kind, nullable)``."""

    __slots__ = ("name", "number", "parameters")

    def __init__(self, name: str, machine: str) -> None:
        row = TABLE[name]
        self.name = name
        self.number = row[0] if _COLUMN[machine] == 0 else row[1]
        self.parameters: tuple[tuple[str, str, bool], ...] = tuple(
            (word.partition(":")[0], word.partition(":")[2].rstrip("?"), word.endswith("?")) for word in row[2].split()
        )


#: this machine's column; where there is no Linux (replay) any will do, as nothing is called
_MACHINE = os.uname().machine if hasattr(os, "uname") and os.uname().machine in _COLUMN else "x86_64"
_cache: dict[str, Signature] = {}


def signature(name: str) -> Signature:
    """The signature of call `name` on this machine. Raises KeyError for a call that labkit never makes."""
    if name not in _cache:
        _cache[name] = Signature(name, _MACHINE)
    return _cache[name]
