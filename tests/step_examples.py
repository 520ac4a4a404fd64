"""A short plan for every kind of step: what it needs, then the step itself, last.

Each runs in a fresh lab host. The tests of the invariants go through them all, so that a new kind of
step is held to every promise as soon as it has an example, and fails until it has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pkgutil import walk_packages

import labkit
from labkit.cgroups.change import EnterCgroup, Freeze, HandDown, KillCgroup, MakeThreaded, SetLimit
from labkit.cgroups.devices import AllowDevices, AttachDeviceProgram, DetachDeviceProgram
from labkit.cgroups.make import MakeCgroup, RemoveCgroup
from labkit.container.joining import JoinPid, SpawnInside
from labkit.linux.constants import (
    MS_BIND,
    MS_MOVE,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    MS_SHARED,
    SIGKILL,
)
from labkit.namespaces.dumpable import ClearDumpable, SetDumpable
from labkit.namespaces.files import ChangeOwner, MakeDirectory, Remove, WriteFile
from labkit.namespaces.filesystems import BuildDev, HidePaths, MaskPath, MountDevpts, MountProc, MountSysfs
from labkit.namespaces.mounts import (
    Bind,
    MakePrivate,
    MakeShared,
    MakeSlave,
    MakeUnbindable,
    Mount,
    RemountReadOnly,
    Unmount,
)
from labkit.namespaces.names import LoopbackUp, MakeMessageQueue, SetClockOffsets, SetDomainname, SetHostname
from labkit.namespaces.ports import Listen, StopListening
from labkit.namespaces.privileges import (
    DropCapabilities,
    InheritCapabilities,
    NewSessionKeyring,
    NoNewPrivileges,
    RaiseAmbient,
)
from labkit.namespaces.processes import Exec, Kill, NewSession, Reap, ServeAsInit, TakeTerminal
from labkit.namespaces.reading import ReadFile
from labkit.namespaces.roots import ChangeDirectory, Chroot, DetachOldRoot, EscapeChroot, PivotRoot
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Enter, Hold, Join, Spawn, Unshare
from labkit.namespaces.users import BecomeUser, MapIds
from labkit.network.links import AddAddress, MakeVeth, RemoveLink, SetLink
from labkit.network.shaping import MakeHtb, RemoveQdisc, SetClass, ShapeLink
from labkit.overlay.mount import MountOverlay
from labkit.steps.plan import Plan
from labkit.steps.step import Step

SLEEP = ("sleep", "1000")
_ME = Spawn(child="me")
_D, _E = MakeDirectory(path="/tmp/d"), MakeDirectory(path="/tmp/e")
_TMPFS = Mount(type="tmpfs", target="/tmp/d")
_OWN = Spawn(child="me", namespaces=("mnt",))


def _examples() -> Iterator[tuple[str, list[Step]]]:
    yield "MakeDirectory", [MakeDirectory(path="/tmp/a b", mode=0o1770)]
    yield "Remove a file", [WriteFile(path="/tmp/f", text=""), Remove(path="/tmp/f")]
    yield "Remove a directory", [_D, Remove(path="/tmp/d", directory=True)]
    yield "ChangeOwner", [_D, ChangeOwner(path="/tmp/d", uid=1000, gid=1001)]
    yield "WriteFile", [WriteFile(path="/tmp/f", text="it's 100 %\n\tand \\n\n", mode=0o600)]
    yield "WriteFile again", [WriteFile(path="/tmp/f", text="one two"), WriteFile(path="/tmp/f", text="3")]
    yield "MakeCgroup", [MakeCgroup(path="/sys/fs/cgroup/g")]
    yield "RemoveCgroup", [MakeCgroup(path="/sys/fs/cgroup/g"), RemoveCgroup(path="/sys/fs/cgroup/g")]
    yield from _cgroups()
    yield from _mounting()
    yield from _roots()
    yield from _inside()
    yield from _processes()
    yield from _namespaces()
    yield from _network()


def _cgroups() -> Iterator[tuple[str, list[Step]]]:
    group = "/sys/fs/cgroup/g"
    made, limit = MakeCgroup(path=group), SetLimit(path=group, file="cgroup.max.descendants", value="2")
    yield "SetLimit", [made, limit]
    yield "SetLimit to none", [made, limit, SetLimit(path=group, file="cgroup.max.descendants", value="max")]
    yield "HandDown nothing", [made, HandDown(path=group, controllers=())]
    yield "MakeThreaded", [made, MakeCgroup(path=f"{group}/a"), MakeThreaded(path=f"{group}/a")]
    yield "EnterCgroup", [made, Spawn(child="me"), EnterCgroup(who="me", path=group)]
    yield "EnterCgroup with another", [made, Spawn(child="me"), EnterCgroup(path=group, process="me")]
    yield "Freeze", [made, Spawn(child="me", cgroup=group), Freeze(path=group), Freeze(path=group, frozen=False)]
    attached = AttachDeviceProgram(path=group, rules=("c 1:3 rwm", "c 136:* rw"))
    yield "AttachDeviceProgram", [made, attached]
    yield "AttachDeviceProgram again", [made, attached, AttachDeviceProgram(path=group, rules=())]
    yield "DetachDeviceProgram", [made, attached, DetachDeviceProgram(path=group)]
    old = "/run/cgroup1/devices/g"
    yield "AllowDevices", [MakeCgroup(path=old), AllowDevices(path=old, rules=("c 1:3 rwm", "b *:* m"))]
    older = AllowDevices(path=f"{old}2", rules=("c 1:3 r",))
    yield "AllowDevices again", [MakeCgroup(path=f"{old}2"), older, AllowDevices(path=f"{old}2", rules=())]
    yield "KillCgroup", [made, Spawn(child="me", cgroup=group), Exec(who="me", argv=SLEEP), KillCgroup(path=group)]


def _mounting() -> Iterator[tuple[str, list[Step]]]:
    yield "Mount", [_D, _TMPFS]
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY
    yield "Mount with flags", [_D, Mount(type="tmpfs", target="/tmp/d", source="mine", flags=flags, data="size=1024k")]
    yield "Unmount", [_D, _TMPFS, Unmount(target="/tmp/d")]
    yield "Unmount lazily", [_D, _TMPFS, Spawn(child="me"), ChangeDirectory(who="me", path="/tmp/d"),
                             Unmount(target="/tmp/d", lazy=True)]  # fmt: skip
    yield (
        "Bind",
        [_D, _E, Mount(type="tmpfs", target="/tmp/e"), Bind(source="/tmp/e", target="/tmp/d", recursive=False)],
    )
    yield "Bind recursively", [_D, Bind(source="/dev", target="/tmp/d")]
    yield "Bind a file", [WriteFile(path="/tmp/f", text="x"), WriteFile(path="/tmp/g", text="y"),
                          Bind(source="/tmp/f", target="/tmp/g", recursive=False)]  # fmt: skip
    yield "RemountReadOnly", [_D, _TMPFS, RemountReadOnly(target="/tmp/d", flags=MS_NOEXEC)]
    yield "MakePrivate", [MakePrivate()]
    yield "MakePrivate in a namespace of its own", [_OWN, MakePrivate(who="me")]
    yield "MakeSlave", [_OWN, MakeSlave(who="me")]
    yield "MakeShared", [_D, _TMPFS, MakePrivate(target="/tmp/d"), MakeShared(target="/tmp/d", recursive=False)]
    yield "MakeUnbindable", [_D, _TMPFS, MakeUnbindable(target="/tmp/d", recursive=False)]
    bound = Mount(type="none", source="/tmp", target="/tmp/d", flags=MS_BIND)
    yield "Mount that binds", [_D, bound]
    again = Mount(type="tmpfs", target="/tmp/d", flags=MS_REMOUNT | MS_BIND | MS_RDONLY)
    yield "Mount that remounts", [_D, _TMPFS, again]
    yield "Mount that shares", [_D, _TMPFS, Mount(type="none", target="/tmp/d", flags=MS_SHARED | MS_REC)]
    moved = Mount(type="none", source="/tmp/d", target="/tmp/e", flags=MS_MOVE)
    yield "Mount that moves", [MakePrivate(), _D, _E, _TMPFS, moved]
    yield "MountProc", [_D, MountProc(target="/tmp/d")]
    yield "MountSysfs", [_D, MountSysfs(target="/tmp/d")]
    yield "MountDevpts", [_D, MountDevpts(target="/tmp/d")]
    yield "BuildDev", [_D, BuildDev(target="/tmp/d")]
    yield "BuildDev by binding", [_D, BuildDev(target="/tmp/d", bind=True)]
    yield "HidePaths", [_OWN, MakePrivate(who="me"), HidePaths(who="me")]
    yield "MaskPath a file", [MaskPath(path="/proc/version")]
    yield "MaskPath a directory", [MaskPath(path="/proc/bus", directory=True)]
    yield (
        "MountOverlay",
        [MountOverlay(lower=("/usr/share", "/usr/lib"), directory="/run/lab/o", target="/run/lab/o/root")],
    )


def _roots() -> Iterator[tuple[str, list[Step]]]:
    yield "Chroot", [_ME, Chroot(who="me", path="/run/lab/images/busybox")]
    yield "EscapeChroot", [_ME, _D, Bind(who="me", source="/usr", target="/tmp/d", recursive=False),
                           Chroot(who="me", path="/"), EscapeChroot(who="me")]  # fmt: skip
    private = [_OWN, MakePrivate(who="me"), *_overlay("me")]
    yield "PivotRoot", [*private, PivotRoot(who="me", new_root="/run/lab/me/root")]
    yield "DetachOldRoot", [*private, PivotRoot(who="me", new_root="/run/lab/me/root"), DetachOldRoot(who="me")]
    yield "ChangeDirectory", [_ME, ChangeDirectory(who="me", path="/tmp")]


def _overlay(who: str) -> list[Step]:
    return [
        MountOverlay(
            who=who, lower=("/run/lab/images/busybox",), directory=f"/run/lab/{who}", target=f"/run/lab/{who}/root"
        )
    ]


def _inside() -> Iterator[tuple[str, list[Step]]]:
    yield "SetHostname", [SetHostname(name="alpha")]
    yield "SetDomainname", [SetDomainname(name="alpha.example")]
    yield "LoopbackUp", [Spawn(child="me", namespaces=("net",)), LoopbackUp(who="me")]
    yield "Listen", [_ME, Listen(who="me", port=8080)]
    yield "Listen on one address", [_ME, Listen(who="me", port=80, address="127.0.0.2")]
    yield "StopListening", [_ME, Listen(who="me", port=8080), StopListening(who="me", port=8080)]
    yield "MakeMessageQueue", [MakeMessageQueue(key=42)]
    yield "SetClockOffsets", [_ME, Unshare(who="me", namespaces=("time",)),
                              SetClockOffsets(who="me", monotonic=86400, boottime=3600)]  # fmt: skip
    yield "DropCapabilities", [_ME, DropCapabilities(who="me")]
    yield "DropCapabilities all", [_ME, DropCapabilities(who="me", keep=())]
    inherit = InheritCapabilities(who="me", names=("CAP_KILL", "CAP_CHOWN"))
    yield "InheritCapabilities", [_ME, DropCapabilities(who="me"), inherit]
    yield (
        "RaiseAmbient",
        [_ME, DropCapabilities(who="me"), inherit, RaiseAmbient(who="me", names=("CAP_KILL", "CAP_CHOWN"))],
    )
    yield "NoNewPrivileges", [_ME, NoNewPrivileges(who="me")]
    yield "NewSessionKeyring", [_ME, NewSessionKeyring(who="me")]
    yield "BecomeUser", [_ME, BecomeUser(who="me", uid=1000, gid=1001, groups=(7, 8))]
    yield "BecomeUser without groups", [_ME, BecomeUser(who="me", uid=1000, gid=1000)]
    own = Spawn(child="me", namespaces=("user", "uts"))
    yield "MapIds", [own, MapIds(child="me")]
    yield "MapIds of oneself", [own, MapIds(who="me", uids=((0, 0, 1),), gids=((0, 0, 1),), deny_setgroups=True)]


def _processes() -> Iterator[tuple[str, list[Step]]]:
    yield "Spawn", [_ME]
    yield "Exec", [_ME, Exec(who="me", argv=SLEEP)]
    yield "Exec with an environment", [_ME, Exec(who="me", argv=("/usr/bin/env", "sleep", "1000"),
                                                 environment=(("PATH", "/bin"), ("A", "it's $A")))]  # fmt: skip
    yield "Exec with other clocks", [_ME, Unshare(who="me", namespaces=("time",)),
                                     SetClockOffsets(who="me", monotonic=9, boottime=9),
                                     Exec(who="me", argv=SLEEP)]  # fmt: skip
    yield "Exec with a port", [_ME, Listen(who="me", port=8080), Exec(who="me", argv=SLEEP)]
    yield "Kill", [_ME, Exec(who="me", argv=SLEEP), Kill(target="me")]
    child = [_ME, Spawn(who="me", child="child"), Exec(who="child", argv=SLEEP)]
    yield "Kill by the parent", [*child, Kill(who="me", target="child")]
    yield "Reap", [*child, Kill(who="me", target="child"), Reap(who="me", target="child")]
    yield "SignalPid to an init", [Spawn(child="me", namespaces=("pid",)), Spawn(who="me", child="child"),
                                   SignalPid(who="child", pid=1, signal=SIGKILL)]  # fmt: skip
    yield "ReadFile", [_ME, ReadFile(who="me", path="/proc/self/uid_map")]
    yield "ClearDumpable", [_ME, ClearDumpable(who="me")]
    yield "SetDumpable", [_ME, BecomeUser(who="me", uid=1000, gid=1000), SetDumpable(who="me")]
    yield "NewSession", [_ME, NewSession(who="me")]
    own = Spawn(child="me", namespaces=("pid",))
    yield (
        "ServeAsInit",
        [own, Spawn(who="me", child="main"), Exec(who="main", argv=SLEEP), ServeAsInit(who="me", program="main")],
    )


def _namespaces() -> Iterator[tuple[str, list[Step]]]:
    for kind in ("mnt", "pid", "user", "uts", "ipc", "net", "cgroup", "time"):
        yield f"Spawn with a {kind} namespace", [Spawn(child="me", namespaces=(kind,))]
        yield f"Unshare the {kind} namespace", [_ME, Unshare(who="me", namespaces=(kind,))]
    yield "Spawn into a cgroup", [MakeCgroup(path="/sys/fs/cgroup/g"), Spawn(child="me", cgroup="/sys/fs/cgroup/g")]
    yield "Spawn after unshare of pid", [_ME, Unshare(who="me", namespaces=("pid",)), Spawn(who="me", child="first")]
    two = Spawn(who="one", child="two", namespaces=("pid", "uts"))
    three = Spawn(who="two", child="three", namespaces=("pid",))
    yield "Spawn three deep", [Spawn(child="one", namespaces=("pid",)), two, three]
    other = Spawn(child="other", namespaces=("uts", "ipc", "net", "cgroup", "mnt"))
    for kind in ("mnt", "uts", "ipc", "net", "cgroup"):
        yield (
            f"Join the {kind} namespace",
            [other, Spawn(child="me"), Join(who="me", target="other", namespaces=(kind,))],
        )
    yield "Join the pid namespace", [Spawn(child="other", namespaces=("pid",)), _ME,
                                     Join(who="me", target="other", namespaces=("pid",))]  # fmt: skip
    yield "Join the user namespace", [Spawn(child="other", namespaces=("user",)), MapIds(child="other"), _ME,
                                      Join(who="me", target="other", namespaces=("user",))]  # fmt: skip
    for kind in ("uts", "ipc", "net", "cgroup"):
        hold = Hold(target="other", namespace=kind, path=f"/run/netns/{kind}")
        yield f"Hold the {kind} namespace", [other, hold]
        yield (
            f"Enter the {kind} namespace",
            [other, hold, _ME, Enter(who="me", path=f"/run/netns/{kind}", namespace=kind)],
        )
    yield "SpawnInside", [Spawn(child="other", namespaces=("uts", "pid")), Spawn(child="joiner"),
                          SpawnInside(who="joiner", pid=3, child="inner", namespaces=("uts", "pid"))]  # fmt: skip
    yield "JoinPid", [Spawn(child="me", namespaces=("uts",)), JoinPid(who="me", pid=1, namespaces=("uts",))]


def _pair(name: str) -> list[Step]:
    """A process with a link in a network namespace of its own, the other end of which is `name`."""
    macs = {"mac": "02:00:0a:09:00:01", "peer_mac": "02:00:0a:09:00:02"}
    return [Spawn(child="me", namespaces=("net",)), MakeVeth(name=name, target="me", **macs)]


def _network() -> Iterator[tuple[str, list[Step]]]:
    yield "MakeVeth", _pair("veth0")
    yield "RemoveLink", [*_pair("veth1"), RemoveLink(name="veth1")]
    yield "RemoveLink at the other end", [*_pair("veth2"), RemoveLink(who="me", name="eth0")]
    yield "SetLink up", [*_pair("veth3"), SetLink(who="me", name="eth0")]
    address = AddAddress(who="me", link="eth0", address="10.9.0.2/24")
    yield "SetLink down", [*_pair("veth4"), SetLink(who="me", name="eth0"), address,
                           SetLink(who="me", name="eth0", up=False)]  # fmt: skip
    yield "AddAddress", [*_pair("veth5"), SetLink(who="me", name="eth0"), address]
    yield "AddAddress to one that is down", [*_pair("veth6"), AddAddress(link="veth6", address="10.9.6.1/30")]
    away = replace(address, remove=True)
    yield "AddAddress, remove", [*_pair("veth7"), SetLink(who="me", name="eth0"), address, away]
    bucket = ShapeLink(who="me", link="eth0", rate=8_000_000, burst=16384, limit=66384)
    yield "ShapeLink", [*_pair("veth8"), bucket]
    yield "ShapeLink in the lab host", [*_pair("veth9"), bucket, replace(bucket, who="host", link="veth9", rate=10**9)]
    yield "ShapeLink anew", [*_pair("veth10"), bucket, replace(bucket, rate=100_000, burst=1514, limit=1514)]
    yield "RemoveQdisc", [*_pair("veth11"), bucket, RemoveQdisc(who="me", link="eth0")]
    tree = MakeHtb(who="me", link="eth0", default="20")
    one = SetClass(who="me", link="eth0", handle="1:20", rate=4_000_000, ceil=8_000_000, burst=16384)
    yield "MakeHtb", [*_pair("veth12"), tree]
    yield "SetClass", [*_pair("veth13"), tree, one]
    yield "SetClass anew", [*_pair("veth14"), tree, one, replace(one, rate=1_000_000)]


#: kinds that need more than a lab host: this one a terminal as standard input
NEED_MORE = {TakeTerminal}
EXAMPLES = tuple(Plan.of(name, (name, steps)) for name, steps in _examples())


def kinds_without_example() -> set[str]:
    """Names of the step classes of labkit that no example ends with."""
    rooms = ("namespaces", "overlay", "cgroups", "network", "container")
    for module in walk_packages(labkit.__path__, "labkit."):
        if module.name.startswith(tuple(f"labkit.{room}." for room in rooms)):
            __import__(module.name)
    shown = {type(plan[-1]) for plan in EXAMPLES} | NEED_MORE
    return {kind.__name__ for kind in _kinds(Step) if not kind.__name__.startswith("_") and kind not in shown}


def _kinds(base: type[Step]) -> Iterator[type[Step]]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith("labkit."):
            yield kind
        yield from _kinds(kind)
