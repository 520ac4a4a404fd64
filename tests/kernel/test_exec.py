"""`container.exec` and `lab.terminal`: one more process in a container that runs."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator

import pytest

from labkit import Lab
from labkit.container.container import Container
from labkit.container.terminal import Terminal
from labkit.errors import SpecError, StepError
from labkit.steps.fact import CgroupMembership, Namespace, Process


@pytest.fixture
def web(lab: Lab) -> Container:
    """A container that sleeps."""
    return lab.run("busybox", ["sleep", "1000"], name="web", detach=True)


def test_it_runs_beside_the_containers_own_program(web: Container) -> None:
    ran = web.exec(["sh", "-c", "pidof sleep; hostname; cat; echo err >&2; exit 3"], stdin="in\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, "1\nweb\nin\n", "err\n")
    assert ran.name == "web.1"
    assert web.running


def test_a_string_is_split_as_a_shell_does(web: Container) -> None:
    assert web.exec("printf '%s|' 'a b' c").stdout == "a b|c|"


@pytest.mark.parametrize(
    ("argv", "code"), [(["no-such-program"], 127), (["/etc/passwd"], 126), (["sh", "-c", "kill -TERM $$"], 143)]
)
@pytest.mark.parametrize("user", [None, "tenant"])
def test_exit_statuses_are_those_of_a_shell(web: Container, argv: list[str], code: int, user: str | None) -> None:
    assert web.exec(argv, user=user).returncode == code
    assert web.exec(argv, user=user, detach=True).wait() == code


def test_it_is_who_and_where_the_container_is_unless_told_otherwise(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], user="tenant", workdir="/home/tenant", detach=True)
    show = ["sh", "-c", "id -u; pwd"]
    assert held.exec(show).stdout.split() == ["1000", "/home/tenant"]
    assert held.exec(show, user=0, workdir="/etc").stdout.split() == ["0", "/etc"]
    assert held.exec(show, user="7:8").stdout.split() == ["7", "/home/tenant"]


def test_it_has_no_more_rights_than_the_containers_program(lab: Lab, web: Container) -> None:
    """Joining namespaces hands out every capability in them; they have to be taken away again."""
    show = ["sh", "-c", "grep -E 'Cap|NoNew|Groups' /proc/self/status"]
    assert web.exec(show).stdout == lab.run("busybox", show).stdout


def test_a_directory_that_is_not_there_is_an_error_that_names_it(web: Container) -> None:
    with pytest.raises(StepError, match=r'chdir\("/no/such"\) = -1 ENOENT') as caught:
        web.exec(["true"], workdir="/no/such")
    assert caught.value.likely
    assert web.exec(["true"]).returncode == 0


def test_one_that_is_left_alone_can_be_watched_signalled_and_waited_for(web: Container) -> None:
    held = web.exec(["sh", "-c", "echo ready; exec sleep 1000"], detach=True)
    while "ready" not in held.logs():
        time.sleep(0.005)
    assert held.running
    held.kill(signal.SIGTERM)
    assert held.wait(5) == 143
    assert web.running


def test_it_dies_with_its_container(web: Container) -> None:
    held = web.exec(["sleep", "1000"], detach=True)
    web.kill()
    assert (web.wait(5), held.wait(5)) == (137, 137)


@pytest.mark.usefixtures("cgroups")
def test_it_dies_with_a_container_that_has_no_pid_namespace(lab: Lab) -> None:
    web = lab.run("busybox", ["sleep", "1000"], namespaces=("mnt", "uts"), detach=True)
    held = web.exec(["sleep", "1000"], detach=True)
    web.kill()
    assert (web.wait(5), held.wait(5)) == (137, 137)


def test_nothing_can_be_started_in_what_has_ended(web: Container) -> None:
    web.kill()
    web.wait()
    for start in (lambda: web.exec(["true"]), lambda: web._engine.terminal(web)):
        with pytest.raises(SpecError, match="container web has ended with 137"):
            start()


def test_its_processes_belong_to_the_facts_of_the_container(lab: Lab, web: Container) -> None:
    other = lab.run("busybox", ["sleep", "1000"], name="web2", detach=True)
    web.exec(["sh", "-c", "(sleep 1000 &); sleep 1000"], detach=True)  # an orphan, which goes to pid 1
    deadline = time.monotonic() + 5
    while len(web.exec(["pidof", "sleep"]).stdout.split()) < 3:  # a process keeps the name under which it is first seen
        assert time.monotonic() < deadline
    names = {p.name for p in web.facts("processes") if isinstance(p, Process)}
    assert names == {"web", "web.1", "sleep#1"}
    spaces = [fact for fact in web.facts("namespaces") if isinstance(fact, Namespace)]
    assert sorted(fact.kind for fact in spaces) == ["cgroup", "ipc", "mnt", "net", "pid", "uts"]
    assert all(set(fact.members) == names for fact in spaces)
    groups = [fact for fact in web.facts("cgroup") if isinstance(fact, CgroupMembership)]
    assert {(fact.process, fact.path) for fact in groups} == {
        (name, "/web" if lab.lacking.cgroups else "/") for name in names
    }
    assert {p.name for p in other.facts("processes") if isinstance(p, Process)} == {"web2"}


def test_many_at_once(web: Container) -> None:
    held = [web.exec(["sh", "-c", f"cat; echo {n}"], stdin=f"{n} ", detach=True) for n in range(20)]
    assert [each.wait(10) for each in held] == [0] * 20
    assert [each.stdout for each in held] == [f"{n} {n}\n" for n in range(20)]


# A terminal


@pytest.fixture
def shell(lab: Lab, web: Container) -> Iterator[Terminal]:
    """A shell with a terminal in the container."""
    terminal = lab.terminal(web)
    yield terminal
    terminal.close()


def read_until(terminal: Terminal, text: str, seconds: float = 10) -> str:
    """What the terminal shows, up to `text`."""
    shown, deadline = b"", time.monotonic() + seconds
    while text.encode() not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal.fd], [], [], 0.1)[0]:
            shown += os.read(terminal.fd, 4096)
    return shown.decode()


def test_a_terminal_shows_what_is_typed_and_answered(shell: Terminal) -> None:
    os.write(shell.fd, b"test -t 0 && echo $((6*7)); hostname\n")
    assert "42\r\nweb\r\n" in read_until(shell, "web\r\n")


def test_ctrl_c_reaches_what_runs_and_not_the_shell(shell: Terminal, web: Container) -> None:
    os.write(shell.fd, b"sleep 1000\n")
    deadline = time.monotonic() + 10
    while len(web.exec("pidof sleep").stdout.split()) < 2:
        assert time.monotonic() < deadline
    os.write(shell.fd, b"\x03")
    read_until(shell, "^C")
    os.write(shell.fd, b"echo still $((1+1))\n")
    read_until(shell, "still 2\r\n")
    assert web.exec("pidof sleep").stdout == "1\n"


def test_a_program_hears_ctrl_c_as_a_signal(lab: Lab, web: Container) -> None:
    script = "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.02; done"
    terminal = lab.terminal(web, ["sh", "-c", script])
    read_until(terminal, "ready")
    os.write(terminal.fd, b"\x03")
    read_until(terminal, "caught")
    assert terminal.process.wait(5) == 7
    terminal.close()


def test_a_resize_is_seen_inside(shell: Terminal) -> None:
    shell.resize(33, 121)
    os.write(shell.fd, b"stty size\n")
    read_until(shell, "33 121\r\n")


def test_hanging_up_ends_the_shell(shell: Terminal, web: Container) -> None:
    read_until(shell, "#")
    shell.close()
    assert shell.process.wait(5) is not None
    assert web.running
    shell.close()
