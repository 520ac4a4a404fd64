"""The plan for one more process in a container that runs: what ``docker exec`` does.

A helper joins the container's namespaces and clones a sibling there: a joined pid namespace counts only for children,
and a sibling (CLONE_PARENT) is the zygote's own child, which it can wait for. Rights are dropped as for the container
itself; joining hands out all of them.

Only the sibling enters the container's cgroups, so that it alone takes one of the places that pids.max allows, and is
charged for its memory: CLONE_INTO_CGROUP puts it into that of version 2, and the zygote moves it into those of version
1 before it goes on. It joins the cgroup namespace itself, and not before: where cgroup2 is mounted with nsdelegate
(systemd does), such a namespace is a border, and a process that has joined one while its own cgroup lies outside
moves no process across, nor clones (ENOENT).

See: setns(2) "pidfd", clone(2) "CLONE_PARENT", "CLONE_INTO_CGROUP", nsenter(1), the kernel's admin-guide/cgroup-v2
"nsdelegate".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.container.spec import Spec
from labkit.image.accounts import Account
from labkit.linux import nsfs
from labkit.linux.calls import Intent, Ret, clone3, close, open_, pidfd_open, setns
from labkit.linux.constants import CLONE_INTO_CGROUP, CLONE_PARENT, O_DIRECTORY, O_RDONLY
from labkit.namespaces.dumpable import ClearDumpable
from labkit.namespaces.privileges import DropCapabilities, NewSessionKeyring, NoNewPrivileges
from labkit.namespaces.processes import Exec, NewSession, TakeTerminal
from labkit.namespaces.roots import ChangeDirectory, Chroot
from labkit.namespaces.spawn import Join, Spawn, entered
from labkit.namespaces.users import BecomeUser
from labkit.steps.parameters import Kinds
from labkit.steps.plan import Plan
from labkit.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class SpawnInside(Step):
    """Join the namespaces of a running process and start a sibling in them, and in `cgroup` if one is given.

    The joiner's own pid stays in the old pid namespace for good; its sibling is born in the new one.

    See: setns(2), clone(2) "CLONE_PARENT".
    """

    pid: int
    child: str
    namespaces: Kinds
    cgroup: str = ""
    probes = Spawn.probes
    no_way_back = Spawn.no_way_back
    names_new_things = True

    def calls(self) -> Iterator[Intent]:
        if self.cgroup:
            yield open_(self.cgroup, O_RDONLY | O_DIRECTORY)
        if self.namespaces:
            yield pidfd_open(self.pid)
            yield setns(Ret(1 if self.cgroup else 0), nsfs.flags_of(self.namespaces))
        if self.cgroup:
            yield clone3(self.child, CLONE_PARENT | CLONE_INTO_CGROUP, cgroup=Ret(0))
        else:
            yield clone3(self.child, CLONE_PARENT)

    def explanation(self) -> tuple[str, str]:
        if self.namespaces:
            return super().explanation()
        return "Start a sibling of this process.", (
            "The container has no namespaces of its own to be joined. With CLONE_PARENT the new process is a child of "
            "the zygote, which can wait for it."
        )

    def shell(self) -> str:
        return f"nsenter --target {self.pid} --all"

    @property
    def title(self) -> str:
        return f"join process {self.pid} and start {self.child} there"

    @property
    def children(self) -> tuple[str, ...]:
        return (self.child,)


@dataclass(frozen=True, kw_only=True)
class JoinPid(Step):
    """Move into namespaces of the process that has this pid in one's own pid namespace.

    A process of a container is known to the lab host by its pid alone: it has no name among the lab's processes. The
    pidfd is opened first, so that the number cannot come to mean another process in between.

    See: setns(2), pidfd_open(2), nsenter(1).
    """

    pid: int
    namespaces: Kinds
    probes = Join.probes
    no_way_back = Join.no_way_back
    replaces_shell = True
    names_new_things = True  # the namespaces left behind may vanish, and their numbers be given out again

    def calls(self) -> Iterator[Intent]:
        yield pidfd_open(self.pid)
        yield setns(Ret(0), nsfs.flags_of(self.namespaces))
        yield close(Ret(0))

    def shell(self) -> str:
        return f"nsenter --target {self.pid} {entered(self.namespaces)}"

    @property
    def title(self) -> str:
        return f"join process {self.pid} in its namespaces: {', '.join(self.namespaces)}"


def plan(
    spec: Spec,
    pid: int,
    name: str,
    argv: tuple[str, ...],
    *,
    workdir: str,
    user: Account | None,
    tty: bool = False,
) -> Plan:
    """The steps that run `argv` as process `name` in the container of `spec`, whose init is `pid` in the lab host."""
    joiner = f"{name}.join"
    steps: list[Step] = [Spawn(child=joiner)]
    if spec.hide_runtime:
        steps.append(ClearDumpable(who=joiner))
    at_birth = tuple(kind for kind in spec.namespaces if kind != "cgroup")
    steps.append(SpawnInside(who=joiner, pid=pid, child=name, namespaces=at_birth, cgroup=spec.cgroup_path))
    steps += spec.hold.moving(spec.name, name)
    if "cgroup" in spec.namespaces:
        steps.append(JoinPid(who=name, pid=1 if "pid" in at_birth else pid, namespaces=("cgroup",)))
    if "mnt" not in spec.namespaces:  # joining a mount namespace leads to its root; a chroot is not joined by that
        steps.append(Chroot(who=name, path=f"{spec.directory}/root"))
    if "user" in spec.namespaces:  # until now it is the lab's root, who has no number inside
        steps.append(BecomeUser(who=name, uid=0, gid=0))
    steps += [NewSessionKeyring(who=name), ChangeDirectory(who=name, path=workdir), DropCapabilities(who=name)]
    if user:
        steps.append(BecomeUser(who=name, uid=user.uid, gid=user.gid, groups=user.groups))
    steps.append(TakeTerminal(who=name) if tty else NewSession(who=name))
    steps += [NoNewPrivileges(who=name), Exec(who=name, argv=argv, environment=spec.environment)]
    return Plan.of(f"exec in {spec.name}", ("one more process in the container", steps))
