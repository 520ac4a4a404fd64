"""A container uses the devices on its list and no others: by the tree of version 1, and by a program in version 2.

On a machine that has both, the program is put to the test in the unified tree.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import Lab
from labkit.cgroups import Limits
from labkit.cgroups.devices import AllowDevices, AttachDeviceProgram, DetachDeviceProgram
from labkit.cgroups.hold import Trees, hold
from labkit.cgroups.make import MakeCgroup
from labkit.container.container import Container
from labkit.errors import SpecError, StepError
from labkit.linux.bpf import device_programs
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.filesystems import DEVICES, BuildDev
from labkit.namespaces.processes import Exec, Reap
from labkit.namespaces.spawn import Spawn
from labkit.steps.fact import File, Limit
from labkit.steps.plan import Plan

NULL = Limits(devices=["c 1:3 rw"])
#: reads two devices and opens one for both, saying of each whether it may
TRY = """
try() { if why=$(sh -c "$1" 2>&1); then echo yes; else case $why in *"Operation not permitted") echo no; esac; fi; }
try 'exec 3</dev/null'
try 'exec 3</dev/zero'
try 'exec 3<>/dev/null'
"""
NULL_ONLY, NOTHING, ALL = "yes no yes", "no no no", "yes yes yes"


@pytest.fixture(autouse=True)
def lab_may(lab: Lab) -> None:
    if not lab.lacking.cgroups or lab.rootless:
        pytest.skip("a rootless lab cannot do it: test_cgroups_devices")


@pytest.fixture(params=[1, 2], ids=["list", "program"])
def version(request: pytest.FixtureRequest, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> int:
    """How the lab holds its containers: as this version does it."""
    trees = lab.lacking._trees
    if request.param == 1 and not trees.tree("devices"):
        pytest.skip("there is no tree of version 1 for devices")
    others = tuple(words for words in trees.v1 if request.param == 1 or "devices" not in words.split(","))
    monkeypatch.setattr(lab.lacking, "_trees", Trees(trees.v2, others, trees.lacking))
    return int(request.param)


@pytest.fixture
def held(lab: Lab, version: int) -> Iterator[Container]:
    container = lab.run("busybox", ["sleep", "1000"], limits=NULL, detach=True)
    yield container
    container.kill()
    container.wait()


def may(ran: Container) -> str:
    assert not ran.stderr, ran.stderr
    return " ".join(ran.stdout.split())


def told(lab: Lab) -> set[tuple[str, str]]:
    """What is said of devices: file and value."""
    facts = lab.snapshot("cgroup").of_type(Limit)
    return {(fact.file, fact.value) for fact in facts if fact.file.startswith("devices")}


def test_what_is_not_on_the_list_cannot_be_opened(lab: Lab, version: int) -> None:
    assert may(lab.run("busybox", ["sh", "-c", TRY], limits=NULL)) == NULL_ONLY
    assert may(lab.run("busybox", ["sh", "-c", TRY], limits=Limits(devices=[]))) == NOTHING
    assert may(lab.run("busybox", ["sh", "-c", TRY], limits=Limits(devices=["a *:* rwm"]))) == ALL
    assert may(lab.run("busybox", ["sh", "-c", TRY], limits=Limits())) == ALL, "the control group"


@pytest.mark.parametrize(
    ("rules", "can"),
    [
        (["c 1:3 r", "c 1:3 w"], "yes no yes"),
        (["c 1:3 r", "c *:* w"], "yes no no"),
        (["c *:3 rw", "b *:* rwm"], "yes no yes"),
        (["c 1:* rm"], "yes yes no"),
    ],
    ids=str,
)
def test_one_rule_must_allow_all_that_is_asked(lab: Lab, version: int, rules: list[str], can: str) -> None:
    assert may(lab.run("busybox", ["sh", "-c", TRY], limits=Limits(devices=rules))) == can


def test_who_is_started_in_it_is_held_as_well(held: Container) -> None:
    assert may(held.exec(["sh", "-c", TRY])) == NULL_ONLY


def test_the_list_changes_while_it_runs(lab: Lab, held: Container) -> None:
    held.limits(devices=[])
    assert may(held.exec(["sh", "-c", TRY])) == NOTHING
    held.limits(devices=["c 1:5 r"])
    assert may(held.exec(["sh", "-c", TRY])) == "no yes no"
    held.limits(devices=None)
    assert may(held.exec(["sh", "-c", TRY])) == ALL
    assert not told(lab)


def test_what_is_open_stays_open(lab: Lab, version: int) -> None:
    wait = "echo open; while [ ! -e /tmp/go ]; do sleep 0.05; done"
    script = f"exec 3</dev/zero; {wait}; head -c 3 <&3 | wc -c; head -c 3 /dev/zero | wc -c"
    container = lab.run("busybox", ["sh", "-c", script], limits=Limits(devices=["c 1:5 r"]), detach=True)
    while "open" not in container.stdout:
        assert container.running
    container.limits(devices=[])
    container.exec(["touch", "/tmp/go"])
    assert container.wait(10) == 0
    assert container.stdout.split() == ["open", "3", "0"]


@pytest.mark.parametrize(
    "options",
    [
        {"namespaces": ("mnt", "pid", "uts", "ipc", "net", "cgroup", "user")},
        {"namespaces": ("pid", "uts")},
        {"namespaces": ()},
        {"user": 1000},
        {"init": True},
    ],
    ids=str,
)
def test_whatever_else_is_asked_of_the_container(lab: Lab, version: int, options: dict[str, object]) -> None:
    ran = lab.run("busybox", ["sh", "-c", TRY], limits=NULL, **options)
    assert may(ran) == NULL_ONLY


def test_a_directory_of_somebody_without_a_mount_namespace_is_refused(lab: Lab, version: int) -> None:
    """To bind devices it would have to be entered last, and a link in it could lead the mounts elsewhere until then."""
    with pytest.raises(SpecError, match="may make no devices"):
        lab.run("/", ["true"], namespaces=("pid",), limits=NULL)


def test_the_plan_says_what_is_done_and_leads_back(lab: Lab, version: int) -> None:
    lab.walk(lab.plans.container("busybox", ["sleep", "100"], limits=NULL)).run()
    before, walk = told(lab), lab.walk(lab.plans.container("busybox", ["sleep", "100"], limits=NULL)).run()
    assert ("devices.list", "c 1:3 rw") in before or any(name == "devices" for name, _ in before)
    step = next(each for each in walk.plan if isinstance(each, (AllowDevices, AttachDeviceProgram)))
    assert step.path in step.shell() and "c 1:3 rw" in step.title
    walk.goto(0)
    assert not told(lab)


# the steps themselves

G = "/sys/fs/cgroup/g"


@pytest.mark.parametrize("rule", ["c 1:* m", "c 1:3 m", "c 1:3 rw"])
def test_a_device_is_made_by_who_may_make_it(lab: Lab, version: int, rule: str) -> None:
    """A container has no CAP_MKNOD; this one has, and is in the same cgroups."""
    making = [*hold(Limits(devices=[rule]), lab.lacking._trees).making("g")]
    joining = hold(Limits(devices=[rule]), lab.lacking._trees).joining("g", "me")
    lab.trees(hold(Limits(devices=[rule]), lab.lacking._trees))
    lab.take_all([*making, Spawn(child="me", cgroup=G), *joining, MakeDirectory(path="/tmp/dev")])
    with pytest.raises(StepError, match="mknodat") as refused:
        lab.take(BuildDev(who="me", target="/tmp/dev"))
    assert refused.value.errno == errno.EPERM
    made = {fact.path for fact in lab.snapshot("files").of_type(File)} & {f"/tmp/dev/{name}" for name in DEVICES}
    first_refused = {"c 1:* m": "tty", "c 1:3 m": "zero", "c 1:3 rw": "null"}[rule]
    assert made == {f"/tmp/dev/{name}" for name in [*DEVICES][: [*DEVICES].index(first_refused)]}


def test_a_program_is_told_by_its_name_and_taken_back(lab: Lab) -> None:
    first, second = (AttachDeviceProgram(path=G, rules=(rule,)) for rule in ("c 1:3 r", "c 1:5 r"))
    walk = lab.walk(Plan.of("p", ("", [MakeCgroup(path=G), first, second, DetachDeviceProgram(path=G)])))
    seen = []
    for _ in range(4):
        walk.next()
        seen.append(told(lab))
    names = [{("devices", step.program.name)} for step in (first, second)]
    assert seen == [set(), *names, set()]
    for expected in (names[1], names[0], set()):
        walk.back()
        assert told(lab) == expected, walk.way_back


def test_the_shell_lines_attach_the_same_program_and_take_it_away(lab: Lab) -> None:
    """test_shell_truth compares names, which the line gives itself: here it is run."""
    container = lab.run("busybox", ["sleep", "1000"], limits=Limits(), detach=True)
    path = f"/sys/fs/cgroup/{container.name}"
    for number, (step, can) in enumerate(
        [
            (AttachDeviceProgram(path=path, rules=("c 1:3 rw",)), NULL_ONLY),
            (AttachDeviceProgram(path=path, rules=("c 1:5 rw", "c *:3 w", "c 1:* r")), "yes yes no"),
            (DetachDeviceProgram(path=path), ALL),
        ]
    ):
        parent, shell = f"parent{number}", f"shell{number}"
        line = Exec(who=shell, argv=("bash", "-euc", step.shell()))
        lab.take_all([Spawn(child=parent), Spawn(who=parent, child=shell), line, Reap(who=parent, target=shell)])
        assert may(container.exec(["sh", "-c", TRY])) == can
    container.kill()
    container.wait()


def test_the_program_of_a_cgroup_goes_with_it(lab: Lab) -> None:
    lab.take_all([MakeCgroup(path=G), AttachDeviceProgram(path=G, rules=("c 7:7 rwm",))])
    [mine] = Path(lab.info["cgroup"]).glob("h*/g")
    assert device_programs(str(mine)) == [AttachDeviceProgram(path=G, rules=("c 7:7 rwm",)).program.name]
    lab.reset()
    assert device_programs(str(mine)) == []


def test_a_cgroup_below_may_not_have_another(lab: Lab) -> None:
    """It is attached without flags, and then the kernel lets nobody below put something else in its place."""
    steps = [MakeCgroup(path=G), MakeCgroup(path=f"{G}/h"), AttachDeviceProgram(path=G, rules=())]
    lab.take_all(steps)
    with pytest.raises(StepError) as refused:
        lab.take(AttachDeviceProgram(path=f"{G}/h", rules=("a *:* rwm",)))
    assert refused.value.errno == errno.EPERM and "cgroup above" in (refused.value.likely or "")


def test_where_there_is_none_there_is_none_to_take_away(lab: Lab) -> None:
    lab.take(MakeCgroup(path=G))
    with pytest.raises(StepError) as refused:
        lab.take(DetachDeviceProgram(path=G))
    assert refused.value.errno == errno.ENOENT and refused.value.look


def test_in_version_1_nobody_below_gets_more(lab: Lab) -> None:
    if not lab.lacking._trees.tree("devices"):
        pytest.skip("there is no tree of version 1 for devices")
    top = f"/run/cgroup1/{lab.lacking._trees.tree('devices')}/g"
    walk = lab.walk(Plan.of("p", ("", [MakeCgroup(path=top), AllowDevices(path=top, rules=("c 1:3 r",))]))).run()
    assert told(lab) == {("devices.list", "c 1:3 r")}
    lab.take(MakeCgroup(path=f"{top}/below"))
    with pytest.raises(StepError) as refused:
        lab.take(AllowDevices(path=f"{top}/below", rules=("c 1:5 r",)))
    assert refused.value.errno == errno.EPERM and "cgroup above" in (refused.value.likely or "")
    assert walk.position == 2
