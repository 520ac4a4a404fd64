"""Every kind of namespace can be made, left for, joined, held open after its last process, entered, nested and
listed with its owner and its processes; what labkit says is compared with /proc and with lsns(8).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from labkit import Lab
from labkit.errors import SpecError
from labkit.linux import nsfs
from labkit.linux.nsfs import KINDS
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.mounts import Bind, MakePrivate, Unmount
from labkit.namespaces.processes import Exec, Kill, ServeAsInit
from labkit.namespaces.spawn import Enter, Hold, Join, Spawn, Unshare
from labkit.namespaces.users import MapIds
from labkit.steps.fact import IdMap, Namespace, Process
from labkit.steps.step import Step

pytestmark = pytest.mark.usefixtures("own_processes")
ALL = tuple(KINDS)
DEFERRED = ("pid", "time")  # unshare and setns move only the children that are born afterwards
every_kind = pytest.mark.parametrize("kind", ALL)


def real_pid(lab: Lab, name: str) -> int:
    """The pid on this machine of the process that labkit calls `name`."""
    rows = lab.backend.look([])["processes"]
    lab.snapshot("processes")
    return next(row["pid"] for row in rows if lab.naming.process(row["pid"]) == name)


def inode(lab: Lab, name: str, kind: str) -> int:
    """The namespace of a process, as the kernel names it."""
    return int(os.readlink(f"/proc/{real_pid(lab, name)}/ns/{kind}").partition("[")[2].rstrip("]"))


def space(lab: Lab, kind: str, *, member: str = "", held: str = "") -> Namespace:
    """The namespace of that kind in which `member` is, or that `held` keeps open."""
    found = [
        fact for fact in lab.facts("namespaces") if isinstance(fact, Namespace) and fact.kind == kind
        and (member in fact.members if member else any(held in by for by in fact.held_by))
    ]  # fmt: skip
    assert len(found) == 1, found
    return found[0]


def mapped(kind: str, child: str) -> list[Step]:
    """In a user namespace nobody has a number before the maps are written."""
    return [MapIds(child=child)] if kind == "user" else []


@every_kind
def test_made_at_birth(lab: Lab, kind: str) -> None:
    lab.take_all([Spawn(child="me", namespaces=(kind,)), *mapped(kind, "me")])
    for each in ALL:
        assert (inode(lab, "me", each) != inode(lab, "host", each)) == (each == kind)
    made = space(lab, kind, member="me")
    assert made.members == ("me",)
    assert "me" not in space(lab, kind, member="host").members


@every_kind
def test_made_by_unshare(lab: Lab, kind: str) -> None:
    lab.take_all([Spawn(child="me"), Unshare(who="me", namespaces=(kind,)), Spawn(who="me", child="child")])
    moved = {who: inode(lab, who, kind) != inode(lab, "host", kind) for who in ("me", "child")}
    assert moved == {"me": kind not in DEFERRED, "child": True}
    assert "child" in space(lab, kind, member="child").members


@every_kind
def test_joined(lab: Lab, kind: str) -> None:
    lab.take_all([Spawn(child="other", namespaces=(kind,)), *mapped(kind, "other"), Spawn(child="me")])
    lab.take_all([Join(who="me", target="other", namespaces=(kind,))])
    if kind != "user":  # in there it is nobody, and has no right to start another
        lab.take(Spawn(who="me", child="child"))
    member = "me" if kind == "user" else "child"
    assert inode(lab, member, kind) == inode(lab, "other", kind) != inode(lab, "host", kind)
    assert (inode(lab, "me", kind) == inode(lab, "other", kind)) == (kind != "pid")
    assert {"other", member} <= set(space(lab, kind, member="other").members)


def test_joined_all_at_once(lab: Lab) -> None:
    kinds = tuple(kind for kind in ALL if kind != "user")
    lab.take_all([Spawn(child="other", namespaces=kinds), Spawn(child="me")])
    lab.take_all([Join(who="me", target="other", namespaces=kinds), Spawn(who="me", child="child")])
    assert [inode(lab, "child", kind) for kind in kinds] == [inode(lab, "other", kind) for kind in kinds]


def held_open(kind: str) -> list[Step]:
    """A namespace of `kind`, held by a mount, whose only process has died."""
    path = f"/run/held/{kind}"
    place: list[Step] = [MakeDirectory(path="/run/held")]
    if kind == "mnt":  # it may be held only where it would not see itself being held: namespaces(7)
        place += [Bind(source="/run/held", target="/run/held", recursive=False), MakePrivate(target="/run/held")]
    return [*place, Spawn(child="first", namespaces=(kind,)), *mapped(kind, "first"),
            Hold(target="first", namespace=kind, path=path), Kill(target="first")]  # fmt: skip


@pytest.fixture
def lab_on_one_cpu(nothing_is_left: None) -> Iterator[Lab]:
    """A lab whose processes stay on one CPU.

    The kernel lets a mount namespace be mounted only in an older one, lest two hold each other for ever. Since
    6.18 the age is an id of which each CPU has a stock of its own: made on two CPUs, the younger may look older
    (EINVAL, about one time in ten on two CPUs).
    """
    where = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(where)})
    try:
        with Lab() as one:
            yield one
    finally:
        os.sched_setaffinity(0, where)


@every_kind
def test_held_open_after_its_last_process(lab_on_one_cpu: Lab, kind: str) -> None:
    lab = lab_on_one_cpu
    steps = held_open(kind)
    lab.take_all(steps[:-1])
    before = inode(lab, "first", kind)
    lab.take(steps[-1])
    kept = space(lab, kind, held=f"/run/held/{kind}")
    assert kept.members == ()
    path = f"/proc/{lab.info['pid']}/root/run/held/{kind}"
    assert os.stat(path).st_ino == before
    lab.take(Unmount(target=f"/run/held/{kind}"))
    assert all(kept.name != fact.name for fact in lab.facts("namespaces") if isinstance(fact, Namespace))


@every_kind
def test_entered_again_where_it_is_held(lab_on_one_cpu: Lab, kind: str) -> None:
    lab = lab_on_one_cpu
    lab.take_all(held_open(kind))
    kept = os.stat(f"/proc/{lab.info['pid']}/root/run/held/{kind}").st_ino
    lab.take_all([Spawn(child="me"), Enter(who="me", path=f"/run/held/{kind}", namespace=kind)])
    if kind == "pid":  # its init is dead: it can be held, and entered, but never lived in again
        with pytest.raises(Exception, match="ENOMEM"):
            lab.take(Spawn(who="me", child="child"))
        return
    assert inode(lab, "me", kind) == kept
    assert space(lab, kind, held="/run/held").members == ("me",)


@every_kind
def test_nested(lab: Lab, kind: str) -> None:
    """One in another, three deep: a tree for pid and user, and simply another one for the rest."""
    lab.take_all([Spawn(child="one", namespaces=(kind,)), *mapped(kind, "one")])
    deeper = MapIds(who="one", child="two", uids=((0, 0, 10),), gids=((0, 0, 10),))
    if kind == "user":
        from labkit.namespaces.dumpable import SetDumpable
        from labkit.namespaces.users import BecomeUser

        lab.take_all([BecomeUser(who="one", uid=0, gid=0), SetDumpable(who="one")])
    lab.take_all([Spawn(who="one", child="two", namespaces=(kind,)), *([deeper] if kind == "user" else [])])
    assert len({inode(lab, who, kind) for who in ("host", "one", "two")}) == 3
    spaces = [space(lab, kind, member=who) for who in ("host", "one", "two")]
    parents = [spaces[1].parent, spaces[2].parent]
    assert parents == ([spaces[0].name, spaces[1].name] if kind in ("pid", "user") else ["", ""])
    processes = {fact.name: fact for fact in lab.facts("processes") if isinstance(fact, Process)}
    assert len(processes["two"].pids) == (3 if kind == "pid" else 1)
    if kind == "user":
        maps = {fact.ns: fact.uid_map for fact in lab.facts("users") if isinstance(fact, IdMap)}
        assert maps[spaces[2].name] == ((0, 100000, 10),), "told in the numbers of the machine"


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "user"])  # whose owner is its parent: test_nested
def test_its_owner_is_the_user_namespace_that_made_it(lab: Lab, kind: str) -> None:
    lab.take_all([Spawn(child="mine", namespaces=("user", kind)), MapIds(child="mine")])
    lab.take(Spawn(child="hosts", namespaces=(kind,)))
    user = space(lab, "user", member="mine")
    assert space(lab, kind, member="mine").owner == user.name
    assert space(lab, kind, member="hosts").owner == space(lab, "user", member="host").name
    fd = os.open(f"/proc/{real_pid(lab, 'mine')}/ns/{kind}", os.O_RDONLY)
    owner = nsfs.userns(fd)
    assert nsfs.identity(owner) == inode(lab, "mine", "user")
    os.close(fd)
    os.close(owner)


def listed(pid: int, columns: str) -> list[dict[str, Any]]:
    """The rows of lsns for one process; once more where some other process has vanished under its eyes."""
    for _ in range(50):
        done = subprocess.run(["lsns", "-J", "-p", str(pid), "-o", columns], capture_output=True, check=False)
        if done.returncode == 0:
            rows: list[dict[str, Any]] = json.loads(done.stdout)["namespaces"]
            return rows
    raise AssertionError(done.stderr)


def lsns(pids: Iterable[int]) -> dict[tuple[str, int], set[int]]:
    """What lsns(8) says: the processes of each namespace, of those in `pids`."""
    found: dict[tuple[str, int], set[int]] = {}
    for pid in pids:
        for row in listed(pid, "NS,TYPE"):
            found.setdefault((row["type"], int(row["ns"])), set()).add(pid)
    return found


@pytest.mark.skipif(not shutil.which("lsns"), reason="lsns (util-linux) is not installed")
def test_the_list_is_that_of_lsns(lab: Lab) -> None:
    lab.take_all([Spawn(child=f"only-{kind}", namespaces=(kind,)) for kind in ALL])
    lab.take_all([MapIds(child="only-user"), Spawn(child="all", namespaces=ALL), Spawn(child="guest")])
    lab.take(Join(who="guest", target="only-net", namespaces=("net",)))
    program = Exec(who="main", argv=("sleep", "1000"))
    lab.take_all([Spawn(child="box", namespaces=("pid",)), Spawn(who="box", child="main"), program])
    lab.take(ServeAsInit(who="box", program="main"))
    pids = {real_pid(lab, fact.name): fact.name for fact in lab.facts("processes") if isinstance(fact, Process)}
    theirs = {(kind, frozenset(pids[pid] for pid in members)) for (kind, _), members in lsns(pids).items()}
    spaces = [fact for fact in lab.facts("namespaces") if isinstance(fact, Namespace)]
    ours = {(fact.kind, frozenset(fact.members)) for fact in spaces}
    assert ours == theirs
    assert len(spaces) == len(lsns(pids))
    assert len({fact.name for fact in spaces}) == len(spaces), "each has a name of its own"


@pytest.mark.skipif(not shutil.which("lsns"), reason="lsns (util-linux) is not installed")
def test_owners_and_parents_are_those_of_lsns(lab: Lab) -> None:
    lab.take_all([Spawn(child="mine", namespaces=("user", "pid", "net")), MapIds(child="mine")])
    pid = real_pid(lab, "mine")
    by_kind = {row["type"]: row for row in listed(pid, "NS,TYPE,PNS,ONS")}
    assert int(by_kind["net"]["ons"]) == inode(lab, "mine", "user")
    assert int(by_kind["pid"]["pns"]) == inode(lab, "host", "pid")
    assert space(lab, "net", member="mine").owner == space(lab, "user", member="mine").name
    assert space(lab, "pid", member="mine").parent == space(lab, "pid", member="host").name


@pytest.mark.parametrize("kinds", [("pid", "pid_"), ("",), ("mount",), ("MNT",)])
def test_an_unknown_kind_is_told_with_those_there_are(lab: Lab, kinds: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match=r"no namespace kind .*; there are mnt, uts, ipc, pid, net, user, cgroup, time"):
        lab.take(Spawn(child="me", namespaces=kinds))
