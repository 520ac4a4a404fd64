"""Each step by what it does to the kernel, and the claims of their docstrings that surprise."""

from __future__ import annotations

import itertools

import pytest
from fitting import refused

from labkit import Lab
from labkit.errors import StepError
from labkit.lab import StepFailed
from labkit.linux import capabilities
from labkit.linux.constants import MS_NOEXEC
from labkit.namespaces.files import ChangeOwner, MakeDirectory, WriteFile
from labkit.namespaces.filesystems import DEVICES, BuildDev, HidePaths, MaskPath, MountDevpts, MountProc, MountSysfs
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
from labkit.namespaces.names import LoopbackUp, SetClockOffsets, SetDomainname, SetHostname
from labkit.namespaces.privileges import DropCapabilities, InheritCapabilities, NoNewPrivileges, RaiseAmbient
from labkit.namespaces.processes import Exec
from labkit.namespaces.reading import ReadFile, text
from labkit.namespaces.roots import ChangeDirectory, Chroot, DetachOldRoot, EscapeChroot, PivotRoot
from labkit.namespaces.spawn import Spawn, Unshare
from labkit.namespaces.users import BecomeUser, MapIds
from labkit.steps import fact
from labkit.steps.plan import Plan
from labkit.steps.step import Step

A, B = MakeDirectory(path="/tmp/a"), MakeDirectory(path="/tmp/b")
TMPFS = Mount(type="tmpfs", target="/tmp/a")
OWN = Spawn(child="me", namespaces=("mnt",))


def mounts(lab: Lab, where: str, ns: str = "mnt#1") -> list[fact.Mount]:
    return [f for f in lab.facts("mounts") if isinstance(f, fact.Mount) and f.mountpoint == where and f.ns == ns]


def credentials(lab: Lab, who: str = "me") -> fact.Credentials:
    return next(f for f in lab.facts("caps") if isinstance(f, fact.Credentials) and f.process == who)


def read(lab: Lab, path: str, who: str = "me") -> str:
    return text(lab.take(ReadFile(who=who, path=path)))


# Mounts


def test_a_mount_covers_and_its_removal_uncovers(lab: Lab) -> None:
    lab.take_all([A, WriteFile(path="/tmp/a/below", text="still here"), TMPFS])
    with pytest.raises(StepFailed, match="ENOENT"):
        lab.take(ReadFile(path="/tmp/a/below"))
    lab.take(Unmount(target="/tmp/a"))
    assert read(lab, "/tmp/a/below", "host") == "still here"


def test_a_bind_is_the_same_files_and_read_only_is_a_matter_of_one_mount(lab: Lab) -> None:
    lab.take_all([A, B, Bind(source="/tmp/a", target="/tmp/b", recursive=False), RemountReadOnly(target="/tmp/b")])
    lab.take(WriteFile(path="/tmp/a/f", text="one"))
    assert read(lab, "/tmp/b/f", "host") == "one"
    with pytest.raises(StepFailed, match="EROFS"):
        lab.take(WriteFile(path="/tmp/b/f", text="two"))


def test_the_options_of_a_bind_are_not_taken_before_it_is_made(lab: Lab) -> None:
    """mount(2): a bind mount ignores all flags but MS_REC; they come with a remount."""
    lab.take_all([A, B, Bind(source="/tmp/a", target="/tmp/b"), RemountReadOnly(target="/tmp/b", flags=MS_NOEXEC)])
    assert mounts(lab, "/tmp/b")[0].options.startswith("ro,noexec")
    assert mounts(lab, "/tmp")[0].options.startswith("rw,nosuid")


@pytest.mark.parametrize(
    ("make", "out", "back"),
    [(MakeShared, True, True), (MakeSlave, False, True), (MakePrivate, False, False), (MakeUnbindable, False, False)],
)
def test_mount_events_travel_as_the_propagation_says(lab: Lab, make: type[Step], out: bool, back: bool) -> None:
    """The lab host's / is shared, as systemd makes it: what is mounted in a fresh namespace is seen outside."""
    lab.take_all([A, B, OWN, make(who="me")])
    lab.take(Mount(who="me", type="tmpfs", target="/tmp/a"))
    lab.take(Mount(type="tmpfs", target="/tmp/b"))
    assert bool(mounts(lab, "/tmp/a", "mnt#1")) == out
    assert bool(mounts(lab, "/tmp/b", "mnt#2")) == back
    word = {MakeShared: "shared", MakeSlave: "slave", MakePrivate: "private", MakeUnbindable: "unbindable"}[make]
    assert mounts(lab, "/", "mnt#2")[0].propagation.startswith(word)


def test_what_is_unbindable_is_not_bound(lab: Lab) -> None:
    lab.take_all([A, B, TMPFS, MakeUnbindable(target="/tmp/a")])
    with pytest.raises(StepFailed, match="EINVAL"):
        lab.take(Bind(source="/tmp/a", target="/tmp/b"))


def test_a_busy_mount_is_left_alone_unless_it_is_detached(lab: Lab) -> None:
    lab.take_all([A, TMPFS, Spawn(child="me"), ChangeDirectory(who="me", path="/tmp/a")])
    with pytest.raises(StepFailed, match="EBUSY"):
        lab.take(Unmount(target="/tmp/a"))
    lab.take(Unmount(target="/tmp/a", lazy=True))
    assert not mounts(lab, "/tmp/a")


# Roots


def chrooted(root: str = "/tmp/a") -> list[Step]:
    return [A, OWN, MakePrivate(who="me"), Bind(who="me", source="/run/lab/images/busybox", target=root),
            Bind(who="me", source="/proc", target=f"{root}/proc")]  # fmt: skip


def test_root_walks_out_of_a_chroot(lab: Lab) -> None:
    lab.image("busybox")
    lab.take_all(
        [*chrooted()[:-1], Mount(who="me", type="tmpfs", target="/tmp/a/tmp"), Chroot(who="me", path="/tmp/a")]
    )
    with pytest.raises(StepFailed, match="EROFS"):  # it needs one directory that it can make
        lab.take(EscapeChroot(who="me"))
    lab.take_all(
        [Spawn(child="again"), MakeDirectory(who="again", path="/tmp/jail"), Chroot(who="again", path="/tmp/jail")]
    )
    assert root_of(lab, "again") == "/tmp/jail"
    lab.take(EscapeChroot(who="again"))
    assert root_of(lab, "again") == "/"


def root_of(lab: Lab, who: str) -> str:
    return next(f.root for f in lab.facts("root") if isinstance(f, fact.Root) and f.process == who)


def test_nobody_walks_out_of_a_pivoted_root(lab: Lab) -> None:
    plan = lab.plans.container("busybox", ["sleep", "1000"], name="me").only_until(DetachOldRoot)
    lab.ready(plan)
    lab.take_all(list(plan))
    lab.take(EscapeChroot(who="me"))
    with pytest.raises(StepFailed, match="ENOENT"):
        lab.take(ChangeDirectory(who="me", path="/run/lab"))
    left = [f.mountpoint for f in lab.facts("mounts") if isinstance(f, fact.Mount) and f.ns == "mnt#2"]
    assert {path.split("/")[1] for path in left} == {"", "proc", "sys", "dev"}


def test_until_it_is_detached_the_old_root_is_all_there(lab: Lab) -> None:
    plan = lab.plans.container("busybox", name="me").only_until(PivotRoot)
    lab.ready(plan)
    lab.take_all(list(plan))
    assert "root:" in read(lab, "/old/etc/passwd")
    lab.take(DetachOldRoot(who="me"))
    with pytest.raises(StepFailed, match="ENOENT"):
        read(lab, "/old/etc/passwd")


# File systems that every container expects


def test_a_proc_shows_the_pid_namespace_of_whoever_mounts_it(lab: Lab) -> None:
    lab.take_all([Spawn(child="me", namespaces=("pid", "mnt")), MakePrivate(who="me")])
    hosts_view = read(lab, "/proc/self/stat").split()[0]
    lab.take(MountProc(who="me"))
    assert (hosts_view != "1", read(lab, "/proc/self/stat").split()[0]) == (True, "1")


def test_a_sysfs_shows_the_network_namespace_of_whoever_mounts_it_and_is_read_only(lab: Lab) -> None:
    lab.take_all([Spawn(child="me", namespaces=("net", "mnt")), MakePrivate(who="me"), MountSysfs(who="me")])
    assert read(lab, "/sys/class/net/lo/operstate") == "down\n"
    with pytest.raises(StepFailed, match="EROFS"):
        lab.take(WriteFile(who="me", path="/sys/class/net/lo/mtu", text="1"))


def test_terminals_of_its_own_and_a_minimal_dev(lab: Lab) -> None:
    plan = Plan.of("dev", ("", [A, B, MountDevpts(target="/tmp/a"), BuildDev(target="/tmp/b")]))
    if why := refused(lab, plan):
        pytest.skip(why)
    lab.take_all(plan.steps)
    assert mounts(lab, "/tmp/a")[0].type == mounts(lab, "/tmp/b/pts")[0].type == "devpts"
    files = [f for f in lab.facts("files") if isinstance(f, fact.File) and f.path.startswith("/tmp/b/")]
    devices = {f.path.rpartition("/")[2]: f.device for f in files if f.device}
    assert devices == DEVICES
    assert {f.mode for f in files if f.device} == {"0666"}, "whatever the umask is"
    assert read(lab, "/tmp/b/zero", "host")[:4] == "\0" * 4


def test_masked_paths_say_nothing_and_read_only_ones_take_nothing(lab: Lab) -> None:
    lab.take_all(
        [Spawn(child="me", namespaces=("mnt", "pid")), MakePrivate(who="me"), MountProc(who="me"), HidePaths(who="me")]
    )
    assert read(lab, "/proc/keys") == ""
    with pytest.raises(StepFailed, match="EROFS"):
        lab.take(WriteFile(who="me", path="/proc/sys/kernel/hostname", text="x"))
    with pytest.raises(StepFailed, match="ENOENT"):  # the kernel itself would say EACCES: what lies there was removed
        lab.take(WriteFile(who="me", path="/sys/firmware/x", text="x"))
    lab.take_all([MaskPath(who="me", path="/proc/version"), MaskPath(who="me", path="/proc/tty", directory=True)])
    assert read(lab, "/proc/version") == ""
    with pytest.raises(StepFailed, match="ENOENT"):
        read(lab, "/proc/tty/drivers")


# Names, clocks, links


def test_names_are_those_of_the_uts_namespace(lab: Lab) -> None:
    lab.take_all(
        [Spawn(child="me", namespaces=("uts",)), SetHostname(who="me", name="a"), SetDomainname(who="me", name="b")]
    )
    found = {f.ns: (f.hostname, f.domainname) for f in lab.facts("uts") if isinstance(f, fact.Uts)}
    assert found == {"uts#1": ("lab", "(none)"), "uts#2": ("a", "b")}


def test_a_domain_name_is_put_back(lab: Lab) -> None:
    walk = lab.walk(Plan.of("names", ("", [SetDomainname(name="one"), SetDomainname(name="two")])))
    walk.run()
    for name in ("one", "(none)"):
        walk.back()
        assert [f.domainname for f in lab.facts("uts") if isinstance(f, fact.Uts)] == [name]


def test_the_clocks_of_the_next_child_are_shifted(lab: Lab) -> None:
    shift = SetClockOffsets(who="me", monotonic=1000, boottime=-0)
    lab.take_all([Spawn(child="me"), Unshare(who="me", namespaces=("time",)), shift, Spawn(who="me", child="child")])
    found = {f.ns: (f.monotonic, f.boottime) for f in lab.facts("time") if isinstance(f, fact.TimeOffsets)}
    assert found["time#2"] == (1000, 0)
    with pytest.raises(StepFailed, match="EACCES"):
        lab.take(SetClockOffsets(who="me", monotonic=5))


def test_loopback_is_down_at_birth_and_a_refusal_is_told(lab: Lab) -> None:
    """Netlink says no in its answer; every call of the exchange succeeds."""
    lab.take(Spawn(child="me", namespaces=("net",)))
    up = [f.up for f in lab.facts("net") if isinstance(f, fact.Link) and f.ns == "net#2" and f.name == "lo"]
    assert up == [False]
    lab.take(LoopbackUp(who="me"))
    assert any(isinstance(f, fact.Address) and f.ns == "net#2" and f.address == "127.0.0.1/8" for f in lab.facts("net"))
    lab.take(DropCapabilities(who="me", keep=()))
    with pytest.raises(StepError, match=r"sendto.*EPERM"):
        lab.take(LoopbackUp(who="me"))


# Identity and rights


def test_groups_go_first_and_the_uid_last(lab: Lab) -> None:
    lab.take_all([Spawn(child="me"), BecomeUser(who="me", uid=1000, gid=1001, groups=(7, 8))])
    me = credentials(lab)
    assert (set(me.uids), set(me.gids), me.groups) == ({1000}, {1001}, (7, 8))
    assert (me.effective, me.permitted) == (0, 0), "with uid 0 go the capabilities"
    with pytest.raises(StepFailed, match="EPERM"):
        lab.take(BecomeUser(who="me", uid=0, gid=0))


def test_whoever_is_not_mapped_owns_nothing(lab: Lab) -> None:
    lab.take(Spawn(child="me", namespaces=("user", "mnt")))
    assert read(lab, "/proc/self/uid_map") == ""
    with pytest.raises(StepFailed, match=r"setgroups.*EPERM"):
        lab.take(BecomeUser(who="me", uid=0, gid=0))
    lab.take_all(
        [MapIds(child="me"), BecomeUser(who="me", uid=0, gid=0), A, ChangeOwner(path="/tmp/a", uid=100000, gid=100000)]
    )
    lab.take(WriteFile(who="me", path="/tmp/a/mine", text="x"))
    owners = {f.path: f.uid for f in lab.facts("files") if isinstance(f, fact.File) and f.path.startswith("/tmp/a")}
    assert owners["/tmp/a/mine"] == 100000


@pytest.mark.parametrize("keep", [(), ("CAP_KILL",), ("CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW")])
def test_capabilities_that_are_dropped_do_not_come_back_by_exec(lab: Lab, keep: tuple[str, ...]) -> None:
    lab.take_all([Spawn(child="me"), DropCapabilities(who="me", keep=keep)])
    word = capabilities.mask(keep)
    assert {credentials(lab).effective, credentials(lab).permitted, credentials(lab).bounding} == {word}
    lab.take(Exec(who="me", argv=("sleep", "1000")))
    assert {credentials(lab).effective, credentials(lab).bounding} == {word}


def test_an_ambient_capability_outlives_the_exec_of_a_user_and_no_other_does(lab: Lab) -> None:
    few = ("CAP_KILL", "CAP_CHOWN")
    lab.take_all(
        [Spawn(child="me"), InheritCapabilities(who="me", names=few), RaiseAmbient(who="me", names=("CAP_KILL",))]
    )
    me = credentials(lab)
    assert (me.inheritable, me.ambient) == (capabilities.mask(few), capabilities.mask(("CAP_KILL",)))
    with pytest.raises(StepFailed, match=r"PR_CAP_AMBIENT_RAISE, CAP_NET_RAW.*EPERM"):
        lab.take(RaiseAmbient(who="me", names=("CAP_NET_RAW",)))
    lab.take(InheritCapabilities(who="me", names=()))
    assert credentials(lab).ambient == 0, "it sinks with the inheritable set"


def test_no_new_privileges_cannot_be_taken_back(lab: Lab) -> None:
    lab.take_all([Spawn(child="me"), NoNewPrivileges(who="me")])
    assert credentials(lab).no_new_privs
    lab.take(Exec(who="me", argv=("sleep", "1000")))
    assert credentials(lab).no_new_privs


def test_the_table_knows_every_capability_of_this_kernel() -> None:
    """DropCapabilities takes what the table names out of the bounding set: a newer one would stay in it."""
    assert capabilities.last_cap() <= max(capabilities.NAMES)


def test_every_step_says_what_it_changes_why_and_where_to_read_on() -> None:
    from step_examples import EXAMPLES

    for step in itertools.chain.from_iterable(EXAMPLES):
        assert step.summary()
        assert not step.summary().endswith(".")
        assert step.why() != step.summary()
        assert step.man(), f"{type(step).__name__} names no manual page"
