"""Constants of files: how to open, where to look, what kind of node, which limits a path must keep to.

Four O_* flags have one value on x86_64 and another on aarch64, an inheritance from the machines whose
Unix the kernel once ran programs of. Everything else in labkit.linux.constants is the same on both.

See: open(2), openat2(2), statx(2), mknod(2), inode(7), close_range(2), <asm-generic/fcntl.h>.
"""

from __future__ import annotations

import os

#: where there is no Linux (replay) the numbers are of no importance, as nothing is called
_ARM = hasattr(os, "uname") and os.uname().machine in ("aarch64", "arm64")

#: The access mode is a field of two bits whose zero has a name, so that "no flags" means O_RDONLY.
O_ACCMODE = 0o3
O_RDONLY = 0o0
O_WRONLY = 0o1
O_RDWR = 0o2
O_CREAT = 0o100
O_EXCL = 0o200
O_NOCTTY = 0o400
O_TRUNC = 0o1000
O_APPEND = 0o2000
O_NONBLOCK = 0o4000
O_DSYNC = 0o10000
O_ASYNC = 0o20000
O_DIRECT = 0o200000 if _ARM else 0o40000
O_LARGEFILE = 0o400000 if _ARM else 0o100000
O_DIRECTORY = 0o40000 if _ARM else 0o200000
O_NOFOLLOW = 0o100000 if _ARM else 0o400000
O_NOATIME = 0o1000000
O_CLOEXEC = 0o2000000
O_SYNC = 0o4000000 | O_DSYNC
O_PATH = 0o10000000
O_TMPFILE = 0o20000000 | O_DIRECTORY

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
#: unlinkat(2) reads this bit so; faccessat(2) reads the same bit as AT_EACCESS.
AT_REMOVEDIR = 0x200
AT_EACCESS = 0x200
AT_SYMLINK_FOLLOW = 0x400
AT_NO_AUTOMOUNT = 0x800
AT_EMPTY_PATH = 0x1000
AT_STATX_FORCE_SYNC = 0x2000
AT_STATX_DONT_SYNC = 0x4000
AT_RECURSIVE = 0x8000

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10
RESOLVE_CACHED = 0x20

#: The kind of a node is a field of four bits above the twelve bits of its mode.
S_IFMT = 0o170000
S_IFSOCK = 0o140000
S_IFLNK = 0o120000
S_IFREG = 0o100000
S_IFBLK = 0o060000
S_IFDIR = 0o040000
S_IFCHR = 0o020000
S_IFIFO = 0o010000
S_ISUID = 0o4000
S_ISGID = 0o2000
S_ISVTX = 0o1000

CLOSE_RANGE_UNSHARE = 0x2
CLOSE_RANGE_CLOEXEC = 0x4

STATX_BASIC_STATS = 0x7FF
STATX_BTIME = 0x800
STATX_MNT_ID = 0x1000

F_DUPFD = 0
F_GETFD = 1
F_SETFD = 2
F_GETFL = 3
F_SETFL = 4
F_DUPFD_CLOEXEC = 1030
F_ADD_SEALS = 1033
F_GET_SEALS = 1034
FD_CLOEXEC = 1

F_SEAL_SEAL = 0x1
F_SEAL_SHRINK = 0x2
F_SEAL_GROW = 0x4
F_SEAL_WRITE = 0x8

MFD_CLOEXEC = 0x1
MFD_ALLOW_SEALING = 0x2
