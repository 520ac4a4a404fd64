"""Which mounts hear of each other: trees and peer groups, read out of mount facts.

A mount's propagation names its peer group after the group's first mount: ``shared with mnt#1:/``. News
of a mount or umount below one member travels to all others, and on to the slaves, never back from them.

See: mount_namespaces(7) "Shared subtrees".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labkit.steps.fact import Mount
from labkit.view.pictures.scene import lead

_SLAVE = ", slave of "


@dataclass(frozen=True)
class Twig:
    """A mount in its tree: the path from the mount below it, and the tree's lines before it.

    `kind` is its propagation in a word or two (``shared, slave``), `news` in full, without its own name.
    """

    mount: Mount
    step: str
    lead: str
    depth: int
    kind: str
    news: str


@dataclass(frozen=True)
class News:
    """News travels from `source` to `target`, and back if `both`. `group` is the peer group it starts from."""

    source: Mount
    target: Mount
    both: bool
    group: str


def tree(mounts: Sequence[Mount], known: set[str]) -> list[Twig]:
    """The mounts of one namespace, each after the one it sits on. `known`: the names of all mounts."""
    order = sorted(mounts, key=lambda m: (_parts(m.mountpoint), m.layer))
    below: dict[Mount | None, list[Mount]] = {}
    for mount in order:
        below.setdefault(_under(mount, order), []).append(mount)
    found: list[Twig] = []
    stack: list[tuple[Mount, Mount | None, tuple[bool, ...]]] = [(m, None, ()) for m in reversed(below.get(None, []))]
    while stack:
        mount, parent, lasts = stack.pop()
        found.append(Twig(mount, _step(mount, parent), lead(lasts), len(lasts), *_words(mount, known)))
        children = below.get(mount, [])
        stack += [(child, mount, (*lasts, child is children[-1])) for child in reversed(children)]
    return found


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def _under(mount: Mount, order: Sequence[Mount]) -> Mount | None:
    """The mount that this one sits on: the last one mounted at the nearest place above, or the layer beneath."""
    where, best = _parts(mount.mountpoint), None
    for other in order:
        place = _parts(other.mountpoint)
        if other is mount or where[: len(place)] != place or (place == where and other.layer >= mount.layer):
            continue
        if best is None or (len(place), other.layer) > (len(_parts(best.mountpoint)), best.layer):
            best = other
    return best


def _step(mount: Mount, parent: Mount | None) -> str:
    if parent is None:
        return mount.mountpoint
    if parent.mountpoint == mount.mountpoint:
        return "(over it)"
    return "/".join(_parts(mount.mountpoint)[len(_parts(parent.mountpoint)) :])


def _words(mount: Mount, known: set[str]) -> tuple[str, str]:
    group, master = relations(mount, known)
    shared = "shared" if group == f"{mount.ns}:{mount.mountpoint}" else f"shared with {group}"
    kinds, news = ["shared"] * bool(group) + ["slave"] * bool(master), [shared] * bool(group)
    news += [f"slave of {master}"] * bool(master)
    bound = ["unbindable"] * mount.propagation.endswith("unbindable")
    return ", ".join(kinds + bound) or "private", ", ".join(news + bound) or "private"


def relations(mount: Mount, known: set[str]) -> tuple[str, str]:
    """The peer group that the mount is in and the one whose slave it is, empty where it is none.

    A path may hold ``, slave of``; `known` are the names of mounts, and the right cut is the one that names one.
    """
    text = mount.propagation.removesuffix(", unbindable")
    if text.startswith("slave of "):
        return "", text.removeprefix("slave of ")
    if not text.startswith("shared with "):
        return "", ""
    rest = text.removeprefix("shared with ")
    cuts = [i for i in range(len(rest)) if rest.startswith(_SLAVE, i) and rest[:i] in known]
    return (rest[: cuts[0]], rest[cuts[0] + len(_SLAVE) :]) if cuts and rest not in known else (rest, "")


def names(mounts: Iterable[Mount]) -> set[str]:
    """What peer groups may be called: ``mnt#1:/proc``."""
    return {f"{mount.ns}:{mount.mountpoint}" for mount in mounts}


def news(mounts: Sequence[Mount], spaces: Sequence[str]) -> list[News]:
    """Who tells whom. Peers are chained in the order of `spaces`; a slave hangs on its nearest master."""
    known = names(mounts)
    column = {name: i for i, name in enumerate(spaces)}
    shown = sorted((m for m in mounts if m.ns in column), key=lambda m: (column[m.ns], _parts(m.mountpoint), m.layer))
    groups: dict[str, list[Mount]] = {}
    for mount in shown:
        groups.setdefault(relations(mount, known)[0], []).append(mount)
    groups.pop("", None)
    found = [News(a, b, True, group) for group, peers in groups.items() for a, b in pairwise(peers)]
    for mount in shown:
        master = relations(mount, known)[1]
        masters = groups.get(master, [])
        if masters:
            nearest = min(
                masters, key=lambda m: (abs(column[m.ns] - column[mount.ns]), f"{m.ns}:{m.mountpoint}" != master)
            )
            found.append(News(nearest, mount, False, master))
    return found
