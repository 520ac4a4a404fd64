"""The ids of a rootless lab: its own numbers on one side, those that the machine grants its user on the other.

root of the lab is the user. All other ids in it come out of the ranges that ``/etc/subuid`` and ``/etc/subgid``
grant, and are laid where containers and lessons look for them: those of a whole system from 1 on, then two times
those for a user namespace in the lab. Each goes whole into one grant: a map in the lab may use only what one
extent of the lab's own map covers.

See: subuid(5), newuidmap(1), user_namespaces(7).
"""

from __future__ import annotations

import os

Range = tuple[int, int]  #: first, how many
Extent = tuple[int, int, int]  #: first in the lab, first on the machine, how many

WANTED: tuple[Range, ...] = ((1, 65535), (100000, 65536), (200000, 65536))


def grants(path: str) -> list[Range]:
    """What the file at `path` grants this user, by name or by number, line by line."""
    import pwd

    names = {str(os.getuid())}
    try:
        names.add(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:  # a uid without a name may have a grant all the same
        pass
    found = []
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as rows:
            for who, first, count in (row.strip().split(":") for row in rows if row.count(":") == 2):
                if who in names:
                    found.append((int(first), int(count)))
    except (OSError, ValueError):  # no such file, or not in its format: what was read before counts
        pass
    return found


def layout(own: int, granted: list[Range]) -> list[Extent]:
    """The map of a lab of user `own`. Where nothing granted is big enough for the first range, part of it."""
    extents = [(0, own, 1)]
    left = sorted(granted, key=lambda grant: grant[1])
    for first, count in WANTED:
        fits = [grant for grant in left if grant[1] >= count] or (left[-1:] if first == 1 else [])
        if fits and fits[0][1] > 0:
            start, room = fits[0]
            taken = min(count, room)
            extents.append((first, start, taken))
            left.remove(fits[0])
            left = sorted([*left, (start + taken, room - taken)], key=lambda grant: grant[1])
    return extents
