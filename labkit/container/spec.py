"""From a description of a container to the plan that makes it: a pure function.

The default is what an engine does: six namespaces, a thin layer over an image, /proc, /sys and a small
/dev of its own, a new root, a name, few capabilities. Each part of it is one step of `labkit.namespaces`,
so that a lesson can leave one out and look at what breaks.

See: the OCI runtime specification, config.md, for what a container consists of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from labkit.cgroups.hold import PLAIN, Held
from labkit.image.accounts import Account
from labkit.linux.constants import MS_NODEV
from labkit.namespaces.dumpable import ClearDumpable
from labkit.namespaces.files import ChangeOwner, MakeDirectory
from labkit.namespaces.filesystems import BuildDev, HidePaths, MountProc, MountSysfs
from labkit.namespaces.mounts import Bind, MakePrivate
from labkit.namespaces.names import LoopbackUp, SetHostname
from labkit.namespaces.privileges import DropCapabilities, NewSessionKeyring, NoNewPrivileges
from labkit.namespaces.processes import PATH, Environment, Exec, NewSession, ServeAsInit, TakeTerminal
from labkit.namespaces.roots import ChangeDirectory, Chroot, DetachOldRoot, PivotRoot
from labkit.namespaces.spawn import Spawn, Unshare
from labkit.namespaces.users import BecomeUser, Extent, MapIds
from labkit.overlay.mount import MountOverlay
from labkit.steps.backends.base import Part
from labkit.steps.plan import Plan
from labkit.steps.step import Step

#: where file systems are mounted in every container, in this order
PLACES = ("proc", "sys", "dev")
NAMESPACES = ("mnt", "pid", "uts", "ipc", "net", "cgroup")
LAB = "/run/lab"
CGROUPS = "/sys/fs/cgroup"

#: stands for the name in the plan that many containers share: no string for the kernel can contain NUL
HOLE = "\0name\0"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a container should be. `image` is the name under /run/lab/images; uids and gids are numbers.

    `missing` are the places for /proc, /sys and /dev that the image does not have; `put_old` is a name at
    its top that it does not use either: there the old root lies for a moment. `hide_runtime` keeps the
    program that makes the container out of the container's sight; only the machine's root can do that. `hold`
    is what it takes to limit it, and to count what it uses. Without a `user` it stays root. With `home_given` the HOME
    in `environment` is no user's of the image, but was asked for.
    """

    name: str
    image: str
    argv: tuple[str, ...] = ("sh",)
    hostname: str = ""
    environment: Environment = (("PATH", PATH),)
    namespaces: tuple[str, ...] = NAMESPACES
    user: Account | None = None
    home_given: bool = False
    uids: tuple[Extent, ...] = ((0, 100000, 65536),)
    workdir: str = "/"
    init: bool = False
    tty: bool = False
    cgroup: bool = True
    hold: Held = PLAIN
    bind_devices: bool = False
    userxattr: bool = False
    hide_runtime: bool = True
    missing: tuple[str, ...] = ()
    put_old: str = "old"

    @property
    def directory(self) -> str:
        """Where its thin layer lies in the lab host."""
        return f"{LAB}/{self.name}"

    def at_home(self, account: Account) -> Spec:
        """The same container with the HOME of `account`, unless one was given for all that run in it."""
        if self.home_given:
            return self
        environment = tuple((key, account.home if key == "HOME" else value) for key, value in self.environment)
        return replace(self, environment=environment)

    def owner(self, user: Account | None) -> int | None:
        """The uid in the lab of `user` of the container (None: its root); None where its user namespace has no such."""
        uid = user.uid if user else 0
        if "user" not in self.namespaces:
            return uid
        extents = ((outside + uid - inside, uid - inside, count) for inside, outside, count in self.uids)
        return next((number for number, place, count in extents if 0 <= place < count), None)

    @property
    def cgroup_path(self) -> str:
        """Its cgroup, as the lab host sees it; empty without one."""
        return f"{CGROUPS}/{self.name}" if self.cgroup else ""


def plan(spec: Spec, *, with_exec: bool = True) -> Plan:
    """The steps that make the container `spec` describes, the program last."""
    return Plan.of(
        f"container {spec.name}",
        ("a process in namespaces of its own", _processes(spec)),
        ("a root file system of its own", _root(spec)),
        ("an identity of its own", _identity(spec)),
        ("fewer rights", _rights(spec)),
        ("the program", _program(spec) if with_exec else ()),
    )


def template(spec: Spec) -> tuple[Part, ...]:
    """The parts of the plan for `spec` with `HOLE` for the name: made once for all that differ in nothing else."""
    named_so = spec.hostname in ("", spec.name)
    return _parts(replace(spec, name=HOLE, hostname=HOLE if named_so else spec.hostname))


@lru_cache(maxsize=64)
def _parts(spec: Spec) -> tuple[Part, ...]:
    return plan(spec).parts()


def remains(spec: Spec) -> dict[str, list[str]]:
    """What of it the kernel does not clear when its last process has gone."""
    return {
        "cgroups": spec.hold.paths(spec.name) if spec.cgroup else [],
        "mounts": [] if "mnt" in spec.namespaces else [f"{spec.directory}/root"],
        "trees": [spec.directory],
    }


def _processes(spec: Spec) -> Iterator[Step]:
    if spec.cgroup:
        yield from spec.hold.making(spec.name)
    at_birth = tuple(kind for kind in spec.namespaces if kind != "cgroup")
    user = "user" in at_birth
    if user or not spec.cgroup:  # one of the two is the first to be made, and fails if the name is taken
        yield MakeDirectory(path=spec.directory)
    if user:
        outside = spec.uids[0][1]
        yield ChangeOwner(path=spec.directory, uid=outside, gid=outside)
    yield Spawn(child=spec.name, namespaces=at_birth, cgroup=spec.cgroup_path)
    if user:
        yield MapIds(child=spec.name, uids=spec.uids, gids=spec.uids)
    yield from spec.hold.joining(spec.name, spec.name)  # as the lab's root still, and while the trees are in sight
    if user:
        yield BecomeUser(who=spec.name, uid=0, gid=0)  # until now it is the lab's root, who has no number inside
    if "cgroup" in spec.namespaces:  # only now: the new root is the cgroup one is in
        yield Unshare(who=spec.name, namespaces=("cgroup",))
    yield NewSessionKeyring(who=spec.name)
    if not spec.tty:
        yield NewSession(who=spec.name)


def _root(spec: Spec) -> Iterator[Step]:
    who, new = spec.name, f"{spec.directory}/root"
    mine = "mnt" in spec.namespaces
    user = "user" in spec.namespaces
    if mine:
        yield MakePrivate(who=who)
    yield MountOverlay(
        who=who, lower=(f"{LAB}/images/{spec.image}",), directory=spec.directory, target=new,
        userxattr=spec.userxattr or user, flags=MS_NODEV,  # an image may hold the number of any disk
    )  # fmt: skip
    # The root is changed before anything is mounted in it: a link that the image has (or gets, while we are at
    # it) in place of /proc or /dev then leads somewhere inside the image, and not out of it. Only whoever has
    # to borrow the machine's devices needs them within reach until the end.
    bind = spec.bind_devices or user or spec.hold.devices is not None  # in all of these mknod(2) may be refused
    outside = not mine and bind
    at, old = (new if outside else ""), (f"/{spec.put_old}" if mine else "")
    if mine:
        yield PivotRoot(who=who, new_root=new, put_old=spec.put_old)
    elif not outside:
        yield Chroot(who=who, path=new)
    for place in spec.missing:
        yield MakeDirectory(who=who, path=f"{at}/{place}")
    if "pid" in spec.namespaces or not (mine or outside):
        yield MountProc(who=who, target=f"{at}/proc")
    else:
        yield Bind(who=who, source=f"{old}/proc", target=f"{at}/proc")
    if "net" in spec.namespaces or not (mine or outside):
        yield MountSysfs(who=who, target=f"{at}/sys")
    else:
        yield Bind(who=who, source=f"{old}/sys", target=f"{at}/sys")
    yield BuildDev(who=who, target=f"{at}/dev", source=f"{old}/dev", bind=bind)
    if mine:
        yield DetachOldRoot(who=who, put_old=old)
    elif outside:
        yield Chroot(who=who, path=new)


def _identity(spec: Spec) -> Iterator[Step]:
    if "uts" in spec.namespaces:
        yield SetHostname(who=spec.name, name=spec.hostname or spec.name)
    if "net" in spec.namespaces:
        yield LoopbackUp(who=spec.name)
    if spec.workdir != "/":
        yield ChangeDirectory(who=spec.name, path=spec.workdir)


def _rights(spec: Spec) -> Iterator[Step]:
    if "mnt" in spec.namespaces:
        yield HidePaths(who=spec.name)
    yield DropCapabilities(who=spec.name)
    if spec.user:
        yield BecomeUser(who=spec.name, uid=spec.user.uid, gid=spec.user.gid, groups=spec.user.groups)
    yield NoNewPrivileges(who=spec.name)


def _program(spec: Spec) -> Iterator[Step]:
    if spec.tty:
        yield TakeTerminal(who=spec.name)
    if not spec.init:
        yield Exec(who=spec.name, argv=spec.argv, environment=spec.environment)
        return
    program = f"{spec.name}.main"
    if spec.hide_runtime:
        yield ClearDumpable(who=spec.name)
    yield Spawn(who=spec.name, child=program)
    yield Exec(who=program, argv=spec.argv, environment=spec.environment)
    yield ServeAsInit(who=spec.name, program=program)
