"""Standard streams belong to the user of the program that has them: /dev/stdout is opened anew, with permissions."""

from __future__ import annotations

import os
import select
import time
from typing import Any

import pytest

from labkit import Lab
from labkit.container.container import Container
from labkit.container.spec import NAMESPACES

USERS = [None, 0, 1000, "tenant", "5:6"]
KINDS = [NAMESPACES, (*NAMESPACES, "user"), ()]
#: each stream opened by its name; then whose it is
REOPEN = "cat </dev/stdin >/dev/stdout && echo err >/dev/stderr && stat -L -c %u /proc/self/fd/1"


@pytest.fixture(params=KINDS, ids=["six", "user", "none"])
def kinds(request: pytest.FixtureRequest, lab: Lab) -> tuple[str, ...]:
    if lab.lacking.one_id:
        pytest.skip("this rootless lab has one user id")
    return request.param  # type: ignore[no-any-return]


def uid_of(user: str | int | None) -> str:
    return {None: "0", "tenant": "1000", "5:6": "5"}.get(user, str(user))


def check(ran: Container, user: str | int | None) -> None:
    ran.wait(10)
    assert (ran.stderr, ran.stdout.split()) == ("err\n", ["given", uid_of(user)])


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("how", [{}, {"init": True}, {"detach": True}], ids=["run", "init", "detach"])
def test_a_program_can_open_its_streams_by_name(
    lab: Lab, kinds: tuple[str, ...], user: str | int | None, how: dict[str, Any]
) -> None:
    check(lab.run("busybox", ["sh", "-c", REOPEN], user=user, namespaces=kinds, stdin="given\n", **how), user)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("own", [None, 7])
def test_so_can_one_more_process_in_a_container_of_another_user(
    lab: Lab, kinds: tuple[str, ...], user: str | int | None, detach: bool, own: int | None
) -> None:
    held = lab.run("busybox", ["sleep", "1000"], user=own, namespaces=kinds, detach=True)
    ran = held.exec(["sh", "-c", REOPEN], user=user, stdin="given\n", detach=detach)
    check(ran, own if user is None else user)


@pytest.mark.parametrize("user", USERS)
def test_so_can_a_program_at_a_terminal(lab: Lab, kinds: tuple[str, ...], user: str | int | None) -> None:
    script = "head -n 1 </dev/stdin >/dev/stdout; echo err >/dev/stderr; stat -L -c '%u %a' /proc/self/fd/1"
    ran = lab.run("busybox", ["sh", "-c", script], user=user, namespaces=kinds, tty=True, stdin="given\n")
    words = ran.stdout.split()
    assert words[-4:] == ["given", "err", uid_of(user), "600"], "no other user can read what is typed"


@pytest.mark.parametrize("user", USERS)
def test_so_can_one_at_a_terminal_in_a_running_container(
    lab: Lab, kinds: tuple[str, ...], user: str | int | None
) -> None:
    held = lab.run("busybox", ["sleep", "1000"], user=user, namespaces=kinds, detach=True)
    script = "echo mine:$(stat -L -c %u /dev/stdin) >/dev/stdout; read line </dev/stdin"
    terminal = lab.terminal(held, ["sh", "-c", script])
    shown, deadline = b"", time.monotonic() + 10
    while b"mine:" not in shown or b"\n" not in shown:
        assert select.select([terminal.fd], [], [], max(0.0, deadline - time.monotonic()))[0], shown
        shown += os.read(terminal.fd, 4096)
    os.write(terminal.fd, b"\n")
    assert terminal.process.wait(10) == 0
    terminal.close()
    assert f"mine:{uid_of(user)}" in shown.decode()


def test_without_input_standard_input_stays_the_devices_owner(lab: Lab) -> None:
    """What is not made for the program alone never changes hands: /dev/null belongs to the whole machine."""
    before = os.stat("/dev/null")
    held = lab.run("busybox", ["sleep", "1000"], user=None if lab.lacking.one_id else 1000, detach=True)
    held.exec(["true"])
    now = os.stat("/dev/null")
    assert (now.st_uid, now.st_gid, now.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
