"""Names: which ones labkit accepts, and how to get one that nobody else has.

A name ends up as a directory, a cgroup, a hostname, part of a process title. So the rule is the
narrowest that all of them accept: a letter or a digit, then up to 62 of ``a-z A-Z 0-9 _ . -``. That
leaves out everything that has ever been a trick: ``..``, ``-rf``, ``a/b``, a newline, the empty name.

To look whether a name is free and then to take it is two steps, and between them another may come.
mkdir(2) is one: of two who make the same directory, exactly one succeeds.

See: mkdir(2) "EEXIST", hostname(7), sethostname(2).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_NEXT = _FIRST | frozenset("_.-")

#: Bytes that a name may have: a DNS label and a hostname hold 63.
NAME_MAX = 63
#: Bytes that the kernel keeps of a host or domain name (__NEW_UTS_LEN), without the NUL.
HOSTNAME_MAX = 64


def valid_name(name: str) -> str:
    """`name` itself if it is one that labkit accepts, else ValueError that says what is wrong with it."""
    if not name:
        raise ValueError("a name cannot be empty")
    if len(name) > NAME_MAX:
        raise ValueError(f"the name {_short(name)} has {len(name)} characters; {NAME_MAX} are allowed")
    if name[0] not in _FIRST:
        raise ValueError(f"the name {name!r} begins with {name[0]!r}; it must begin with a letter or a digit (ASCII)")
    for letter in name:
        if letter not in _NEXT:
            raise ValueError(f"the name {name!r} contains {letter!r}; allowed are letters, digits (ASCII) and _ . -")
    return name


def valid_hostname(name: str) -> str:
    """`name` itself if the kernel can keep it and other programs can read it, else ValueError with the cause.

    The kernel takes any 64 bytes, even none. Here it must be labels of letters, digits and "-" (an "_"
    is let pass), joined by ".", since a hostname is pasted into prompts, URLs and /etc/hosts.
    """
    size = len(name.encode(errors="surrogatepass"))
    if size > HOSTNAME_MAX:
        raise ValueError(f"the hostname {_short(name)} has {size} bytes; the kernel keeps {HOSTNAME_MAX}")
    for label in name.split("."):
        if not label:
            raise ValueError(f"the hostname {name!r} has an empty label" if name else "a hostname cannot be empty")
        if len(label) > NAME_MAX:
            raise ValueError(f"the hostname {name!r} has a label of {len(label)} bytes; DNS allows {NAME_MAX}")
        if label.startswith("-") or label.endswith("-"):
            raise ValueError(f"the hostname {name!r} has a label that begins or ends with '-'")
        for letter in label:
            if letter not in _NEXT:
                raise ValueError(f"the hostname {name!r} contains {letter!r}; allowed are letters, digits, - and .")
    return name


def allocate(directory: str, prefix: str, *, taken: Container[str] = (), attempts: int = 10_000) -> str:
    """Make ``directory/prefix-n`` with the smallest free n from 1 and return its name; it is then yours.

    Safe against any number of others doing the same. Names in `taken` are passed over. Raises OSError
    as mkdir(2) does (ENOSPC, EROFS, EACCES), FileExistsError if `attempts` numbers are all in use.
    """
    for number in range(1, attempts + 1):
        name = valid_name(f"{prefix}-{number}")
        if name in taken:
            continue
        try:
            os.mkdir(os.path.join(directory, name), 0o700)
        except FileExistsError:
            continue
        return name
    raise FileExistsError(f"all names from {prefix}-1 to {prefix}-{attempts} are taken in {directory}")


def _short(name: str) -> str:
    return repr(name if len(name) <= 20 else name[:17] + "...")
