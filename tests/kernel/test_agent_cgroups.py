"""A lab's cgroups: one of its own, below where it was started, and no other one is ever touched. On v2 and hybrid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit import Lab, doctor
from labkit.agent import delegation
from labkit.cgroups import Limits
from labkit.linux import cgroup2, hierarchies, mountinfo, proc

pytestmark = pytest.mark.usefixtures("own_cgroups", "own_processes")


@pytest.fixture
def neighbour(nothing_is_left: None) -> Iterator[tuple[str, int]]:
    """A cgroup beside those of labs, with a group below it and a process in that; named as a lab's would be."""
    own = delegation.home()
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        try:
            path = cgroup2.make(own, f"labkit-lab-1-{sleeper.pid}")
            inner = cgroup2.make(path, "h1")
            Path(inner, "cgroup.procs").write_text(str(sleeper.pid))
            yield inner, sleeper.pid
        finally:
            sleeper.kill()
    cgroup2.remove(path, root=own)


def tree() -> set[str]:
    """Every cgroup below the one in which labs are made, in all trees."""
    tops = [delegation.home(), *(each.directory for each in hierarchies.read() if each.version == 1 and each.directory)]
    return {path for top in tops for path, _, _ in os.walk(top)}


def places(pid: int) -> list[tuple[int, str, str]]:
    return proc.cgroup_lines(pid)


def test_a_lab_makes_one_below_its_starter_and_moves_nobody_else(lab: Lab, neighbour: tuple[str, int]) -> None:
    inner, sleeper = neighbour
    mine, theirs = places(os.getpid()), places(sleeper)
    assert os.path.dirname(lab.info["cgroup"]) == delegation.home()
    web = lab.run("busybox", "sleep 1000", name="web", detach=True)
    lab.run("busybox", "true")
    assert web.running
    assert sorted(cgroup2.procs(lab.info["cgroup"])) == sorted(family(lab.info["pid"]))
    assert os.getpid() not in cgroup2.procs(lab.info["cgroup"])
    assert lab.info["supervisor"] not in cgroup2.procs(lab.info["cgroup"])
    lab.reset()
    lab.close()
    assert (places(os.getpid()), places(sleeper)) == (mine, theirs)
    assert cgroup2.procs(inner) == [sleeper]


def family(pid: int) -> Iterator[int]:
    yield pid
    for child in proc.children(pid):
        yield from family(child)


@pytest.mark.parametrize("limits", [None, Limits()], ids=["plain", "held"])
@pytest.mark.parametrize("who", ["supervisor", "pid"])
def test_a_burial_leaves_the_neighbours_alone(
    new_lab: Callable[[], Lab], neighbour: tuple[str, int], who: str, limits: Limits | None
) -> None:
    inner, sleeper = neighbour
    before = tree()
    lab = new_lab()
    lab.run("busybox", "sleep 1000", detach=True, limits=limits)
    os.kill(lab.info[who], signal.SIGKILL)
    if who == "supervisor":
        lab.backend.client.process.wait()
        doctor.bury()
    lab.close()
    assert cgroup2.procs(inner) == [sleeper]
    assert not os.path.isdir(lab.info["cgroup"])
    assert tree() == before


def test_nothing_is_made_in_a_hierarchy_of_version_1_unless_limits_are_asked_for(lab: Lab) -> None:
    if cgroup2.mode() != "hybrid":
        pytest.skip(f"this machine has cgroup mode {cgroup2.mode()}: there is no version 1 to stay away from")
    container = lab.run("busybox", "sleep 1000", detach=True)
    [pid] = [pid for pid in family(lab.info["pid"]) if proc.nspid(pid)[1:2] == [container.pid]]
    ours = {hierarchy: path for hierarchy, _, path in places(os.getpid())}
    theirs = {hierarchy: path for hierarchy, _, path in places(pid)}
    assert {number for number in ours if ours[number] != theirs[number]} == {0}


def test_a_dead_lab_host_gives_its_cgroup_back_at_once(lab: Lab) -> None:
    lab.run("busybox", "sleep 1000", detach=True)
    gone = f"{lab.info['cgroup']}/h{lab.info['generation']}"
    assert os.path.isdir(gone)
    os.kill(lab.info["pid"], signal.SIGKILL)
    lab.reset()
    assert not os.path.isdir(gone)


def test_without_a_place_for_a_cgroup_a_lab_has_none_and_says_why(new_lab: Callable[[], Lab]) -> None:
    """No room for one more cgroup here: cgroup.max.descendants(cgroup-v2.rst) is an administrator's way to say so."""
    limit = Path(delegation.home(), "cgroup.max.descendants")
    limit.write_text("0")
    try:
        lab = new_lab()
        assert lab.info["cgroup"] == ""
        assert "Resource temporarily unavailable" in lab.info["no_cgroup"]
        # Mounted from here, the tree would get new options, on the whole machine: the leak check saw that on pure v2.
        assert not [mount for mount in lab.facts("mounts") if mount.type == "cgroup2"]
        assert lab.run("busybox", ["echo", "all the same"]).stdout == "all the same\n"
        host = lab.info["pid"]
        os.kill(lab.info["supervisor"], signal.SIGKILL)
        lab.backend.client.process.wait()
        doctor.bury()
        assert not proc.alive(host) or proc.stat(host).state == "Z"
    finally:
        limit.write_text("max")


# delegation, in a cgroup that this test makes and marks as systemd marks what it leaves to others


@pytest.fixture
def delegated(nothing_is_left: None) -> Iterator[str]:
    home = delegation.home()
    path = cgroup2.make(home, f"labkit-test-{os.getpid()}")
    try:
        os.setxattr(path, "user.delegate", b"1")
        yield path
    finally:
        cgroup2.kill(path, root=home)
        cgroup2.remove(path, root=home)


def told(cgroup: str, code: str) -> str:
    """What Python says that is born in that cgroup, beside a shell that lives there as well."""
    command = 'echo $$ >"$0/cgroup.procs"; sleep 100 & "$1" -c "$2"; kill $!; wait'
    script = f"from labkit.agent import delegation; from labkit.linux import cgroup2; {code}"
    done = subprocess.run(["sh", "-c", command, cgroup, sys.executable, script], capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout.replace(cgroup, "*").strip()


def test_who_starts_jupyter_steps_aside_with_all_the_others(delegated: str) -> None:
    code = f"print(delegation.step_aside(), cgroup2.own(), cgroup2.procs('{delegated}/jupyter')[2:] != [])"
    assert told(delegated, code) == "*/jupyter */jupyter True"


def test_labs_are_made_beside_the_leaf_and_hand_controllers_down(delegated: str) -> None:
    assert told(delegated, "delegation.step_aside(); print(delegation.home())") == "*"
    assert delegation.hand_down(delegated) == "", "nobody is in it any more"


def test_where_others_live_in_it_labs_stay_in_the_leaf(delegated: str) -> None:
    leaf = cgroup2.make(delegated, "jupyter")
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        Path(delegated, "cgroup.procs").write_text(str(stranger.pid))
        assert told(leaf, "print(delegation.home())") == "*"
        stranger.kill()


def test_what_nobody_delegated_is_left_as_it_is(delegated: str) -> None:
    os.setxattr(delegated, "user.delegate", b"0")
    assert told(delegated, "print(delegation.step_aside() or 'stayed', cgroup2.own())") == "stayed *"


def test_what_systemd_gave_and_did_not_mark_is_ours_all_the_same(login: str) -> None:
    code = "import os; os.environ['LABKIT_SCOPE'] = 'yes'; delegation.step_aside(); "
    assert told(login, f"{code}print(cgroup2.own(), delegation.home(), 'LABKIT_SCOPE' in os.environ)") == (
        "*/jupyter * False"
    )


MADE = "from labkit import Lab; lab = Lab(); print(lab.run('busybox', ['echo', 'made']).stdout.strip()"


@pytest.fixture
def login(delegated: str) -> str:
    """A cgroup as a login has one: neither it nor the one above is left to us, and processes live in it."""
    os.setxattr(delegated, "user.delegate", b"0")
    delegation.hand_down(delegated)
    return cgroup2.make(delegated, "session-1.scope")


def test_a_lab_is_made_without_a_cgroup_where_only_threads_may_live(login: str) -> None:
    Path(cgroup2.make(login, "threads"), "cgroup.type").write_text("threaded")
    assert told(login, f"{MADE}, lab.info['cgroup'] or lab.info['no_cgroup']); lab.close()") == (
        "made * is divided among threads, and a cgroup in it takes no processes"
    )


def test_a_lab_is_made_where_others_live_without_controllers(login: str) -> None:
    """The threaded controllers could be handed down, but to cgroups that then take threads alone."""
    made = told(login, f"{MADE}, cgroup2.own(), lab.info['no_controllers']); lab.close()")
    why = " * hands nothing down, as processes live in it" if cgroup2.mode() == "v2" else ""
    assert made.startswith(f"made *{why}")


def test_the_top_of_the_machine_is_never_changed() -> None:
    top = Path(next(mount.target for mount in mountinfo.read() if mount.type == "cgroup2" and mount.root == "/"))
    before = top.joinpath("cgroup.subtree_control").read_text()
    if top.joinpath("cgroup.type").exists():
        pytest.skip("the top of the machine's tree is not to be seen from in here")
    assert "administrator" in delegation.hand_down(str(top))
    assert top.joinpath("cgroup.subtree_control").read_text() == before
