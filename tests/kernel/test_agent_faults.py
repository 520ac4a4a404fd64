"""What can go wrong around a lab: each is one clear error with a cause and a next look, and nothing is left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit import Lab
from labkit.agent import client
from labkit.errors import AgentError, ClosedError, HostDied, LabError
from labkit.linux import cgroup2, proc

# a lab that is closed, or another's


def use(lab: Lab) -> Iterator[Callable[[], object]]:
    """All that one may do with a lab."""
    yield lambda: lab.run("busybox", "true")
    yield lambda: lab.facts("mounts")
    yield lambda: lab.snapshot("uts")
    yield lambda: lab.walk(lab.plans.container("busybox"))
    yield lab.reset


def test_a_closed_lab_says_so(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    ended = lab.run("busybox", ["echo", "hi"])
    running = lab.run("busybox", "sleep 1000", detach=True)
    walk = lab.walk(lab.plans.container("busybox"))
    lab.close()
    lab.close()
    for act in (*use(lab), walk.next, lambda: running.exec("true")):
        with pytest.raises(LabError) as told:
            act()
        assert told.value.look
        assert len(told.value.message.splitlines()) == 1
    assert (ended.stdout, running.returncode) == ("hi\n", 137)
    assert str(lab).startswith("lab (closed): run the first cell again")


def test_two_labs_know_nothing_of_each_other(new_lab: Callable[[], Lab]) -> None:
    one, two = new_lab(), new_lab()
    for lab in (one, two):
        lab.run("busybox", "sleep 1000", name="web", detach=True)
    one.close()
    assert list(two.containers) == ["web"]
    assert two.run("busybox", ["echo", "still here"]).stdout == "still here\n"


# a fork of the notebook


def forked(act: Callable[[], object]) -> str:
    """What `act` says in a fork of this process; an error as its first line."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = str(act())
        except BaseException as error:
            said = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with open(read) as words:
        said = words.read()
    os.waitpid(pid, 0)
    return said


def test_a_fork_cannot_use_the_lab_and_does_it_no_harm(lab: Lab) -> None:
    web = lab.run("busybox", "cat", name="web", stdin="x", detach=True)
    slow = lab.run("busybox", ["sh", "-c", "sleep 0.3; echo late"], detach=True)
    refused = "ClosedError: this lab belongs to the process that made it; a fork cannot use it"
    for act in use(lab):
        assert forked(act) == refused
    assert forked(lambda: slow.exec("true")) == refused
    assert forked(lab.close) == "None"
    assert forked(lambda: lab.__exit__(None, None, None)) == "None"
    assert slow.wait(5) == 0
    assert slow.stdout == "late\n", "what the child let go of is still watched here"
    assert web.wait(5) == 0
    assert lab.run("busybox", ["echo", "fine"]).stdout == "fine\n"


def test_a_fork_makes_a_lab_of_its_own(lab: Lab) -> None:
    def own() -> str:
        with Lab() as another:
            return another.run("busybox", ["echo", "mine"]).stdout

    assert forked(own) == "mine\n"
    assert lab.run("busybox", ["echo", "fine"]).stdout == "fine\n"


def test_a_fork_that_lives_on_does_not_keep_the_lab_alive(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    lab.close()
    assert not proc.alive(lab.info["supervisor"])
    os.close(write)
    os.waitpid(pid, 0)


# an interrupted cell


def interrupt(act: Callable[[], object], after: float) -> None:
    """KeyboardInterrupt in the main thread `after` some seconds of `act`, as the stop button of a notebook does it.

    The process has one such timer; it is lent by the one that limits the test's own time.
    """
    (limit, _), began = signal.getitimer(signal.ITIMER_REAL), time.monotonic()
    previous, told = signal.signal(signal.SIGALRM, signal.default_int_handler), sys.unraisablehook
    # One that strikes in the callback of a weak reference goes no further: Python tells of it, and all goes on. One
    # between a socket's making and its owner leaves the closing to the collector, which does it at once, and says so.
    expected = (KeyboardInterrupt, ResourceWarning)
    sys.unraisablehook = lambda what: None if isinstance(what.exc_value, expected) else told(what)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, after)
            act()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        pass
    signal.signal(signal.SIGALRM, previous)
    if limit:
        signal.setitimer(signal.ITIMER_REAL, max(limit - (time.monotonic() - began), 0.01))
    sys.unraisablehook = told


def test_after_an_interrupted_run_the_next_is_right(lab: Lab) -> None:
    chance = random.Random("run")
    lab.run("busybox", "true")
    for number in range(40):
        interrupt(
            lambda: lab.run("busybox", ["echo", "interrupted"], stdin="x" * 100_000), chance.uniform(0.0005, 0.03)
        )
        assert lab.run("busybox", ["echo", str(number)]).stdout == f"{number}\n"
    deadline = time.monotonic() + 5
    while lab.containers and time.monotonic() < deadline:
        time.sleep(0.005)
    assert [fact.name for fact in lab.facts("processes")] == ["host", "init"], (
        "what was interrupted has come to its end"
    )


def test_a_name_is_free_after_an_interrupt_or_taken_by_who_runs(lab: Lab) -> None:
    chance = random.Random("name")
    for _ in range(25):
        interrupt(lambda: lab.run("busybox", "true", name="web"), chance.uniform(0.0005, 0.02))
        deadline = time.monotonic() + 5
        while "web" in lab.containers and time.monotonic() < deadline:
            time.sleep(0.005)
        assert lab.run("busybox", ["echo", "ok"], name="web").stdout == "ok\n"


SEEN = ("mounts", "uts", "users", "files")


def test_after_an_interrupted_walk_the_next_step_is_right(lab: Lab) -> None:
    chance = random.Random("walk")
    plan = lab.plans.container("busybox", hostname="c1")
    whole = lab.walk(plan).run()
    wanted = [taken.after.only(SEEN).facts for taken in whole.trace.taken[:8]]
    walk = lab.walk(plan)
    for _ in range(30):
        interrupt(lambda: walk.goto(8).goto(2), chance.uniform(0.001, 0.05))
        position = walk.position
        if position < 8:
            taken = walk.next()
            assert walk.position == position + 1
            assert taken.after.only(SEEN).facts == wanted[position]


def test_after_an_interrupted_reset_the_lab_works(lab: Lab) -> None:
    chance = random.Random("reset")
    for number in range(30):
        lab.touched()
        interrupt(lab.reset, chance.uniform(0.0005, 0.04))
        with contextlib.suppress(HostDied):
            lab.facts("mounts")
        lab.reset()
        assert lab.run("busybox", ["echo", str(number)]).stdout == f"{number}\n"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # who interrupts a constructor
def test_an_interrupted_lab_leaves_nothing() -> None:  # between two bytecodes leaves the closing to the collector
    def lesson() -> None:
        with Lab() as lab:
            lab.run("busybox", "true")

    chance = random.Random("Lab")
    for _ in range(20):
        interrupt(lesson, chance.uniform(0.001, 0.12))
    gc.collect()  # closes what an interrupted constructor has left open: only then do the supervisors see that we go
    deadline = time.monotonic() + 5  # they may still be dying: a slow machine takes its time
    with contextlib.suppress(ChildProcessError):  # whose Popen was interrupted while it was made: nobody knows the pid
        while time.monotonic() < deadline:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.02)


def test_an_exception_in_a_walk_ends_the_lab(new_lab: Callable[[], Lab]) -> None:
    with pytest.raises(ZeroDivisionError), new_lab() as lab:
        walk = lab.walk(lab.plans.container("busybox"))
        walk.next()
        1 / 0  # noqa: B018
    assert not proc.alive(lab.info["supervisor"])
    with pytest.raises(ClosedError):
        walk.next()


# the agent's processes


@pytest.mark.usefixtures("own_processes")
def test_a_supervisor_that_is_stopped_is_named_at_once(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    os.kill(lab.info["supervisor"], signal.SIGSTOP)
    begin = time.monotonic()
    with pytest.raises(AgentError, match="the lab's supervisor is stopped") as told:
        lab.facts("mounts")
    assert time.monotonic() - begin < 5, "long before anybody loses patience with it"
    assert f"kill -CONT {lab.info['supervisor']}" in str(told.value)
    os.kill(lab.info["supervisor"], signal.SIGCONT)
    assert lab.run("busybox", ["echo", "goes on"]).stdout == "goes on\n"


@pytest.mark.usefixtures("own_processes")
def test_a_stopped_supervisor_does_not_keep_a_lab_from_closing(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    os.kill(lab.info["supervisor"], signal.SIGSTOP)
    lab.close()
    assert not proc.alive(lab.info["supervisor"])


@pytest.mark.usefixtures("own_processes", "own_cgroups")
def test_a_supervisor_that_hangs_is_ended_and_buried(
    new_lab: Callable[[], Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is frozen here: that looks like a call that does not return."""
    lab = new_lab()
    monkeypatch.setattr(client, "_PATIENCE", 0.3)
    own = cgroup2.own()
    ice = cgroup2.make(own, "ice")
    Path(ice, "cgroup.procs").write_text(str(lab.info["supervisor"]))
    cgroup2.freeze(ice, root=own)
    with pytest.raises(AgentError, match="the lab's supervisor has not answered for") as told:
        lab.facts("mounts")
    assert "a call in it hangs" in str(told.value)
    lab.backend.client.close(patience=0.3)
    assert not proc.alive(lab.info["supervisor"])
    cgroup2.remove(ice, root=own)


@pytest.mark.usefixtures("own_processes")
def test_sigterm_lets_the_supervisor_tidy_up(new_lab: Callable[[], Lab], own_place: Path) -> None:
    lab = new_lab()
    lab.run("busybox", "sleep 1000", detach=True)
    os.kill(lab.info["supervisor"], signal.SIGTERM)
    lab.backend.client.process.wait(5)
    assert os.listdir(own_place) == []
    with pytest.raises(AgentError, match="supervisor has died"):
        lab.facts("mounts")


@pytest.mark.usefixtures("own_processes")
def test_a_dead_lab_host_is_told_and_replaced(lab: Lab) -> None:
    web = lab.run("busybox", "sleep 1000", detach=True)
    os.kill(lab.info["pid"], signal.SIGKILL)
    for act in (lambda: lab.run("busybox", "true"), lambda: lab.facts("mounts", "net"), lambda: web.exec("true")):
        with pytest.raises(LabError) as told:
            act()
        assert told.value.look
    lab.reset()
    assert web.returncode == 137
    assert lab.run("busybox", ["echo", "anew"]).stdout == "anew\n"


@pytest.mark.usefixtures("own_processes")
def test_a_dead_supervisor_is_told_and_buried_by_the_next_lab(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    os.kill(lab.info["supervisor"], signal.SIGKILL)
    with pytest.raises(AgentError, match="the lab's supervisor has died") as told:
        lab.facts("mounts")
    assert "Lab()" in str(told.value)
    next_lab = new_lab()
    assert f"removed run directory {lab.info['run']}" in next_lab.info["buried"]


def test_a_notebook_with_many_open_files_has_a_lab_too(new_lab: Callable[[], Lab]) -> None:
    """select(2) knows no descriptor above 1023."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 2000), limits[1]))  # systemd's is 1024, for select(2)
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        lab = new_lab()
        assert lab.run("busybox", ["echo", "ok"]).stdout == "ok\n"
        lab.close()
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_threads_of_a_notebook_share_a_lab(lab: Lab) -> None:
    said: dict[int, str] = {}

    def work(number: int) -> None:
        for _ in range(5):
            said[number] = lab.run("busybox", ["echo", str(number)]).stdout
            lab.facts("processes")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {number: f"{number}\n" for number in range(4)}


# what ps shows


def test_every_process_of_a_lab_wears_its_title(lab: Lab) -> None:
    walk = lab.walk(lab.plans.container("busybox", hostname="c1"))
    while not any(fact.name == "c1" for fact in lab.facts("processes")):
        walk.next()
    supervisor = lab.info["supervisor"]
    pids = [supervisor, lab.info["pid"], *proc.children(lab.info["pid"])]
    pids += proc.children(pids[-1])
    titles = ["labkit:[sup]", "labkit:[host]", "labkit:[zygote]", "labkit:[c1]"]
    assert [proc.stat(pid).comm for pid in pids] == titles
    assert [proc.title(pid) for pid in pids] == titles
    shown = subprocess.run(
        ["ps", "-o", "comm=,args=", *map(str, pids)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [line.split() for line in shown] == [[title, title] for title in titles]


def sockets(pid: int) -> int:
    held = [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
    return sum(os.readlink(path).startswith("socket:") for path in held if os.path.lexists(path))


@pytest.mark.usefixtures("own_processes")
def test_a_lab_that_does_not_come_to_rest_can_still_be_looked_at_and_left(lab: Lab) -> None:
    """Ten shells whose children are born and end as fast as they can."""
    storm = "for i in 1 2 3 4 5 6 7 8 9 10; do while :; do /bin/true; done & done; wait"
    busy = lab.run("busybox", ["sh", "-c", storm], detach=True)
    seen = 0
    for _ in range(5):
        try:
            seen += len(lab.facts("processes", "namespaces", "net", "root", "cgroup"))
        except LabError as error:
            assert "come and go" in error.message
    deadline = time.monotonic() + 5  # an answer arrives a moment before the supervisor lets go of its own copies
    while sockets(lab.info["supervisor"]) > 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sockets(lab.info["supervisor"]) == 3, "two wires and the window: nothing that was looked at stays open"
    busy.kill()
    busy.wait(10)
    assert lab.run("busybox", ["echo", "calm"]).stdout == "calm\n"
