"""What labkit says of a container is what the standard tools say: findmnt, ip, getpcaps, ps, and /proc itself."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from labkit import Lab
from labkit.container.container import Container
from labkit.linux.capabilities import decode_set
from labkit.steps.fact import Address, CgroupMembership, Credentials, Link, Mount, Namespace, Process, Root, Route, Uts

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="looking into a container from outside takes root"),
    pytest.mark.one_must_run("the comparison with the standard tools"),
]


def tool(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed")


@pytest.fixture(params=["six namespaces", "with a user namespace", "as a user"])
def web(lab: Lab, request: pytest.FixtureRequest) -> Container:
    """A container that sleeps, of several kinds."""
    options: dict[str, Any] = {
        "six namespaces": {},
        "with a user namespace": {"namespaces": ("user", "mnt", "pid", "uts", "ipc", "net", "cgroup")},
        "as a user": {"user": "tenant"},
    }[request.param]
    return lab.run("busybox", ["sleep", "1000"], name="web", hostname="shop", detach=True, **options)


@pytest.fixture
def pid(web: Container) -> int:
    """Its first process, as this machine knows it."""
    found = re.search(r"--target (\d+)", web.shell_command)
    assert found
    return int(found[1])


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def in_net(pid: int, *command: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(output("nsenter", f"--net=/proc/{pid}/ns/net", *command) or "[]")
    return rows


@tool("findmnt")
def test_mounts_are_those_of_findmnt(web: Container, pid: int) -> None:
    listed = output("findmnt", "--task", str(pid), "--list", "--json", "-o", "TARGET,FSTYPE,PROPAGATION,VFS-OPTIONS")
    theirs = sorted(
        (row["target"], row["fstype"], row["propagation"], row["vfs-options"])
        for row in json.loads(listed)["filesystems"]
    )
    facts = [fact for fact in web.facts("mounts") if isinstance(fact, Mount)]
    ours = sorted((fact.mountpoint, fact.type, fact.propagation, fact.options) for fact in facts)
    assert ours == theirs


@tool("ip")
def test_links_addresses_and_routes_are_those_of_ip(web: Container, pid: int) -> None:
    facts = web.facts("net")
    links = in_net(pid, "ip", "-j", "link")
    assert {(f.name, f.up, f.mtu) for f in facts if isinstance(f, Link)} == {
        (row["ifname"], "UP" in row["flags"], row["mtu"]) for row in links
    }
    theirs = {
        (row["ifname"], f"{info['local']}/{info['prefixlen']}")
        for row in in_net(pid, "ip", "-j", "addr") for info in row["addr_info"]
    }  # fmt: skip
    assert {(f.link, f.address) for f in facts if isinstance(f, Address)} == theirs != set()
    routes = {row["dst"] for row in in_net(pid, "ip", "-j", "route", "show", "table", "main")}
    assert {f.destination for f in facts if isinstance(f, Route) and "." in f.destination} == routes


@tool("getpcaps")
def test_capabilities_are_those_of_getpcaps(web: Container, pid: int) -> None:
    said = subprocess.run(["getpcaps", str(pid)], capture_output=True, text=True, check=True)
    listed = (said.stdout + said.stderr).partition(":")[2].strip()  # cap_chown,cap_kill=ep; a bare = is none
    names = {name.upper() for name in re.findall(r"cap_\w+", listed)}
    [fact] = [fact for fact in web.facts("caps") if isinstance(fact, Credentials)]
    assert set(decode_set(fact.effective)) == set(decode_set(fact.permitted)) == names
    assert listed.rpartition("=")[2] == ("ep" if names else ""), "effective and permitted, none inheritable"
    assert fact.inheritable == fact.ambient == 0


@tool("capsh")
def test_a_mask_is_decoded_as_capsh_does(web: Container) -> None:
    [fact] = [fact for fact in web.facts("caps") if isinstance(fact, Credentials)]
    for mask in (fact.bounding, fact.effective, (1 << 41) - 1, 0):
        theirs = output("capsh", f"--decode={mask:x}").strip().partition("=")[2]
        assert {name.lower() for name in decode_set(mask)} == set(filter(None, theirs.split(",")))


def test_processes_ids_and_directories_are_those_of_proc(web: Container, pid: int) -> None:
    web.exec(["sh", "-c", "cd /tmp; sleep 1000 & exec sleep 1000"], detach=True)
    deadline = time.monotonic() + 10
    while len(web.facts("processes")) < 3:
        assert time.monotonic() < deadline
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    facts = web.facts()
    me = next(fact for fact in facts if isinstance(fact, Process) and fact.name == "web")
    assert me.comm == status["Name"]
    assert list(map(str, me.pids)) == status["NSpid"].split()[-2:]
    who = next(fact for fact in facts if isinstance(fact, Credentials) and fact.process == "web")
    assert (list(map(str, who.uids)), list(map(str, who.gids))) == (status["Uid"].split(), status["Gid"].split())
    assert list(map(str, who.groups)) == status["Groups"].split()
    assert who.no_new_privs == bool(int(status["NoNewPrivs"]))
    views = {fact.process: (fact.root, fact.cwd) for fact in facts if isinstance(fact, Root)}
    assert views["web"] == ("/", "/")
    assert views["web.1"] == ("/", "/tmp")


def test_its_cgroup_is_that_of_proc(web: Container, pid: int) -> None:
    groups = {fact.process: fact.path for fact in web.facts("cgroup") if isinstance(fact, CgroupMembership)}
    [line] = [line for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines() if line.startswith("0::")]
    assert groups == {"web": "/web"}
    assert line.endswith("/web")


def test_its_namespaces_are_those_of_proc(lab: Lab, web: Container, pid: int) -> None:
    own = {
        kind for kind in ("mnt", "pid", "uts", "ipc", "net", "cgroup", "user", "time")
        if os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/{lab.info['pid']}/ns/{kind}")
    }  # fmt: skip
    assert {fact.kind for fact in web.facts("namespaces") if isinstance(fact, Namespace)} == own


@tool("nsenter")
def test_its_names_are_those_of_hostname(web: Container, pid: int) -> None:
    [fact] = [fact for fact in web.facts("uts") if isinstance(fact, Uts)]
    assert output("nsenter", f"--uts=/proc/{pid}/ns/uts", "hostname").strip() == fact.hostname == "shop"


# The shell to paste


def pasted(command: str, typed: Sequence[str]) -> str:
    """What a terminal shows when `command` is run at it and `typed` is typed, line by line."""
    if not shutil.which("sudo"):
        command = command.removeprefix("sudo ")
    leader, follower = pty.openpty()
    child = subprocess.Popen(["/bin/sh", "-c", command], stdin=follower, stdout=follower, stderr=follower,
                             start_new_session=True, cwd="/usr")  # fmt: skip
    os.close(follower)
    shown = b""
    try:
        for line in [*typed, "exit"]:
            os.write(leader, line.encode() + b"\n")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if select.select([leader], [], [], 0.2)[0]:
                try:
                    shown += os.read(leader, 4096)
                except OSError:  # EIO: the shell has gone
                    break
        assert child.wait(5) == 0, shown
    finally:
        child.kill()
        child.wait()
        os.close(leader)
    return shown.decode()


@tool("nsenter")
def test_the_shell_that_is_pasted_is_in_the_container(web: Container) -> None:
    shown = pasted(web.shell_command, ["echo at:$(hostname):$(pwd):$(cat /proc/1/comm):$(ls -d /run/lab* | wc -l)"])
    assert "at:shop:/:sleep:0" in shown


@tool("nsenter")
def test_the_shell_that_is_pasted_does_not_begin_outside(web: Container) -> None:
    """With ``--wd=/`` nsenter opens that directory before it enters: the shell would stand in the machine's root."""
    shown = pasted(web.shell_command, ["cd ../../../..; echo in:$(ls -d bin etc/passwd usr/bin/setpriv | tr '\\n' :)",
                                       "echo users:$(wc -l <etc/passwd)"])  # fmt: skip
    assert "in:bin:etc/passwd:usr/bin/setpriv:" in shown
    assert "users:3" in shown, "that of the image"


@tool("nsenter")
@pytest.mark.parametrize("namespaces", [("pid", "uts"), ("mnt", "uts")])
def test_it_is_right_for_other_namespaces_too(lab: Lab, namespaces: tuple[str, ...]) -> None:
    held = lab.run("busybox", ["sleep", "1000"], hostname="shop", namespaces=namespaces, detach=True)
    shown = pasted(held.shell_command, ["echo at:$(hostname):$(pwd):$(wc -l <etc/passwd)"])
    assert "at:shop:/:3" in shown


def test_what_has_ended_has_no_shell(lab: Lab) -> None:
    from labkit.errors import LabError

    ended = lab.run("busybox", ["true"])
    with pytest.raises(LabError, match="has no process any more"):
        assert ended.shell_command
