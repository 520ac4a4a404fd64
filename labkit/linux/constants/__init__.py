"""The kernel's constants, spelt as in its headers, and the way back from a number to its names.

    >>> from labkit.linux.constants import MS_PRIVATE, MS_REC, decode, encode
    >>> decode("MS", MS_REC | MS_PRIVATE)
    'MS_REC|MS_PRIVATE'
    >>> decode("O", 0o2000101), decode("NODE", 0o20666), decode("MODE", 0o755), decode("SIG", 9)
    ('O_WRONLY|O_CREAT|O_CLOEXEC', 'S_IFCHR|0666', '0755', 'SIGKILL')
    >>> hex(encode("CLONE", "CLONE_NEWPID|SIGCHLD"))
    '0x20000011'

The numbers stand in the modules of this package, one for each part of the manual; which of them may
meet in one argument is said below, in `GROUPS`. A group is put together when it is first asked for,
since most processes that import a constant never decode one.

See: the manual page of the call, and the header that it names.
"""

# The one place that gathers names from elsewhere; a reader finds each in the module of its part of the manual.
# ruff: noqa: F403, F405

from __future__ import annotations

from labkit.linux.constants.bpf import *
from labkit.linux.constants.caps import *
from labkit.linux.constants.errnos import *
from labkit.linux.constants.files import *
from labkit.linux.constants.groups import Group, select
from labkit.linux.constants.ioctls import *
from labkit.linux.constants.keys import *
from labkit.linux.constants.mount import *
from labkit.linux.constants.prctl import *
from labkit.linux.constants.process import *
from labkit.linux.constants.process import __WALL as __WALL
from labkit.linux.constants.process import __WCLONE as __WCLONE
from labkit.linux.constants.process import __WNOTHREAD as __WNOTHREAD
from labkit.linux.constants.rtnetlink import *
from labkit.linux.constants.signals import *
from labkit.linux.constants.sockets import *

#: group: (flags, field, mask of the field, notation of the rest); flags and field as words for `select`.
GROUPS: dict[str, tuple[str, str, int, str]] = {
    "AF": ("", "AF_", -1, "decimal"),
    "AT": ("AT_ -AT_FDCWD -AT_EACCESS", "", 0, "hex"),
    "BPF": ("", "BPF_PROG_ BPF_OBJ_ -BPF_PROG_TYPE_", -1, "decimal"),
    "BPF_ATTACH_TYPE": ("", "BPF_CGROUP_", -1, "decimal"),
    "BPF_PROG_TYPE": ("", "BPF_PROG_TYPE_", -1, "decimal"),
    "CAP": ("", "CAP_", -1, "decimal"),
    "CLD": ("", "CLD_", -1, "decimal"),
    "CLOCK": ("", "CLOCK_", -1, "decimal"),
    "CLONE": ("CLONE_", "SIG -SIG_", 0x7F, "hex"),
    "CLOSE_RANGE": ("CLOSE_RANGE_", "", 0, "hex"),
    "ERRNO": ("", "E -EXT4_ -EDEADLOCK -ENOTSUP -EWOULDBLOCK", -1, "decimal"),
    "F": ("", "F_ -F_SEAL", -1, "decimal"),
    "FD": ("", "AT_FDCWD", -1, "decimal"),
    "FSCONFIG": ("", "FSCONFIG_", -1, "decimal"),
    "FSMOUNT": ("FSMOUNT_", "", 0, "hex"),
    "FSOPEN": ("FSOPEN_", "", 0, "hex"),
    "FSPICK": ("FSPICK_", "", 0, "hex"),
    "IFF": ("IFF_", "", 0, "hex"),
    "IOCTL": ("", "NS_GET_ TCGET TCSET TIOC FIO SIOC", -1, "hex"),
    "IPC": ("IPC_CREAT IPC_EXCL IPC_NOWAIT", "", 0, "octal"),
    "KEYCTL": ("", "KEYCTL_", -1, "decimal"),
    "KEY_SPEC": ("", "KEY_SPEC_", -1, "decimal"),
    "MAGIC": ("", "CGROUP DEVPTS_ EXT4_ NSFS_ OVERLAYFS_ PROC_SUPER SYSFS_ TMPFS_", -1, "hex"),
    "MFD": ("MFD_", "", 0, "hex"),
    "MNT": ("MNT_ UMOUNT_", "", 0, "hex"),
    "MODE": ("", "", 0, "octal"),
    "MOUNT_ATTR": ("MOUNT_ATTR_ -MOUNT_ATTR__ATIME", "", 0, "hex"),
    "MOVE_MOUNT": ("MOVE_MOUNT_", "", 0, "hex"),
    "MS": ("MS_", "", 0, "hex"),
    "MSG": ("MSG_", "", 0, "hex"),
    "NETLINK": ("", "NETLINK_", -1, "decimal"),
    "NLM_F": ("NLM_F_ -NLM_F_DUMP -NLM_F_ROOT -NLM_F_MATCH", "", 0, "hex"),
    "NODE": ("", "S_IF -S_IFMT", S_IFMT, "octal"),
    "O": ("O_ -O_ACCMODE -O_RDONLY -O_WRONLY -O_RDWR", "O_RDONLY O_WRONLY O_RDWR", O_ACCMODE, "octal"),
    "OPEN_TREE": ("OPEN_TREE_ AT_EMPTY_PATH AT_NO_AUTOMOUNT AT_RECURSIVE AT_SYMLINK_NOFOLLOW", "", 0, "hex"),
    "P": ("", "P_", -1, "decimal"),
    "PER": ("ADDR_NO UNAME26", "PER_", 0xFF, "hex"),
    "PIDFD": ("PIDFD_", "", 0, "hex"),
    "PR": ("", "PR_ -PR_CAP_AMBIENT_", -1, "decimal"),
    "PR_CAP_AMBIENT": ("", "PR_CAP_AMBIENT_", -1, "decimal"),
    "RESOLVE": ("RESOLVE_", "", 0, "hex"),
    "RTM": ("", "RTM_", -1, "decimal"),
    "SCM": ("", "SCM_", -1, "decimal"),
    "SEAL": ("F_SEAL_", "", 0, "hex"),
    "SECBIT": ("SECBIT_", "", 0, "hex"),
    "SIG": ("", "SIG -SIGRTMAX -SIG_", -1, "decimal"),
    "SIG_HOW": ("", "SIG_", -1, "decimal"),
    "SOCK": ("SOCK_NONBLOCK SOCK_CLOEXEC", "SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_RDM SOCK_SEQ", SOCK_TYPE_MASK, "hex"),
    "STATX": ("STATX_", "", 0, "hex"),
    "W": ("W __W -WUNTRACED", "", 0, "hex"),
}
# As strace and most programs call them.
GROUPS["S_IF"] = GROUPS["NODE"]

_built: dict[str, Group] = {}


def group(name: str) -> Group:
    """The group of that name. Raises KeyError with the names there are."""
    if name not in _built:
        if name not in GROUPS:
            raise KeyError(f"no group of constants {name!r}; there are {', '.join(sorted(GROUPS))}")
        flags, field, mask, rest = GROUPS[name]
        names = {key: value for key, value in globals().items() if isinstance(value, int)}
        if name in ("SIG", "CLONE"):
            names.update((f"SIGRTMIN+{n}", SIGRTMIN + n) for n in range(1, SIGRTMAX - SIGRTMIN + 1))
        _built[name] = Group(name, flags=select(names, flags), field=select(names, field), mask=mask, rest=rest)
    return _built[name]


def decode(name: str, value: int) -> str:
    """The word `value` in the names of group `name`, bits without a name as a number at the end, ``0`` for nothing."""
    return group(name).decode(value)


def encode(name: str, text: str) -> int:
    """The number that `text`, names and numbers joined by ``|``, stands for. Raises ValueError for a foreign name."""
    return group(name).encode(text)
