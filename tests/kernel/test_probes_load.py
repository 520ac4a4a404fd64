"""Containers that misbehave by quantity, or do not want to end; the lab goes on, and nothing of them is left.

Here a fork bomb is bounded by its own count. That limits hold it, test_limits.py has.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from inside import python, python_in, said

from labkit import Lab
from labkit.container.container import Container
from labkit.linux import cgroup2
from labkit.namespaces.files import WriteFile
from labkit.steps.fact import Cgroup, Fact, File, Process

ZOMBIES = 10_000


def until(container: Container, text: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while text not in container.logs():
        assert time.monotonic() < deadline, container.logs()
        assert container.running, container.logs()
        time.sleep(0.01)


def names(facts: Iterable[Fact]) -> set[str]:
    return {fact.name for fact in facts if isinstance(fact, Process)}


def unharmed(lab: Lab) -> None:
    """The lab host runs a container as ever, and holds no trace of another."""
    assert lab.run("busybox", ["echo", "fine"], name="fine").stdout == "fine\n"
    deadline = time.monotonic() + 10  # for the host's init to reap those who had no init of their own
    while others := names(facts := lab.facts("processes", "cgroup", "files")) - {"init", "host"}:
        assert time.monotonic() < deadline, others
    assert {fact.path for fact in facts if isinstance(fact, Cgroup)} <= {"/", "/host"}
    lab_made = {fact.path for fact in facts if isinstance(fact, File) and fact.path.startswith("/run/lab/")}
    assert {path.split("/")[3] for path in lab_made} <= {"images", "root"}


def test_many_processes_die_with_their_container(lab: Lab) -> None:
    bomb = "[os.fork() for _ in range(8)]; print('x', end='', flush=True); time.sleep(1000)"  # 2**8 of them
    for namespaces in (("mnt", "pid"), ("mnt", "uts")):
        held = python(lab, bomb, namespaces=namespaces, detach=True)
        until(held, "x" * 256)
        held.kill()
        assert held.wait(10) == 137
    unharmed(lab)


def test_a_bomb_that_is_going_off_is_killed(lab: Lab) -> None:
    held = python(lab, """
print('lit', flush=True)
for _ in range(3000):
    if os.fork() == 0:
        os.fork(); time.sleep(0.05); os._exit(0)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except ChildProcessError: pass
""", detach=True)  # fmt: skip
    until(held, "lit")
    time.sleep(0.1)
    held.kill()
    assert held.wait(10) == 137
    unharmed(lab)


def test_ten_thousand_zombies_are_buried_with_their_container(lab: Lab) -> None:
    """Or as many as this machine has: a small one refuses the fork before that."""
    held = python(lab, f"""
made = 0
try:
    for made in range({ZOMBIES}):
        if os.fork() == 0: os._exit(0)
except BlockingIOError:
    for _ in range(200): os.wait()  # room for who comes to look
print('done', made + 1 if made + 1 == {ZOMBIES} else made - 200, flush=True)
time.sleep(1000)
""", detach=True)  # fmt: skip
    until(held, "done", 60)
    zombies = int(held.logs().split()[1])
    threads = int(Path("/proc/sys/kernel/threads-max").read_text())  # half of them is what one user may have
    assert zombies == ZOMBIES if threads > 4 * ZOMBIES else zombies > 1000
    assert int(said(python_in(held, "print(sum(each.isdigit() for each in os.listdir('/proc')))"))) > zombies
    begin = time.monotonic()
    held.kill()
    assert held.wait(30) == 137
    assert time.monotonic() - begin < 30
    unharmed(lab)


def test_an_init_buries_a_thousand_orphans(lab: Lab) -> None:
    held = python(lab, """
for _ in range(10):
    if os.fork() == 0:
        for _ in range(100):
            if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.wait()
deadline = time.monotonic() + 10
while len(left := [each for each in os.listdir('/proc') if each.isdigit()]) > 2 and time.monotonic() < deadline: pass
print(left)
""", init=True)  # fmt: skip
    assert said(held) == "['1', '2']"


@pytest.mark.parametrize("stream", [1, 2])
def test_a_flood_is_bounded_here_and_does_not_block_there(lab: Lab, stream: int) -> None:
    ran = python(lab, f"for _ in range(1600): os.write({stream}, b'x' * 65536)")
    assert ran.returncode == 0
    assert len(ran.logs()) == 4 << 20


def test_a_console_that_nobody_reads_stops_its_writer_and_nothing_else(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    terminal = lab.terminal(held, ["sh", "-c", "yes; echo never"])
    time.sleep(0.3)
    assert terminal.process.running, "it waits for a reader"
    unread = lab.run("busybox", ["sh", "-c", "yes | head -c 300000; echo done >/tmp/done"], tty=True, detach=True)
    assert unread.wait(20) == 0, "the lab reads what a container's own terminal shows"
    assert held.exec(["echo", "hi"]).stdout == "hi\n"
    terminal.close()
    assert terminal.process.wait(5) is not None
    held.kill()
    held.wait()
    unharmed(lab)


def test_a_terminal_into_which_is_typed_and_nobody_reads_can_be_killed(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], tty=True, stdin="x" * 3_000_000, detach=True)
    assert held.wait(0.3) is None
    held.kill()
    assert held.wait(5) == 137


def test_a_stopped_container_can_be_killed(lab: Lab) -> None:
    held = lab.run("busybox", ["sh", "-c", "sleep 1000 & sleep 1000"], detach=True)
    other = held.exec(["sleep", "1000"], detach=True)
    held.kill(signal.SIGSTOP)
    held.kill(signal.SIGTERM)
    assert held.wait(0.2) is None
    other.kill(signal.SIGSTOP)
    held.kill()
    assert (held.wait(5), other.wait(5)) == (137, 137)
    unharmed(lab)


@pytest.mark.skipif(cgroup2.mode() in ("v1", "none"), reason="only a cgroup of version 2 freezes here")
@pytest.mark.parametrize("namespaces", [("mnt", "pid"), ("mnt",)], ids=["pid namespace", "none"])
@pytest.mark.usefixtures("cgroups")
def test_a_frozen_container_can_be_killed(lab: Lab, namespaces: tuple[str, ...]) -> None:
    held = lab.run("busybox", ["sh", "-c", "sleep 1000 & sleep 1000"], name="cold", namespaces=namespaces, detach=True)
    lab.take(WriteFile(path="/sys/fs/cgroup/cold/cgroup.freeze", text="1"))
    assert held.wait(0.2) is None
    held.kill()
    assert held.wait(10) == 137
    unharmed(lab)


@pytest.mark.skipif(cgroup2.mode() in ("v1", "none"), reason="only a cgroup of version 2 freezes here")
@pytest.mark.usefixtures("cgroups")
def test_a_lab_with_a_frozen_container_can_be_reset_and_closed(lab: Lab) -> None:
    for leave in (lab.reset, lab.close):
        lab.run("busybox", ["sleep", "1000"], name="cold", detach=True)
        lab.take(WriteFile(path="/sys/fs/cgroup/cold/cgroup.freeze", text="1"))
        leave()


def test_a_number_that_another_process_has_now_is_not_signalled(lab: Lab) -> None:
    first = lab.run("busybox", ["true"], detach=True)
    other = lab.run("busybox", ["true"], name="other", detach=True)
    assert (first.wait(5), other.wait(5)) == (0, 0)
    lab.take(WriteFile(path="/proc/sys/kernel/ns_last_pid", text=str(first.pid - 1)))
    second = lab.run("busybox", ["sleep", "1000"], detach=True)
    assert second.pid == first.pid, "the number is taken again"
    first.kill()
    first.kill(signal.SIGTERM)
    assert second.wait(0.1) is None
    second.kill()


def test_a_tree_deeper_than_any_path_is_removed(lab: Lab) -> None:
    held = python(lab, """
os.chdir('/tmp')
for _ in range(5000):
    os.mkdir('d'); os.chdir('d')
os.symlink('/', 'link'); os.mkfifo('fifo'); open('\\n', 'w'); open('-rf', 'w')
print('done')
""")  # fmt: skip
    assert said(held) == "done"
    unharmed(lab)


def test_a_tree_with_very_many_files_is_removed(lab: Lab) -> None:
    held = python(lab, """
for number in range(200):
    os.mkdir(f'/tmp/{number}')
    for each in range(100): os.mkdir(f'/tmp/{number}/{each}')
for number in range(20000): open(f'/tmp/f{number}', 'w').close()
print('done')
""")  # fmt: skip
    assert said(held) == "done"
    unharmed(lab)


def test_what_is_bound_into_a_container_is_not_removed_with_it(lab: Lab) -> None:
    """A tree is removed within its own file system only: a mount below it may be somebody's volume."""
    from labkit.namespaces.files import MakeDirectory
    from labkit.namespaces.mounts import Bind, Unmount

    lab.take(MakeDirectory(path="/tmp/volume"))
    lab.take(WriteFile(path="/tmp/volume/precious", text="kept"))
    held = lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
    lab.take(MakeDirectory(path="/run/lab/web/volume"))
    lab.take(Bind(source="/tmp/volume", target="/run/lab/web/volume", recursive=False))
    held.kill()
    assert held.wait(5) == 137
    assert "not everything could be cleared" in held.stderr
    assert "/tmp/volume/precious" in {fact.path for fact in lab.facts("files") if isinstance(fact, File)}
    lab.take(Unmount(target="/run/lab/web/volume"))
