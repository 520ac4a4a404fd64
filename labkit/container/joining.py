"""The plan for one more process in a container that runs: what ``docker exec`` does.

A helper, born in the container's cgroup, joins its namespaces and has a sibling born there: a joined pid
namespace counts only for children, and a sibling (CLONE_PARENT) is the zygote's own child, which it can wait
for. Rights are dropped as for the container itself; joining hands out all of them.

The cgroup comes first. Where cgroup2 is mounted with nsdelegate (systemd does), a cgroup namespace is a border:
who has joined one while its own cgroup lies outside moves nobody across, nor clones (ENOENT).

See: setns(2) "pidfd", clone(2) "CLONE_PARENT", nsenter(1), the kernel's admin-guide/cgroup-v2 "nsdelegate".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.container.spec import Spec
from labkit.image.accounts import Account
from labkit.linux import nsfs
from labkit.linux.calls import Intent, Ret, clone3, pidfd_open, setns
from labkit.linux.constants import CLONE_PARENT
from labkit.namespaces.dumpable import ClearDumpable
from labkit.namespaces.privileges import DropCapabilities, NewSessionKeyring, NoNewPrivileges
from labkit.namespaces.processes import Exec, NewSession, TakeTerminal
from labkit.namespaces.roots import ChangeDirectory, Chroot
from labkit.namespaces.spawn import Spawn
from labkit.namespaces.users import BecomeUser
from labkit.steps.parameters import Kinds
from labkit.steps.plan import Plan
from labkit.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class SpawnInside(Step):
    """Join the namespaces of a running process and start a sibling in them.

    The joiner's own pid stays in the old pid namespace for good; its sibling is born in the new one.

    See: setns(2), clone(2) "CLONE_PARENT".
    """

    pid: int
    child: str
    namespaces: Kinds
    probes = Spawn.probes
    no_way_back = Spawn.no_way_back
    names_new_things = True

    def calls(self) -> Iterator[Intent]:
        if self.namespaces:
            yield pidfd_open(self.pid)
            yield setns(Ret(0), nsfs.flags_of(self.namespaces))
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
    steps: list[Step] = [Spawn(child=joiner, cgroup=spec.cgroup_path), *spec.hold.joining(spec.name, joiner)]
    if spec.hide_runtime:
        steps.append(ClearDumpable(who=joiner))
    steps.append(SpawnInside(who=joiner, pid=pid, child=name, namespaces=spec.namespaces))
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
