"""From a description to a plan: a pure function, with the order that keeps a container in."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from labkit.cgroups.change import EnterCgroup
from labkit.cgroups.hold import Held
from labkit.container import joining, spec
from labkit.container.spec import Spec
from labkit.image.accounts import Account
from labkit.linux.nsfs import KINDS
from labkit.namespaces.dumpable import ClearDumpable
from labkit.namespaces.filesystems import BuildDev, HidePaths, MountProc
from labkit.namespaces.privileges import DropCapabilities, NewSessionKeyring, NoNewPrivileges
from labkit.namespaces.processes import Exec, NewSession, ServeAsInit, TakeTerminal
from labkit.namespaces.roots import Chroot, DetachOldRoot, PivotRoot
from labkit.namespaces.spawn import Spawn
from labkit.namespaces.users import BecomeUser
from labkit.overlay.mount import MountOverlay
from labkit.steps.step import Step

WEB = Spec(name="web", image="busybox", argv=("true",))


def order(steps: tuple[Step, ...]) -> list[type[Step]]:
    return [type(step) for step in steps]


@pytest.mark.parametrize("kinds", [*itertools.combinations(KINDS, 2), tuple(KINDS), ()], ids="+".join)
def test_every_set_of_namespaces_makes_a_plan_that_ends_in_the_program(kinds: tuple[str, ...]) -> None:
    plan = spec.plan(replace(WEB, namespaces=kinds))
    assert isinstance(plan[-1], Exec)
    assert order(plan.steps) == order(spec.plan(replace(WEB, namespaces=kinds)).steps), "the same each time"
    assert (PivotRoot in order(plan.steps)) == ("mnt" in kinds) != (Chroot in order(plan.steps))
    assert str(plan)
    assert plan.as_shell()


def test_mounts_come_after_the_new_root_and_before_rights_are_dropped() -> None:
    steps = order(spec.plan(replace(WEB, user=Account(1000, 1000))).steps)
    wanted = [Spawn, MountOverlay, PivotRoot, MountProc, BuildDev, DetachOldRoot, HidePaths, DropCapabilities,
              BecomeUser, NoNewPrivileges, Exec]  # fmt: skip
    assert [kind for kind in steps if kind in wanted] == wanted


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("init", [False, True])
def test_a_container_has_a_session_and_a_keyring_of_its_own(tty: bool, init: bool) -> None:
    steps = order(spec.plan(replace(WEB, tty=tty, init=init)).steps)
    assert steps.count(NewSession) + steps.count(TakeTerminal) == 1
    assert (TakeTerminal in steps) == tty
    assert NewSessionKeyring in steps
    assert (ServeAsInit in steps) == (ClearDumpable in steps) == init


def test_whoever_enters_hides_before_entering_and_drops_the_rights_that_joining_gives() -> None:
    steps = order(joining.plan(WEB, 7, "web.1", ("true",), workdir="/", user=Account(1, 2, (3,))).steps)
    assert steps.index(ClearDumpable) < steps.index(joining.SpawnInside) < steps.index(DropCapabilities)
    assert steps.index(DropCapabilities) < steps.index(BecomeUser) < steps.index(NoNewPrivileges) < steps.index(Exec)
    rootless = joining.plan(replace(WEB, hide_runtime=False), 7, "web.1", ("true",), workdir="/", user=None)
    assert ClearDumpable not in order(rootless.steps)


def test_only_the_program_itself_enters_the_containers_cgroups_and_then_its_cgroup_namespace() -> None:
    """A helper in there would take a place of pids.max; and where cgroup2 is mounted with nsdelegate, a process in the
    cgroup namespace clones no child into a cgroup unless its own is there, too.
    """
    held = replace(WEB, cgroup=True, hold=Held(trees=("pids", "memory")))
    steps = joining.plan(held, 7, "web.1", ("true",), workdir="/", user=None).steps
    assert [step.cgroup for step in steps if isinstance(step, Spawn)] == [""]
    [inside] = [step for step in steps if isinstance(step, joining.SpawnInside)]
    assert (inside.cgroup, "cgroup" in inside.namespaces) == (held.cgroup_path, False)
    moved = [(step.who, step.process, step.path) for step in steps if isinstance(step, EnterCgroup)]
    assert moved == [("host", "web.1", f"/run/cgroup1/{tree}/web") for tree in ("pids", "memory")]
    [joined] = [step for step in steps if isinstance(step, joining.JoinPid)]
    assert (joined.who, joined.pid, joined.namespaces) == ("web.1", 1, ("cgroup",))
    kinds = order(steps)
    assert kinds.index(joining.SpawnInside) < kinds.index(EnterCgroup) < kinds.index(joining.JoinPid)


def test_a_root_is_joined_with_its_mount_namespace_and_entered_by_chroot_without() -> None:
    for kinds, wanted in ((("mnt", "pid"), False), (("pid",), True)):
        plan = joining.plan(replace(WEB, namespaces=kinds), 7, "web.1", ("true",), workdir="/", user=None)
        assert (Chroot in order(plan.steps)) == wanted


def test_what_remains_is_told_by_kind() -> None:
    assert spec.remains(WEB) == {"cgroups": ["/sys/fs/cgroup/web"], "mounts": [], "trees": ["/run/lab/web"]}
    assert spec.remains(replace(WEB, cgroup=False, namespaces=())) == {
        "cgroups": [], "mounts": ["/run/lab/web/root"], "trees": ["/run/lab/web"],
    }  # fmt: skip


def test_containers_that_differ_in_their_name_only_share_one_template() -> None:
    assert spec.template(WEB) is spec.template(replace(WEB, name="other", hostname="other"))
    assert spec.template(WEB) is not spec.template(replace(WEB, hostname="shop"))
    assert spec.HOLE in spec.template(WEB)[1].who
