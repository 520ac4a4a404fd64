"""Random plans for property-based tests: valid ones, of nearly all kinds of steps.

A plan is drawn move by move. The `World` knows just enough of what the steps before have done to offer
only moves that the kernel will grant: which processes live, in which namespaces, with which rights, what
is mounted where. Names (directories, keys, cgroups) are counted up, so no two moves collide.

See: Hypothesis, "Composite strategies".
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from labkit.cgroups.make import MakeCgroup, RemoveCgroup
from labkit.linux.constants import MS_NODEV, MS_NOSUID
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
from labkit.namespaces.privileges import DropCapabilities, NewSessionKeyring, NoNewPrivileges
from labkit.namespaces.processes import Exec, Kill
from labkit.namespaces.roots import ChangeDirectory, Chroot, DetachOldRoot, EscapeChroot, PivotRoot
from labkit.namespaces.spawn import Enter, Hold, Join, Spawn, Unshare
from labkit.namespaces.users import BecomeUser, MapIds
from labkit.overlay.mount import MountOverlay
from labkit.steps.plan import Plan
from labkit.steps.step import Step

KINDS = ("mnt", "pid", "uts", "ipc", "net", "cgroup", "time")
Move = Callable[[], list[Step]]


@dataclass(eq=False)
class Actor:
    """What the generator has to know of one process of the plan."""

    name: str
    parent: Actor | None
    spaces: dict[str, int]
    root: bool = True  # holds all capabilities in the lab's own user namespace
    home: bool = True  # its root is still the lab host's: the paths below /tmp mean what they mean there
    joins_pid: bool = False  # its children go into another pid namespace than its own
    joins_time: bool = False
    owns_user: bool = False  # lives in a user namespace of its own
    mapped: bool = True
    inside_chroot: bool = False
    children: list[Actor] = field(default_factory=list)

    @property
    def host(self) -> bool:
        """Whether it is the lab host's zygote, which stays as it is."""
        return self.parent is None


class World:
    """The state of the machine as far as validity goes, and the moves that it permits."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.counts: dict[str, int] = {}
        self.spaces = 0
        self.host = Actor("host", None, dict.fromkeys((*KINDS, "user"), 0))
        self.actors = [self.host]
        self.programs: list[Actor] = []  # have become a program: can be killed, not told anything
        self.directories: list[str] = []
        self.files: list[str] = []
        self.cgroups: list[str] = []
        self.mounted: dict[int, list[str]] = {}  # by mount namespace: what can be unmounted again
        self.unbindable: set[str] = set()
        self.held: list[tuple[str, str, int]] = []

    # small helpers

    def new(self, prefix: str) -> str:
        self.counts[prefix] = self.counts.get(prefix, 0) + 1
        return f"{prefix}{self.counts[prefix]}"

    def space(self) -> int:
        self.spaces += 1
        return self.spaces

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def subset(self, kinds: tuple[str, ...], smallest: int = 0) -> tuple[str, ...]:
        chosen = self.random.sample(kinds, self.random.randint(smallest, min(4, len(kinds))))
        return tuple(kind for kind in kinds if kind in chosen)

    # the moves

    def moves(self) -> Iterator[tuple[int, Move]]:
        """(weight, move) for everything that is possible now."""
        yield 4 if len(self.actors) < 4 else 1, self.spawn
        for actor in self.actors:
            yield from self.moves_of(actor)
        if self.programs:
            yield 1, self.kill
        if any(a.owns_user and not a.mapped for a in self.actors):
            yield 6, self.map_ids

    def moves_of(self, actor: Actor) -> Iterator[tuple[int, Move]]:
        who = actor.name

        def steps(*made: Step) -> Move:
            return lambda: list(made)

        if actor.root and actor.home:
            yield 1, lambda: self.make_directory(actor)
            yield 1, lambda: self.write_file(actor)
            yield 1, lambda: self.make_cgroup(actor)
            if self.files:
                yield 1, lambda: self.remove_file(actor)
                yield 1, steps(ChangeOwner(who=who, path=self.files[-1], uid=1000, gid=1000))
            if self.cgroups:
                yield 1, lambda: self.remove_cgroup(actor)
            if self.directories:
                yield 4, lambda: self.mount(actor)
                yield 2, lambda: self.propagation(actor)
            if self.mounted.get(actor.spaces["mnt"]):
                yield 2, lambda: self.unmount(actor)
            for other in actor.children:
                yield 1, lambda other=other: self.hold(actor, other)  # type: ignore[misc]
        if actor.root:
            yield 1, lambda: [SetHostname(who=who, name=self.random.choice(["alpha", "beta", "c-1"]))]
            yield 1, lambda: [SetDomainname(who=who, name=self.random.choice(["one.example", "two"]))]
            yield 1, lambda: [MakeMessageQueue(who=who, key=int(self.new("1")))]
            yield 1, steps(LoopbackUp(who=who))
        if not actor.host:
            yield from self.moves_of_a_child(actor)

    def moves_of_a_child(self, actor: Actor) -> Iterator[tuple[int, Move]]:
        who = actor.name

        def steps(*made: Step) -> Move:
            return lambda: list(made)

        yield 1, steps(NoNewPrivileges(who=who))
        yield 1, steps(ChangeDirectory(who=who, path="/"))
        yield 1, steps(NewSessionKeyring(who=who))
        if actor.home:
            yield 1, steps(ChangeDirectory(who=who, path="/tmp"))
            yield 2, lambda: self.become_program(actor)
        if actor.owns_user and actor.mapped:
            if actor.spaces["uts"] != self.host.spaces["uts"]:
                yield 1, steps(SetHostname(who=who, name="inner"))
            yield 1, lambda: self.drop(actor)
        if not actor.root:
            return
        yield 2, lambda: self.unshare(actor)
        yield 1, lambda: self.drop(actor)
        yield 1, lambda: self.become_user(actor)
        if actor.home:
            yield 3, lambda: self.join(actor)
            yield 1, lambda: self.chroot(actor)
            for held in self.held:
                yield 2, lambda held=held: self.enter(actor, *held)  # type: ignore[misc]
            if actor.spaces["mnt"] != 0 and not self.shared_mounts(actor) and self.directories:
                yield 2, lambda: self.pivot(actor)
            if actor.spaces["mnt"] != 0:
                yield 1, steps(HidePaths(who=who))
        if actor.inside_chroot:
            yield 2, lambda: self.escape(actor)

    def shared_mounts(self, actor: Actor) -> bool:
        """Whether another process of the plan lives in the same mount namespace (it would be pivoted too)."""
        return any(a is not actor and a.spaces["mnt"] == actor.spaces["mnt"] for a in [*self.actors, *self.programs])

    # processes

    def spawn(self) -> list[Step]:
        parents = [a for a in self.actors if a.root and a.inside_chroot is False]
        parent = self.random.choice(parents)
        kinds = tuple(k for k in KINDS if not (k == "pid" and parent.joins_pid))
        chosen = self.subset(kinds)
        user = parent.host and self.chance(0.2)
        if user:
            chosen = tuple(dict.fromkeys((*chosen, "mnt", "user")))
        name = self.new("p")
        child = Actor(name, parent, dict(parent.spaces), root=not user, home=parent.home)
        child.owns_user, child.mapped = user, not user
        for kind in chosen:
            child.spaces[kind] = self.space()
        if parent.joins_pid and "pid" not in chosen:
            child.spaces["pid"] = self.space()  # which one exactly does not matter: not the parent's
        if "mnt" in chosen:
            self.mounted[child.spaces["mnt"]] = []  # what came along may vanish with an unmount in its first home
        parent.children.append(child)
        self.actors.append(child)
        cgroup = ""
        if parent.host and self.cgroups and not user and self.chance(0.5):
            cgroup = self.cgroups.pop()  # never removed afterwards: somebody lives in it
        return [Spawn(who=parent.name, child=name, namespaces=chosen, cgroup=cgroup)]

    def become_program(self, actor: Actor) -> list[Step]:
        self.actors.remove(actor)
        self.programs.append(actor)
        return [Exec(who=actor.name, argv=("sleep", "1000"))]

    def kill(self) -> list[Step]:
        mine = [a for a in self.programs if a.parent is self.host and not a.children]
        if not mine:
            return []
        victim = self.random.choice(mine)
        self.programs.remove(victim)
        self.host.children.remove(victim)
        return [Kill(target=victim.name, signal=signal.SIGKILL)]

    def map_ids(self) -> list[Step]:
        actor = next(a for a in self.actors if a.owns_user and not a.mapped)
        actor.mapped = True
        return [MapIds(child=actor.name)]

    # namespaces

    def unshare(self, actor: Actor) -> list[Step]:
        chosen = self.subset(tuple(k for k in KINDS if not (k == "pid" and actor.joins_pid)), 1)
        for kind in chosen:
            if kind not in ("pid", "time"):
                actor.spaces[kind] = self.space()
        if "mnt" in chosen:
            self.mounted[actor.spaces["mnt"]] = []
        actor.joins_pid |= "pid" in chosen
        made: list[Step] = [Unshare(who=actor.name, namespaces=chosen)]
        if "time" in chosen and actor.home and self.chance(0.5):
            offsets = self.random.randrange(10_000), self.random.randrange(10_000)
            made.append(SetClockOffsets(who=actor.name, monotonic=offsets[0], boottime=offsets[1]))
        return made

    def join(self, actor: Actor) -> list[Step]:
        """Join a process that the joiner knows by its number: its child, or a sibling that was born before it."""
        known = list(actor.children)
        if actor.parent is self.host and actor.spaces["pid"] == self.host.spaces["pid"]:
            known += self.host.children[: self.host.children.index(actor)]
        targets = [c for c in known if c.root and c.home and c in self.actors]
        if not targets or actor.joins_pid:
            return []
        target = self.random.choice(targets)
        kinds = tuple(k for k in ("mnt", "uts", "ipc", "net", "cgroup") if target.spaces[k] != actor.spaces[k])
        if not kinds:
            return []
        chosen = self.subset(kinds, 1)
        for kind in chosen:
            actor.spaces[kind] = target.spaces[kind]
        return [Join(who=actor.name, target=target.name, namespaces=chosen)]

    def hold(self, actor: Actor, target: Actor) -> list[Step]:
        """A mount namespace cannot be held by a mount that would be copied into it, so not that kind."""
        if not actor.host or target not in self.actors or target.owns_user:
            return []
        kind = self.random.choice(["uts", "ipc", "net", "cgroup"])
        path = f"/run/held/{self.new('ns')}"
        self.held.append((path, kind, target.spaces[kind]))
        return [Hold(who=actor.name, target=target.name, namespace=kind, path=path)]

    def enter(self, actor: Actor, path: str, kind: str, space: int) -> list[Step]:
        if actor.spaces["mnt"] != self.host.spaces["mnt"] or actor.spaces[kind] == space:
            return []
        actor.spaces[kind] = space
        return [Enter(who=actor.name, path=path, namespace=kind)]

    # rights

    def drop(self, actor: Actor) -> list[Step]:
        actor.root = actor.owns_user = False
        keep = self.random.choice([(), ("CAP_KILL",), ("CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_CHROOT")])
        return [DropCapabilities(who=actor.name, keep=keep)]

    def become_user(self, actor: Actor) -> list[Step]:
        actor.root = False
        groups = self.random.choice([(), (7,), (7, 8)])
        return [BecomeUser(who=actor.name, uid=1000, gid=1000, groups=groups)]

    # files, mounts, roots

    def make_directory(self, actor: Actor) -> list[Step]:
        path = f"/tmp/{self.new('d')}"
        self.directories.append(path)
        return [MakeDirectory(who=actor.name, path=path)]

    def write_file(self, actor: Actor) -> list[Step]:
        path = f"/tmp/{self.new('f')}"
        self.files.append(path)
        text = self.random.choice(["", "one line\n", "it's 100 %\n\t\\n"])
        return [WriteFile(who=actor.name, path=path, text=text)]

    def remove_file(self, actor: Actor) -> list[Step]:
        return [Remove(who=actor.name, path=self.files.pop())]

    def make_cgroup(self, actor: Actor) -> list[Step]:
        if actor.spaces["cgroup"] != self.host.spaces["cgroup"]:
            return []  # /sys/fs/cgroup shows the same, but the lesson is another
        path = f"/sys/fs/cgroup/{self.new('g')}"
        self.cgroups.append(path)
        return [MakeCgroup(who=actor.name, path=path)]

    def remove_cgroup(self, actor: Actor) -> list[Step]:
        return [RemoveCgroup(who=actor.name, path=self.cgroups.pop())]

    def mount(self, actor: Actor) -> list[Step]:
        who = actor.name
        target = self.random.choice(self.directories)
        source = self.random.choice(self.directories)
        choices: list[Step] = [
            Mount(who=who, type="tmpfs", target=target),
            Mount(who=who, type="tmpfs", target=target, flags=MS_NOSUID | MS_NODEV, data="size=4096k"),
            MountDevpts(who=who, target=target),
            BuildDev(who=who, target=target),
            MaskPath(who=who, path="/proc/version"),
            MaskPath(who=who, path="/proc/bus", directory=True),
            MountOverlay(who=who, lower=("/usr",), directory=f"/run/lab/{self.new('o')}", target=target),
        ]
        if all(target not in places for places in self.mounted.values()):  # the same twice on one place is EBUSY
            choices += [MountProc(who=who, target=target), MountSysfs(who=who, target=target)]
        if source not in self.unbindable:
            choices.append(Bind(who=who, source=source, target=target, recursive=self.chance(0.5)))
        step = self.random.choice(choices)
        where = step.path if isinstance(step, MaskPath) else target
        self.mounted.setdefault(actor.spaces["mnt"], []).append(where)
        made = [step]
        if self.chance(0.25):
            made.append(RemountReadOnly(who=who, target=where))
        return made

    def unmount(self, actor: Actor) -> list[Step]:
        where = self.random.choice(self.mounted[actor.spaces["mnt"]])
        for places in self.mounted.values():  # the unmount travels, as the mount did
            places[:] = [place for place in places if place != where]
        return [Unmount(who=actor.name, target=where, lazy=True)]

    def propagation(self, actor: Actor) -> list[Step]:
        who = actor.name
        kind = self.random.choice([MakePrivate, MakeSlave, MakeShared])
        mounted = [m for m in self.mounted.get(actor.spaces["mnt"], ()) if m in self.directories]
        if mounted and self.chance(0.5):
            if self.chance(0.25):
                self.unbindable.add(mounted[-1])
                return [MakeUnbindable(who=who, target=mounted[-1], recursive=False)]
            return [kind(who=who, target=mounted[-1], recursive=self.chance(0.5))]
        return [kind(who=who)]

    def chroot(self, actor: Actor) -> list[Step]:
        actor.home, actor.inside_chroot = False, True
        return [Chroot(who=actor.name, path="/usr")]

    def escape(self, actor: Actor) -> list[Step]:
        actor.inside_chroot, actor.home = False, True
        return [EscapeChroot(who=actor.name)]

    def pivot(self, actor: Actor) -> list[Step]:
        actor.home = False
        who, new = actor.name, self.random.choice(self.directories)
        made: list[Step] = [
            MakePrivate(who=who), Mount(who=who, type="tmpfs", target=new), PivotRoot(who=who, new_root=new),
        ]  # fmt: skip
        return [*made, DetachOldRoot(who=who)] if self.chance(0.5) else made


class RandomPlan(Plan):
    """A plan that Hypothesis prints as one can paste it; by itself it would print the class variables too."""

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        printer.text(f"Plan.of({self.name!r}, ('', [\n" + "".join(f"    {step!r},\n" for step in self) + "]))")


@st.composite
def plans(draw: st.DrawFn, smallest: int = 4, largest: int = 12) -> Plan:
    """A valid plan of about `smallest` to `largest` steps (a move may be several).

    Hypothesis chooses the length and a seed; the moves are drawn from the seed, evenly. So a failing plan
    shrinks to its shortest prefix that fails, and the kinds of steps are all met within some hundred plans.
    """
    world = World(Random(draw(st.integers(0, 2**32))))
    wanted = draw(st.integers(smallest, largest))
    steps: list[Step] = []
    if wanted > 3:  # something to work with
        steps += [*world.make_directory(world.host), *world.make_directory(world.host), *world.spawn()]
    for _ in range(4 * wanted):
        if len(steps) >= wanted:
            break
        weights, moves = zip(*world.moves(), strict=True)
        (move,) = world.random.choices(moves, weights)
        steps += move()
    return RandomPlan.of("a random plan", ("whatever comes", steps or [SetHostname(name="alpha")]))
