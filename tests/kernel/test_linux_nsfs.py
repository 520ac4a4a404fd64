"""What a namespace answers when it is asked, on namespaces made for the purpose."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from labkit.linux import nsfs, proc
from labkit.linux.constants import CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces other than user ones needs root")

UNSHARE = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
for word in sys.argv[1:]:
    if libc.unshare(int(word)):
        sys.exit(f"unshare: errno {ctypes.get_errno()}")
    if int(word) & 0x10000000:  # who has no id of his own in a user namespace can make none inside it
        for name, text in ("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1"):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def unshared(*flags: int) -> Iterator[int]:
    """The pid of a process that has made these namespaces, one call after another; it ends with the block."""
    words = [str(each) for each in flags]
    command = [sys.executable, "-I", "-S", "-c", UNSHARE, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid


@pytest.fixture
def opened() -> Iterator[Callable[[int, str], int]]:
    """A function that opens a namespace of a process; all are closed at the end."""
    with ExitStack() as stack:

        def open_namespace(pid: int, name: str) -> int:
            fd = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            return fd

        yield open_namespace


def test_each_kind_knows_itself(opened: Callable[[int, str], int]) -> None:
    assert nsfs.supported() == tuple(name for name in nsfs.KINDS if os.path.exists(f"/proc/self/ns/{name}"))
    for name in nsfs.supported():
        fd = opened(os.getpid(), name)
        assert nsfs.kind(fd) == name
        assert nsfs.nstype(fd) == nsfs.KINDS[name].flag
        assert nsfs.identity(fd) == proc.namespaces("self")[name]
        assert nsfs.kind_of_flag(nsfs.KINDS[name].flag) == name


def test_a_namespace_belongs_to_the_user_namespace_that_made_it(opened: Callable[[int, str], int]) -> None:
    with unshared(CLONE_NEWUTS, CLONE_NEWUSER) as before, unshared(CLONE_NEWUSER | CLONE_NEWUTS) as inside:
        for pid, owner in ((before, os.getpid()), (inside, inside)):
            fd = nsfs.userns(opened(pid, "uts"))
            try:
                assert nsfs.identity(fd) == proc.namespaces(owner)["user"]
            finally:
                os.close(fd)
        assert nsfs.owner_uid(opened(inside, "user")) == os.geteuid()


def test_user_namespaces_lie_in_one_another(opened: Callable[[int, str], int]) -> None:
    with unshared(CLONE_NEWUSER, CLONE_NEWUSER) as pid:
        middle = nsfs.parent(opened(pid, "user"))
        outer = nsfs.parent(middle)
        try:
            assert nsfs.identity(outer) == proc.namespaces("self")["user"]
            assert nsfs.identity(middle) not in (nsfs.identity(outer), proc.namespaces(pid)["user"])
            assert not os.get_inheritable(middle)
        finally:
            os.close(middle)
            os.close(outer)


def test_questions_that_have_no_answer(opened: Callable[[int, str], int]) -> None:
    with pytest.raises(PermissionError):
        nsfs.parent(opened(os.getpid(), "user"))  # ours is the outermost that we may see
    with pytest.raises(OSError, match="Invalid argument"):
        nsfs.parent(opened(os.getpid(), "uts"))
    with pytest.raises(OSError, match="Invalid argument"):
        nsfs.owner_uid(opened(os.getpid(), "uts"))
    fd = os.open("/dev/null", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Inappropriate ioctl"):
            nsfs.nstype(fd)
    finally:
        os.close(fd)


def test_pid_for_children_is_missing_until_the_first_child_or_is_already_another() -> None:
    """unshare(CLONE_NEWPID) names the namespace, the first child brings it to life; Linux 6 shows no link before."""
    with unshared(CLONE_NEWPID) as pid:
        found = proc.namespaces(pid)
        assert found["pid"] == proc.namespaces("self")["pid"]
        assert found.get("pid_for_children") != found["pid"]
        if os.uname().release.startswith("6."):
            assert "pid_for_children" not in found


def test_a_socket_remembers_the_network_namespace_of_its_birth() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        fd = nsfs.of_socket(own.fileno())
        try:
            assert nsfs.kind(fd) == "net"
            assert nsfs.identity(fd) == proc.namespaces("self")["net"]
        finally:
            os.close(fd)


def test_names_become_flags() -> None:
    assert nsfs.flags_of(("uts", "pid")) == CLONE_NEWUTS | CLONE_NEWPID
    assert nsfs.flags_of([]) == 0
    with pytest.raises(ValueError, match="no namespace kind 'network'; there are mnt, uts"):
        nsfs.flags_of(("network",))
    with pytest.raises(KeyError):
        nsfs.kind_of_flag(1)


def test_looking_leaves_no_file_open() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        proc.namespaces("self")
        proc.children("self")
        nsfs.supported()
    assert sorted(os.listdir("/proc/self/fd")) == before
