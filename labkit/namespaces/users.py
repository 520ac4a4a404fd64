"""Who one is: uid and gid maps, identity, and the groups that come along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.linux.calls import Intent, Joined, Path, Pid, setgroups, setresgid, setresuid, write_file
from labkit.steps.shell import pid_of
from labkit.steps.step import Step

Extent = tuple[int, int, int]


def _file(child: str, name: str) -> Path:
    return Joined(("/proc/", Pid(child), f"/{name}")) if child else f"/proc/self/{name}"


@dataclass(frozen=True, kw_only=True)
class MapIds(Step):
    """Say which uids and gids of a user namespace are which outside.

    Before the maps are written every id inside is the overflow id 65534, and root there owns nothing.
    Each map is written once and whole. An extent is (first inside, first outside, how many).

    See: user_namespaces(7) "User and group ID mappings", setgroups(2).
    """

    child: str = ""
    uids: tuple[Extent, ...] = ((0, 100000, 65536),)
    gids: tuple[Extent, ...] = ((0, 100000, 65536),)
    deny_setgroups: bool = False
    probes = ("users", "caps", "files")
    no_way_back = "a map is written once and for all"

    def calls(self) -> Iterator[Intent]:
        made = 0
        for name, text in self._files():
            yield from write_file(_file(self.child, name), text, at=made)
            made += 3

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        if self.deny_setgroups:
            why += (
                " Without CAP_SETGID outside one may map no group but one's own, and has to give up setgroups(2) "
                "before: by dropping a group one could get at files that are closed to it."
            )
        return what, why

    def shell(self) -> str:
        where = pid_of(self.child) if self.child else "self"
        return "\n".join(
            f"printf '{text.replace(chr(10), chr(92) + 'n')}' >/proc/{where}/{name}" for name, text in self._files()
        )

    def _files(self) -> list[tuple[str, str]]:
        maps = [(name, "\n".join(" ".join(map(str, e)) for e in extents) + "\n")
                for name, extents in (("uid_map", self.uids), ("gid_map", self.gids))]  # fmt: skip
        return [("setgroups", "deny"), *maps] if self.deny_setgroups else maps

    @property
    def title(self) -> str:
        shown = [f"{inside} inside to {outside} outside, {count} in all" for inside, outside, count in self.uids]
        return f"map uid {', uid '.join(shown)}" if shown else "map no uid"


@dataclass(frozen=True, kw_only=True)
class BecomeUser(Step):
    """Take on another identity: supplementary groups first, then the gid, the uid last.

    In any other order the process would have lost the right to do the rest: with the uid goes the
    capability. Forgotten supplementary groups are a classic hole.

    See: setresuid(2), setresgid(2), setgroups(2), credentials(7).
    """

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    probes = ("caps",)
    replaces_shell = True

    @property
    def no_way_back(self) -> str:  # type: ignore[override]  # per step, not per class
        return "who has given up uid 0 cannot take it again" if self.uid else "which id it had before is not kept"

    def explanation(self) -> tuple[str, str]:
        if self.uid:
            return super().explanation()
        return "Take on uid 0 of this user namespace.", (
            "uid 0 is root of that user namespace alone: outside it is the uid that the map says. A process whose own "
            "uid has no number inside cannot make a file there, whatever its capabilities."
        )

    def calls(self) -> Iterator[Intent]:
        yield setgroups(self.groups)
        yield setresgid(self.gid, self.gid, self.gid)
        yield setresuid(self.uid, self.uid, self.uid)

    def shell(self) -> str:
        groups = f"--groups {','.join(map(str, self.groups))}" if self.groups else "--clear-groups"
        return f"setpriv --reuid {self.uid} --regid {self.gid} {groups}"

    @property
    def title(self) -> str:
        return f"become uid {self.uid}, gid {self.gid}"
