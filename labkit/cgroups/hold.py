"""How a container is held to limits in this lab: from `Limits` to the cgroups that it joins and what is written there.

In version 2 that is one cgroup, whose files are there when the parent hands the controllers down. In version 1 it
is one in each tree. Which controller is where depends on the machine, so both may be needed for one container.

    >>> trees = Trees.of({"cpu": 1, "cpuacct": 1, "memory": 1, "pids": 2}, ["cpu,cpuacct", "memory"])
    >>> for step in hold(Limits(memory="64M", pids=50), trees).making("c1"):
    ...     print(step.shell())
    echo +pids >/sys/fs/cgroup/cgroup.subtree_control
    mkdir /sys/fs/cgroup/c1
    mkdir /run/cgroup1/cpu,cpuacct/c1
    mkdir /run/cgroup1/memory/c1
    echo 67108864 >/run/cgroup1/memory/c1/memory.limit_in_bytes
    echo 50 >/sys/fs/cgroup/c1/pids.max

See: cgroups(7), `labkit.cgroups.translation` for what is written in version 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from labkit.cgroups.change import EnterCgroup, HandDown, SetLimit
from labkit.cgroups.limits import Limits
from labkit.cgroups.make import MakeCgroup
from labkit.cgroups.places import ROOT, ROOT_V1
from labkit.cgroups.translation import translate
from labkit.cgroups.vocabulary import OLD, file
from labkit.errors import SpecError
from labkit.linux.cgroup_files import counting
from labkit.steps.step import Step

#: the files that count the kills of the OOM killer, of version 2 and of version 1
KILLS = ("memory.events", "memory.oom_control")
#: what is counted of each container that is held, limited or not; of version 1 and of version 2
_METERS = ("cpu", "cpuacct", "memory", "blkio", "pids", "io")


@dataclass(frozen=True)
class Trees:
    """Where a lab has its controllers: those of version 2, and the trees of version 1, named by what they have.

    `programs` is whether it may give the kernel a program, which takes the rights of the machine's root.
    """

    v2: tuple[str, ...] = ()
    v1: tuple[str, ...] = ()
    lacking: str = ""
    programs: bool = True

    @classmethod
    def of(
        cls, controllers: Mapping[str, int], trees: Iterable[str], lacking: str = "", *, programs: bool = True
    ) -> Trees:
        """From what the agent says of its machine."""
        version_2 = tuple(sorted(name for name, version in controllers.items() if version == 2))
        return cls(version_2, tuple(trees), lacking, programs)

    def tree(self, controller: str) -> str:
        """The tree of version 1 that has it; empty where none has."""
        return next((words for words in self.v1 if controller in words.split(",")), "")


@dataclass(frozen=True)
class Held:
    """The cgroups of a container beside its plain one of version 2: `trees` of version 1, and a line for each limit.

    A line is (directory of the tree, file, text). `controllers` are those of version 2 to be handed down. `devices` is
    (directory of the tree, rules), without rules where all devices are to be allowed again; None if nobody asked.
    """

    controllers: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    lines: tuple[tuple[str, str, str], ...] = ()
    devices: tuple[str, tuple[str, ...] | None] | None = None

    def making(self, name: str) -> Iterator[Step]:
        """The steps that make the cgroups of container `name` and set its limits; nobody is in them yet."""
        if self.controllers:
            yield HandDown(path=ROOT, controllers=self.controllers)
        for path in self.paths(name):
            yield MakeCgroup(path=path)
        yield from self.setting(name)

    def setting(self, name: str) -> Iterator[Step]:
        """Those that set its limits."""
        for top, file_, text in self.lines:
            yield SetLimit(path=f"{top}/{name}", file=file_, value=text)
        if self.devices is not None:
            from labkit.cgroups.devices import EVERYTHING, AllowDevices, AttachDeviceProgram, DetachDeviceProgram

            top, rules = self.devices
            path = f"{top}/{name}"
            if top != ROOT:
                yield AllowDevices(path=path, rules=(EVERYTHING,) if rules is None else rules)
            elif rules is None:
                yield DetachDeviceProgram(path=path)
            else:
                yield AttachDeviceProgram(path=path, rules=rules)

    def joining(self, name: str, who: str) -> Iterator[Step]:
        """The steps by which process `who`, born in the cgroup of version 2, enters those of version 1."""
        for tree in self.trees:
            yield EnterCgroup(who=who, path=f"{ROOT_V1}/{tree}/{name}")

    def moving(self, name: str, process: str) -> Iterator[Step]:
        """The steps by which the lab host moves `process` into those of version 1."""
        for tree in self.trees:
            yield EnterCgroup(path=f"{ROOT_V1}/{tree}/{name}", process=process)

    def paths(self, name: str) -> list[str]:
        """Its cgroups, that of version 2 first: who kills there leaves the others empty."""
        return [f"{ROOT}/{name}", *(f"{ROOT_V1}/{tree}/{name}" for tree in self.trees)]

    def counters(self, name: str) -> tuple[tuple[str, str], ...]:
        """(file, path) of those that count what it uses; nothing of a container that nobody limits, nor counts."""
        if not self.controllers and not self.trees:
            return ()
        found = [(each, f"{ROOT}/{name}/{each}") for each in _last_counters(2, self.controllers)]
        for tree in self.trees:
            path = f"{ROOT_V1}/{tree}/{name}"
            found += [(each, f"{path}/{each}") for each in _last_counters(1, tuple(tree.split(",")))]
        return tuple(found)

    def kills(self, name: str) -> tuple[tuple[str, str], ...]:
        """Those of them that count the kills of the OOM killer."""
        return tuple(each for each in self.counters(name) if each[0] in KILLS)


@cache
def _last_counters(version: int, controllers: tuple[str, ...]) -> tuple[str, ...]:
    """The files that count at the end of a container in a tree with these controllers.

    The dead have no swap (memory.stat of version 1) and are not frozen (cgroup.events).
    """
    names = [each for each in counting(version, controllers) if each not in ("memory.stat", "cgroup.events")]
    by_all = ("cpu.stat", "cpu.pressure", "memory.pressure", "io.pressure")  # of version 2, whatever its controllers
    return tuple(each for each in names if version == 1 or each in by_all or each.partition(".")[0] in controllers)


#: a container that nobody limits, nor counts beyond what its cgroup of version 2 does by itself
PLAIN = Held()


def hold(limits: Limits, trees: Trees) -> Held:
    """What `limits` come to with these trees. Raises SpecError for a limit that nobody here can hold."""
    placed = tuple(_placed(limits.lines(), trees, dict(limits.lines())))
    own = {file_.partition(".")[0] for top, file_, _ in placed if top == ROOT}
    devices = _devices(limits, trees)
    tops = [top for top, _, _ in placed] + ([devices[0]] if devices else [])
    used = {top.removeprefix(f"{ROOT_V1}/") for top in tops if top != ROOT}
    return Held(
        controllers=tuple(name for name in trees.v2 if name in own | {*_METERS}),
        trees=tuple(words for words in trees.v1 if words in used or {*words.split(",")} & {*_METERS}),
        lines=placed,
        devices=devices,
    )


def change(before: Limits, after: Limits, trees: Trees) -> Held:
    """What is to be written for a container that is held to `before`, so that it is held to `after`."""
    lines, all_of_it = list(after.since(before)), dict(after.lines())
    if trees.tree("memory") and "memory" not in trees.v2 and "memory.max" in dict(lines):
        # Version 1 limits memory and swap together, and never memory beyond that: it goes up second, and down first.
        both = [(name, text) for name, text in {**all_of_it, **dict(lines)}.items() if name == "memory.swap.max"]
        rest = [line for line in lines if line not in both]
        up = _bytes(all_of_it.get("memory.max")) > _bytes(dict(before.lines()).get("memory.max"))
        lines = [*both, *rest] if up else [*rest, *both]
    return Held(lines=tuple(_placed(lines, trees, all_of_it)), devices=_other_devices(before, after, trees))


def _devices(limits: Limits, trees: Trees) -> tuple[str, tuple[str, ...] | None] | None:
    """The tree in charge of devices, and the rules; None without. Version 1 has a controller, version 2 programs."""
    if (rules := limits.device_rules()) is None:
        return None
    if tree := trees.tree("devices"):
        return f"{ROOT_V1}/{tree}", rules
    if not trees.programs:
        raise SpecError(
            "a rootless lab cannot say which devices a container may use",
            likely="version 2 wants a BPF program for it, and takes one from root of the first user namespace only",
            look="a rootless lab's containers have six harmless devices, and cannot make any: ls -l /dev",
        )
    return ROOT, rules


def _other_devices(before: Limits, after: Limits, trees: Trees) -> tuple[str, tuple[str, ...] | None] | None:
    """As `_devices`, for a container that is held to `before`; None where nothing changes."""
    if before.device_rules() == after.device_rules():
        return None
    if (now := _devices(after, trees)) is None:
        was = _devices(before, trees)
        return was and (was[0], None)
    if before.devices is None and now[0] != ROOT:
        raise SpecError(
            "the container was started without rules about devices, and is in no cgroup that could have some",
            likely="version 1 has a tree for devices, which is joined at the start if it is needed",
            look='lab.run(..., limits=Limits(devices=["a *:* rwm"])) allows all, until it is changed',
        )
    return now


def _bytes(text: str | None) -> float:
    return float("inf") if text in (None, "max") else int(text or 0)


def _placed(
    lines: Iterable[tuple[str, str]], trees: Trees, all_of_it: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Each line for version 2 as (directory of the tree, file, text) of the tree that is in charge here."""
    for name, text in lines:
        controller = name.partition(".")[0]
        if controller in trees.v2:
            yield ROOT, name, text
            continue
        old = file(name).v1[0] or OLD.get(controller, controller)
        if not trees.tree(old):
            raise SpecError(
                f"this lab has no controller {controller}: nobody here can hold {name}",
                likely=trees.lacking or "the kernel has none, or it was not delegated",
                look="labkit doctor",
            )  # fmt: skip
        for line in translate(name, text, all_of_it):
            yield f"{ROOT_V1}/{trees.tree(line.controller)}", line.file, line.text
