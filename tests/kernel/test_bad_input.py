"""What cannot be: each a clear error in one line with its cause or remedy, before or after the kernel said no;
and nothing is left of the attempt. (Back at 0 and Go to past the end are with the tests of Back.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from telling import well_told

from labkit import Lab
from labkit.container.container import Container
from labkit.errors import ImageError, LabError, PlanError, SpecError, StepError
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.mounts import Mount
from labkit.namespaces.processes import Exec
from labkit.namespaces.roots import PivotRoot
from labkit.namespaces.spawn import Spawn
from labkit.steps.plan import Plan
from labkit.steps.taking import StepFailed

ALL = ("cgroup", "processes", "mounts", "files", "namespaces")


@pytest.fixture
def refused(lab: Lab) -> Callable[..., LabError]:
    """A function that asks for a container, expects to be refused, and finds nothing left of the attempt."""

    def ask(kind: type[LabError], match: str, *args: Any, **options: Any) -> LabError:
        before = set(lab.facts(*ALL))
        with pytest.raises(kind, match=match) as caught:
            lab.run(*args, **options)
        well_told(caught.value)
        # the image stays attached: the next container wants it as well
        images = "/run/lab/images/"
        assert {fact for fact in lab.facts(*ALL) if images not in str(fact)} == {
            f for f in before if images not in str(f)
        }
        assert lab.containers == {}
        assert lab.run("busybox", ["echo", "as ever"]).stdout == "as ever\n"
        return caught.value

    return ask


Refused = Callable[..., LabError]


@pytest.mark.parametrize(
    ("image", "match"),
    [
        ("no-such-image", "there is no image 'no-such-image'"),
        ("../busybox/", "is not a directory"),
        ("/no/such/directory", "/no/such/directory is not a directory"),
        ("/etc/passwd", "/etc/passwd is not a directory"),
        ("-x", "there is no image"),
        (".", "there is no image"),
        ("..", "there is no image"),
        ("a\nb", "there is no image"),
        ("a\0b", "there is no image"),
        ("/a\0b", "is not a directory"),
        ("x" * 300, "there is no image"),
        ("/" + "x" * 5000, "is not a directory"),
        ("", "an image is a name or the path of a directory"),
        (None, "an image is a name or the path of a directory"),
        (7, "an image is a name or the path of a directory"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_an_image_that_is_not_there(refused: Refused, image: object, match: str) -> None:
    refused(ImageError, match, image, ["true"])


@pytest.mark.parametrize(
    ("argv", "match"),
    [
        ([], "argv is empty"),
        ("", "argv is empty"),
        ([""], "argv is empty"),
        (["echo", "a\0b"], r"argv\[1\] contains NUL"),
        (["a\0b"], r"argv\[0\] contains NUL"),
        (["echo", "x" * 1_000_000], r"argv\[1\] has 1000000 bytes; the kernel takes at most 131071"),
        (["echo", "ä" * 65536], r"argv\[1\] has 131072 bytes"),
        (["echo", 5], r"argv\[1\] is int, not a string"),
        (["echo", None], r"argv\[1\] is NoneType, not a string"),
        (b"echo", "argv is bytes, not a list"),
        (5, "argv is int, not a list"),
        ({"echo": 1}, "argv is dict, not a list"),
        ("echo 'unfinished", "argv cannot be split into words: no closing quotation"),
        (["echo", "\ud800"], "which is no character"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_command_that_cannot_be_one(refused: Refused, argv: object, match: str) -> None:
    refused(SpecError, match, "busybox", argv)


def test_a_long_command_of_short_words_is_no_error(lab: Lab) -> None:
    words = ["x" * 999] * 1000
    assert lab.run("busybox", ["sh", "-c", "echo $# ${#1}", "sh", *words]).stdout == "1000 999\n"
    assert lab.run("busybox", ["sh", "-c", "echo ${#1}", "sh", "x" * 131_000]).stdout == "131000\n"


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("../x", "begins with '.'"),
        ("a/b", "contains '/'"),
        (".", "begins with '.'"),
        ("x" * 300, "has 300 characters; 63 are allowed"),
        ("a\nb", "contains"),
        ("-x", "begins with '-'"),
        ("", "cannot be empty"),
        ("a b", "contains ' '"),
        ("a\0", "contains"),
        ("ä", "letter or a digit"),
        ("web.1", "contains '.', which names processes"),
        ("images", "images is the lab's own name"),
        ("root", "root is the lab's own name"),
        ("host", "host is the lab's own name"),
        ("init", "init is the lab's own name"),
        (5, "a name is a string"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_name_that_cannot_be_one(refused: Refused, name: object, match: str) -> None:
    refused(SpecError, match, "busybox", ["true"], name=name)


def test_a_name_that_is_taken(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
    for again in (lambda: lab.run("busybox", ["true"], name="web"), lambda: lab.plans.container("busybox", name="web")):
        with pytest.raises(SpecError, match="there is a container called web already") as caught:
            again()
        well_told(caught.value)
    assert held.running
    held.kill()


def test_a_name_that_a_walk_has_taken(lab: Lab) -> None:
    """Its container was made step by step: the lab does not know it, the kernel does."""
    lab.walk(lab.plans.container("busybox", ["sleep", "1000"], name="web")).run()
    before = lab.facts(*ALL)
    with pytest.raises(StepError, match="EEXIST") as caught:
        lab.run("busybox", ["true"], name="web")
    well_told(caught.value)
    assert lab.facts(*ALL) == before, "what has that name is not ours to clear"


@pytest.mark.parametrize(
    ("hostname", "match"),
    [
        ("x" * 65, "has 65 bytes; the kernel keeps 64"),
        ("x" * 64, "label of 64 bytes"),
        ("", "cannot be empty"),
        ("a..b", "empty label"),
        ("a b", "contains ' '"),
        ("-a", "begins or ends with '-'"),
        ("a\nb", "contains"),
        ("a\0b", "contains"),
        (5, "a hostname is a string"),
    ],
)
def test_a_hostname_that_cannot_be_one(refused: Refused, hostname: object, match: str) -> None:
    refused(SpecError, match, "busybox", ["true"], hostname=hostname)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"namespaces": ("network",)}, "no namespace kind 'network'; there are mnt, uts"),
        ({"namespaces": ("mount",)}, "no namespace kind 'mount'; there are mnt, uts"),
        ({"namespaces": "mnt"}, "namespaces is one string, 'mnt', not a list"),
        ({"namespaces": (5,)}, "no namespace kind 5"),
        ({"namespaces": ("user",)}, "a user namespace may mount nothing"),
        ({"namespaces": ("mnt",), "hostname": "web"}, "without a uts namespace"),
        ({"user": "mallory"}, "there is no user 'mallory' in /etc/passwd of busybox"),
        ({"user": ""}, "'' is no user: neither a name nor a number"),
        ({"user": -1}, "'-1' is no user"),
        ({"user": "1:"}, "'1:' is no user"),
        ({"user": ":1"}, "':1' is no user"),
        ({"user": "1:2:3"}, "'1:2:3' is no user"),
        ({"user": "tenant:bakers"}, "there is no group 'bakers' in /etc/group of busybox"),
        ({"user": "te\0nant"}, "user contains NUL"),
        ({"user": True}, "user is bool, neither a name nor a number"),
        ({"user": 5.0}, "user is float, neither a name nor a number"),
        ({"env": {"A=B": "x"}}, "'A=B' cannot be the name"),
        ({"env": {"": "x"}}, "'' cannot be the name"),
        ({"env": {"A": "x\0y"}}, r"env\['A'\] contains NUL"),
        ({"env": {"A\0": "x"}}, "contains NUL"),
        ({"env": {5: "x"}}, "5 cannot be the name"),
        ({"env": {"A": "x" * 200_000}}, "has 200000 bytes"),
        ({"env": {"A": None}}, r"env\['A'\] is NoneType, not a string"),
        ({"env": {"A": 5}}, r"env\['A'\] is int, not a string"),
        ({"env": {"A": b"x"}}, r"env\['A'\] is bytes, not a string"),
        ({"env": {"A": True}}, r"env\['A'\] is bool, not a string"),
        ({"env": {b"A": "x"}}, "b'A' cannot be the name"),
        ({"env": {"A": "\ud800"}}, "which is no character"),
        ({"env": ["A=B"]}, "env is list, not a dictionary"),
        ({"stdin": 5}, "stdin is int, not text or bytes"),
        ({"workdir": 5}, "working directory 5 is not an absolute path"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_options_that_cannot_be(refused: Refused, options: dict[str, Any], match: str) -> None:
    refused(SpecError, match, "busybox", ["true"], **options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"workdir": "/no/such"}, r'chdir\("/no/such"\) = -1 ENOENT'),
        ({"workdir": "/etc/passwd"}, r'chdir\("/etc/passwd"\) = -1 ENOTDIR'),
        ({"workdir": "/" + "x" * 300}, "ENAMETOOLONG"),
        ({"workdir": "/" + "x/" * 3000}, "ENAMETOOLONG"),
    ],
    ids=["missing", "a file", "long name", "long path"],
)
@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("init", [False, True])
def test_what_only_the_kernel_can_refuse(
    refused: Refused, options: dict[str, Any], match: str, detach: bool, init: bool
) -> None:
    refused(StepError, match, "busybox", ["true"], detach=detach, init=init, **options)


@pytest.mark.parametrize("signal", [0, -1, 65, 1000, "TERM", None, 9.0])
def test_a_signal_that_is_none(lab: Lab, signal: Any) -> None:
    held: Container = lab.run("busybox", ["sleep", "1000"], detach=True)
    with pytest.raises(SpecError, match="is no signal") as caught:
        held.kill(signal)
    well_told(caught.value)
    assert held.running
    held.kill()


@pytest.mark.parametrize("argv", [[], "", ["a\0b"], 5])
def test_exec_is_as_particular_as_run(lab: Lab, argv: Any) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    for ask in (held.exec, lambda words: lab.terminal(held, words)):
        with pytest.raises(SpecError) as caught:
            ask(argv)
        well_told(caught.value)
    held.kill()


# Plans that fail on the way


@pytest.mark.parametrize("position", range(2, 15))
def test_a_container_that_fails_at_any_step_leaves_nothing(lab: Lab, position: int) -> None:
    """A step that no kernel grants is put before each of the container's own in turn."""
    spoilt = list(lab.plans.container("busybox", ["true"], name="web"))
    assert spoilt[position].who == "web"
    spoilt.insert(position, Mount(who="web", type="no-such-type", target="/"))
    before = set(lab.facts("cgroup", "processes", "mounts", "namespaces"))
    walk = lab.walk(Plan.of("spoilt", ("", spoilt)))
    with pytest.raises(StepFailed, match=f"in step {position + 1} of {len(spoilt)}") as caught:
        walk.run()
    assert "ENODEV" in caught.value.message
    well_told(caught.value)
    assert caught.value.made[-1].failed
    lab.reset()
    assert set(lab.facts("cgroup", "processes", "mounts", "namespaces")) == before


def test_a_step_that_fails_changes_nothing_and_the_walk_goes_on(lab: Lab) -> None:
    steps = [MakeDirectory(path="/tmp/a"), Mount(type="no-such-type", target="/tmp/a"), MakeDirectory(path="/tmp/b")]
    walk = lab.walk(Plan.of("mid-plan", ("", steps)))
    with pytest.raises(StepFailed, match=r'mount.*ENODEV.*in step 2 of 3, "mount no-such-type on /tmp/a"') as caught:
        walk.run()
    well_told(caught.value)
    assert walk.position == 1
    walk.back()
    assert walk.position == 0


def test_steps_of_a_process_that_is_not_there(lab: Lab) -> None:
    for steps in ([Exec(who="nobody", argv=("true",))], [Spawn(child="a"), Exec(who="b", argv=("true",))]):
        with pytest.raises(StepError, match="there is no process called") as caught:
            lab.take_all(steps)
        well_told(caught.value)


def test_the_lab_host_itself_is_not_taken_apart(lab: Lab) -> None:
    with pytest.raises(StepFailed, match="the lab host does not change its own") as caught:
        lab.take(PivotRoot(new_root="/tmp"))
    assert caught.value.errno == 0, "the kernel was not asked"


def test_a_plan_without_what_it_has_not(lab: Lab) -> None:
    for ask in (lambda: lab.plans.container("busybox").without(Mount), lambda: Plan("empty").only_until(Mount)):
        with pytest.raises(PlanError, match="there is no step Mount") as caught:
            ask()
        well_told(caught.value)


def test_a_hundred_refusals_cost_nothing(lab: Lab) -> None:
    import os

    lab.run("busybox", ["true"])
    before = len(os.listdir("/proc/self/fd"))
    for number, options in zip(range(100), itertools.cycle([{"workdir": "/no"}, {"user": "no"}, {"name": "/"}])):
        with pytest.raises(LabError):
            lab.run("busybox", ["true"], **options)  # type: ignore[arg-type]  # that is the point
        assert number < 100
    assert len(os.listdir("/proc/self/fd")) <= before + 1
