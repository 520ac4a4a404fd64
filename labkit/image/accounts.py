"""Accounts of an image: who a user is by its /etc/passwd and /etc/group, as engines read them.

Both files are opened below the image's root, so that a symbolic link in their place leads to a file of the image and
never to one of the machine. No name service of the machine is asked: its users are not those of the image.

See: passwd(5), group(5), openat2(2) "RESOLVE_IN_ROOT", the OCI image specification, config.md, "User".
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from labkit.linux.constants import O_CLOEXEC, O_PATH, O_RDONLY, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS

PASSWD, GROUP = "/etc/passwd", "/etc/group"
_MOST = 1 << 20  # bytes that are read: the image's maker chose the file's size, too
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class Account(NamedTuple):
    """Whom a program runs as: ids, supplementary groups, and the home directory for HOME."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = "/"


class Files(NamedTuple):
    """The contents of an image's account files, empty where there is none; `unread` says which was refused, and why."""

    passwd: bytes
    group: bytes
    unread: str = ""


def read(tree: str) -> Files:
    """The account files of the root file system `tree`; what is no regular file is as good as absent."""
    refused: list[str] = []
    passwd, group = (_read(tree, path, refused) for path in (PASSWD, GROUP))
    return Files(passwd, group, "; ".join(refused))


def find(files: Files, user: str) -> Account:
    """The account of ``NAME``, ``UID``, ``NAME:GROUP``, ``UID:GID`` and so on.

    A number needs no entry: it is then of group 0, at home in /. A user has the supplementary groups that name it,
    unless a group was given. The first entry counts, and what is no entry is passed over. Raises LookupError, its
    text the name that no entry has and the file without it.
    """
    name, colon, group = user.partition(":")
    rows = [row for row in _rows(files.passwd, 4) if _is_number(row[2]) and _is_number(row[3])]
    found = next((row for row in rows if (int(row[2]) == int(name) if _is_number(name) else row[0] == name)), None)
    if found:
        uid, gid, home = int(found[2]), int(found[3]), (found[5] if len(found) > 5 else "")
    elif _is_number(name):
        uid, gid, home = int(name), 0, ""
    else:
        raise LookupError(name, PASSWD)
    groups = [row for row in _rows(files.group, 3) if _is_number(row[2])]
    if colon:
        return Account(uid, _gid(groups, group), (), home or "/")
    named = (int(row[2]) for row in groups if found and len(row) > 3 and found[0] in row[3].split(","))
    return Account(uid, gid, tuple(dict.fromkeys(named)), home or "/")


def _gid(groups: list[list[str]], group: str) -> int:
    if _is_number(group):
        return int(group)
    found = next((int(row[2]) for row in groups if row[0] == group), None)
    if found is None:
        raise LookupError(group, GROUP)
    return found


def _rows(text: bytes, fields: int) -> Iterator[list[str]]:
    """The lines with at least so many fields and a name; a NUL ends no line here, nor in the C library."""
    for line in text.split(b"\n"):
        row = line.decode("utf-8", "surrogateescape").split(":")
        if len(row) >= fields and row[0]:
            yield row


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 20  # a longer one is no id of any kernel


def _read(tree: str, path: str, refused: list[str]) -> bytes:
    """At most `_MOST` bytes of a file below `tree`: looked at before it is opened, for opening a device is an act."""
    from labkit.linux import syscalls  # a recorded lab has no kernel to ask

    root = os.open(tree, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = {"flags": O_PATH | O_CLOEXEC, "resolve": RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS}
        place, error, _, _ = syscalls.invoke("openat2", (root, path, how))
    finally:
        os.close(root)
    if error:
        if error not in _ABSENT:
            refused.append(f"{path}: {os.strerror(error)}")
        return b""
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            return b""
        with open(os.open(f"/proc/self/fd/{place}", O_RDONLY | O_CLOEXEC), "rb") as file:
            return file.read(_MOST)
    except OSError as fault:
        refused.append(f"{path}: {fault.strerror}")
        return b""
    finally:
        os.close(place)
