"""The journal: who is alive, what is buried, and what is not ours to touch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit import Lab
from labkit.agent import journal
from labkit.agent.journal import Journal
from labkit.linux import cgroup2, mountinfo, proc


@pytest.fixture
def parent(own_place: Path) -> Iterator[str]:
    own_place.mkdir(exist_ok=True)
    yield str(own_place)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def written(parent: str, name: str, *lines: object) -> Journal:
    """A run directory with these lines in its journal."""
    directory = Path(parent, name)
    (directory / "scratch").mkdir(parents=True)
    (directory / "journal").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Journal(str(directory))


@pytest.mark.usefixtures("own_run_directory")
def test_a_lab_is_alive_as_long_as_its_supervisor(parent: str, lab: Lab) -> None:
    [one] = journal.all_labs(parent)
    assert not one.dead()
    os.kill(lab.info["supervisor"], signal.SIGSTOP)
    assert not one.dead(), "who is stopped is not dead"
    os.kill(lab.info["supervisor"], signal.SIGCONT)
    assert journal.bury_dead(parent) == []
    assert lab.run("busybox", ["echo", "alive"]).stdout == "alive\n"


def test_a_zombie_is_dead(parent: str) -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        one = written(parent, "lab-1", {"supervisor": process.pid, **journal.name_process(process.pid)})
        assert not one.dead()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert proc.stat(process.pid).state == "Z"
        assert one.dead()
    assert journal.bury_dead(parent) == [f"removed run directory {one.directory}"]


@pytest.mark.parametrize(("key", "value"), [("start", 1), ("boot", "5f0c3d9e-0000-4000-8000-000000000000")])
def test_the_same_pid_is_not_the_same_process(
    parent: str, sleeper: subprocess.Popen[bytes], key: str, value: object
) -> None:
    """Above all after a restart: what is started early then has the pid *and the start time* of before."""
    named = {**journal.name_process(sleeper.pid), key: value}
    one = written(parent, "lab-1", {"supervisor": sleeper.pid, **named}, {"host": sleeper.pid, **named})
    assert one.dead()
    assert journal.bury_dead(parent) == [f"removed run directory {one.directory}"]
    assert sleeper.poll() is None, "who only has the same number is left alone"


@pytest.mark.usefixtures("own_cgroups")
def test_after_a_restart_a_cgroup_of_the_same_name_is_another_one(parent: str) -> None:
    other = cgroup2.make(cgroup2.own(), "labkit-lab-1-4711")
    named = {**journal.name_process(os.getpid()), "boot": "another"}
    written(parent, "lab-1", {"supervisor": os.getpid(), **named}, {"cgroup": other})
    journal.bury_dead(parent)
    assert os.path.isdir(other)
    os.rmdir(other)


def test_a_lab_of_another_pid_namespace_is_left_alone(parent: str) -> None:
    named = {**journal.name_process(os.getpid()), "pidns": 1, "start": 1}
    one = written(parent, "lab-1", {"supervisor": 1, **named})
    assert not one.dead()
    assert journal.bury_dead(parent) == []
    journal.remove_tree(one.directory)


@pytest.mark.parametrize("text", ["", "{", "[]\n", "null\n", '{"cgroup": "/sys/fs/cgroup"}\n', '{"supervisor": "x"}\n'])
def test_what_no_journal_names_is_not_ours(parent: str, text: str) -> None:
    one = written(parent, "lab-7")
    Path(one.directory, "journal").write_text(text)
    assert one.owner() is None
    assert journal.bury_dead(parent) == []
    assert os.path.isdir(one.directory)
    journal.remove_tree(one.directory)


@pytest.mark.usefixtures("own_cgroups")
def test_a_journal_cut_off_by_a_crash_counts_up_to_there(parent: str) -> None:
    dead = {**journal.name_process(os.getpid()), "start": 1}
    mine = cgroup2.make(cgroup2.own(), "labkit-lab-1-4711")
    one = written(parent, "lab-1", {"supervisor": 4711, **dead}, {"cgroup": mine})
    with open(f"{one.directory}/journal", "a") as text:
        text.write('{"cgroup": "/sys/fs/cg')
    assert journal.bury_dead(parent) == [f"removed cgroup {mine}", f"removed run directory {one.directory}"]


MAKE = """
import os, sys
from labkit.agent import journal
seen = []
def die(event, args):
    seen.append(event)
    if event == sys.argv[2] and seen.count(event) == int(sys.argv[4]):
        os.kill(os.getpid(), 9)
lab = journal.Journal.create(sys.argv[1]) if sys.argv[3] == "burying" else None
sys.addaudithook(die)
lab.bury() if lab else journal.Journal.create(sys.argv[1])
"""


@pytest.mark.parametrize(
    ("call", "when", "nth"),
    [
        ("os.mkdir", "making", "2"),
        ("os.rename", "making", "1"),
        ("os.rename", "burying", "1"),
        ("os.rmdir", "burying", "1"),
        ("os.remove", "burying", "1"),
    ],
)
def test_who_dies_while_making_or_removing_a_run_directory_is_buried_too(
    parent: str, call: str, when: str, nth: str
) -> None:
    with subprocess.Popen([sys.executable, "-c", MAKE, parent, call, when, nth]) as maker:
        assert maker.wait() == -signal.SIGKILL, "it was to be killed in the middle"
    [left] = os.listdir(parent)
    assert journal.bury_dead(parent) == [f"removed run directory {parent}/{left}"]
    assert os.listdir(parent) == []


def test_a_burial_never_follows_a_link(parent: str, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    one = written(parent, "lab-1", {"supervisor": 1, **journal.name_process(os.getpid()), "start": 1})
    os.symlink(tmp_path, f"{one.directory}/scratch/link")
    journal.bury_dead(parent)
    assert not os.path.exists(one.directory)
    assert (tmp_path / "precious").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="without root one makes nothing that a rootless agent could not remove")
@pytest.mark.usefixtures("own_run_directory")
def test_what_cannot_be_buried_is_told_and_does_not_keep_a_lab_from_opening(
    parent: str, new_lab: Callable[[], Lab]
) -> None:
    one = written(parent, "lab-1", {"supervisor": 1, **journal.name_process(os.getpid()), "start": 1})
    subprocess.run(["mount", "-t", "tmpfs", "none", f"{one.directory}/scratch"], check=True)
    try:
        lab = new_lab()
        assert lab.info["lab"] == "lab-2"
        [sentence] = lab.info["buried"]
        assert sentence.startswith(f"could not bury {one.directory}: Device or resource busy")
    finally:
        [where] = [mount.target for mount in mountinfo.read() if mount.target.startswith(f"{parent}/")]
        subprocess.run(["umount", where], check=True)
    journal.bury_dead(parent)
    assert os.listdir(parent) == ["lab-2"], "what could not be buried then is buried as soon as it can be"


@pytest.mark.usefixtures("own_run_directory")
def test_a_lab_host_that_was_stopped_does_not_outlive_its_supervisor(parent: str, new_lab: Callable[[], Lab]) -> None:
    """It dies when it sees its socket close, and who is stopped sees nothing. Even without a cgroup it is found."""
    lab = new_lab()
    host = lab.info["pid"]
    os.kill(host, signal.SIGSTOP)
    os.kill(lab.info["supervisor"], signal.SIGKILL)
    os.waitid(os.P_PID, lab.info["supervisor"], os.WEXITED | os.WNOWAIT)
    deadline = time.monotonic() + 10
    while proc.stat(host).state != "T":
        assert time.monotonic() < deadline, "it was to stop before it saw anything"
    [one] = journal.all_labs(parent)
    entries = [entry for entry in one.lines() if "cgroup" not in entry]
    Path(one.directory, "journal").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert f"ended lab host {host}" in journal.bury_dead(parent)
    assert not proc.alive(host) or proc.stat(host).state == "Z"
    if lab.info["cgroup"]:
        cgroup2.remove(lab.info["cgroup"], root=os.path.dirname(lab.info["cgroup"]))


def test_burials_take_turns(parent: str) -> None:
    """Of many that find the same dead lab, one buries it, and none fails or takes a living one for it."""
    burying = "import sys; from labkit.agent import journal; print(*journal.bury_dead(sys.argv[1]), sep='\\n')"
    for _ in range(3):
        one = written(parent, "lab-1", {"supervisor": 1, **journal.name_process(os.getpid()), "start": 1})
        for number in range(200):
            Path(one.scratch, str(number)).touch()
        workers = [
            subprocess.Popen([sys.executable, "-c", burying, parent], stdout=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        said = "".join(worker.communicate()[0] for worker in workers).split("\n")
        assert [worker.returncode for worker in workers] == [0] * 4
        assert said.count(f"removed run directory {one.directory}") == 1
    assert os.listdir(parent) == []


@pytest.mark.usefixtures("own_run_directory")
def test_many_labs_at_once_get_different_names(parent: str, new_lab: Callable[[], Lab]) -> None:
    made: list[Lab] = []
    threads = [threading.Thread(target=lambda: made.append(new_lab())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({lab.info["lab"] for lab in made}) == 6
    assert len({lab.info["cgroup"] for lab in made}) == (6 if made[0].info["cgroup"] else 1)
    assert sorted(os.listdir(parent)) == sorted(lab.info["lab"] for lab in made)
    for lab in made:
        assert lab.run("busybox", ["hostname"], hostname="same").stdout == "same\n"


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_place_where_others_may_write_is_refused(parent: str, mode: int) -> None:
    """Whoever may write there could plant a journal, and so choose what dies at the next burial."""
    os.chmod(parent, mode)
    try:
        with pytest.raises(PermissionError):
            journal.base()
    finally:
        os.chmod(parent, 0o755)
