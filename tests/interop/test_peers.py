"""labkit's container beside those of bwrap and runc, on the same root: what is alike, and what is meant to differ.

bwrap makes a sandbox for a program of the user's own, so it takes no root, keeps no capability and has no
cgroup; runc does what its configuration says, here that of `runc spec`, which keeps three capabilities.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from labkit import Lab
from labkit.image.rootfs import image_path
from labkit.linux.capabilities import DOCKER_DEFAULT, mask
from labkit.linux.nsfs import KINDS

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="runc is compared as root runs it"),
    pytest.mark.one_must_run("the comparison with bwrap and runc"),
]

LOOK = f"""
for k in {" ".join(KINDS)}; do echo "ns $k $(readlink /proc/self/ns/$k)"; done
while read -r _ _ _ _ target _ rest; do echo "mount $target ${{rest#*- }}"; done </proc/self/mountinfo
while read -r key value _; do case $key in Cap*|NoNew*) echo "status $key $value";; esac; done </proc/self/status
echo "pid $$"; echo "hostname $(hostname)"; echo "uid $(id -u)"
for d in null zero full random urandom tty; do [ -c /dev/$d ] && echo "device $d"; done
for p in /proc/kcore /proc/keys /proc/timer_list /proc/acpi /proc/scsi /sys/firmware; do
  [ -d $p ] && [ -z "$(ls -A $p)" ] && echo "hidden $p"
  [ -c $p ] && echo "hidden $p"
done
for f in /proc/sys/kernel/hostname /proc/sysrq-trigger; do
  [ -e $f ] && ! (: >>$f) 2>/dev/null && echo "readonly $f"
done
(ls /proc/self/fd 2>/dev/null | wc -l) | {{ read n; echo "descriptors $n"; }}
ip -o link 2>/dev/null | while read -r _ name flags _; do echo "link ${{name%%[:@]*}} $flags"; done
"""


class Seen:
    """What `LOOK` printed."""

    def __init__(self, text: str) -> None:
        rows = [line.split() for line in text.splitlines() if line]
        self.rows = rows
        self.namespaces = {row[1]: row[2] for row in rows if row[0] == "ns"}
        self.mounts = {row[1]: row[2] for row in rows if row[0] == "mount"}
        self.status = {row[1].rstrip(":"): int(row[2], 16) for row in rows if row[0] == "status"}
        self.devices, self.hidden, self.readonly = (self._all(kind) for kind in ("device", "hidden", "readonly"))
        self.own = {kind for kind, link in self.namespaces.items() if link != os.readlink(f"/proc/self/ns/{kind}")}

    def _all(self, kind: str) -> set[str]:
        return {row[1] for row in self.rows if row[0] == kind}

    def one(self, kind: str) -> str:
        return next(row[1] for row in self.rows if row[0] == kind)


@pytest.fixture
def ours(lab: Lab) -> Seen:
    ran = lab.run("busybox", ["sh", "-c", LOOK], hostname="peer")
    assert ran.returncode == 0, ran.logs()
    return Seen(ran.stdout)


@pytest.fixture
def bwrap() -> Seen:
    if not shutil.which("bwrap"):
        pytest.skip("bwrap is not installed")
    return Seen(subprocess.run(
        ["bwrap", "--unshare-all", "--hostname", "peer", "--ro-bind", str(image_path("busybox")), "/",
         "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--as-pid-1", "--cap-drop", "ALL",
         "/bin/sh", "-c", LOOK],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout)  # fmt: skip


@pytest.fixture
def runc(tmp_path: Path) -> Seen:
    if not shutil.which("runc"):
        pytest.skip("runc is not installed")
    subprocess.run(["runc", "spec"], cwd=tmp_path, check=True)
    config = json.loads((tmp_path / "config.json").read_text())
    config["process"] |= {"terminal": False, "args": ["/bin/sh", "-c", LOOK], "rlimits": []}
    config["root"] = {"path": str(image_path("busybox")), "readonly": True}
    config["hostname"] = "peer"
    (tmp_path / "config.json").write_text(json.dumps(config))
    name = f"labkit-peer-{os.getpid()}"
    done = subprocess.run(["runc", "--root", str(tmp_path / "state"), "run", "--bundle", str(tmp_path), name],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)  # fmt: skip
    if done.returncode:
        pytest.skip(f"runc does not run here: {done.stderr.strip().splitlines()[-1]}")
    return Seen(done.stdout)


def test_namespaces_are_those_of_bwrap_but_for_the_user_namespace(ours: Seen, bwrap: Seen) -> None:
    assert ours.own == {"mnt", "pid", "uts", "ipc", "net", "cgroup"}
    assert bwrap.own - ours.own == {"user"}, "which --unshare-all adds, so that it needs no root"
    assert ours.own <= bwrap.own


def test_namespaces_are_those_of_runc(ours: Seen, runc: Seen) -> None:
    assert ours.own - runc.own <= {"cgroup"}, "runc spec asks for one on cgroup version 2 only"
    assert runc.own <= ours.own


@pytest.mark.parametrize("peer", ["bwrap", "runc"])
def test_each_is_pid_1_of_a_machine_of_that_name(ours: Seen, peer: str, request: pytest.FixtureRequest) -> None:
    theirs: Seen = request.getfixturevalue(peer)
    for kind in ("pid", "hostname", "uid", "descriptors"):
        assert ours.one(kind) == theirs.one(kind)
    assert theirs.one("hostname") == "peer"


def test_mounts_are_those_of_bwrap_and_a_sysfs(ours: Seen, bwrap: Seen) -> None:
    for target in ("/", "/proc", "/dev", "/dev/pts"):
        assert target in ours.mounts
        assert target in bwrap.mounts
    for target in ("/proc", "/dev", "/dev/pts"):
        assert ours.mounts[target] == bwrap.mounts[target]
    assert "/sys" not in bwrap.mounts, "bwrap shows no devices at all"
    assert ours.mounts["/"] == "overlay", "a thin layer of its own, where bwrap binds the directory"


def test_mounts_are_those_of_runc_but_for_what_later_lessons_bring(ours: Seen, runc: Seen) -> None:
    for target in ("/proc", "/dev", "/dev/pts", "/dev/shm", "/sys"):
        assert ours.mounts[target] == runc.mounts[target]
    ours_alone, runcs_alone = set(ours.mounts) - set(runc.mounts), set(runc.mounts) - set(ours.mounts)
    assert {target.split("/")[1] for target in ours_alone} <= {"sys"}, (
        "firmware is masked as Docker does, not runc spec"
    )
    assert {target for target in runcs_alone if not target.startswith("/sys/fs/cgroup")} <= {
        "/dev/mqueue",
        "/dev/console",
    }


@pytest.mark.parametrize("peer", ["bwrap", "runc"])
def test_devices_are_the_same_harmless_six(ours: Seen, peer: str, request: pytest.FixtureRequest) -> None:
    theirs: Seen = request.getfixturevalue(peer)
    assert ours.devices == theirs.devices == {"null", "zero", "full", "random", "urandom", "tty"}


def test_what_runc_hides_is_hidden_here_too(ours: Seen, runc: Seen) -> None:
    assert runc.hidden <= ours.hidden
    assert runc.readonly <= ours.readonly


def test_capabilities_are_dockers_less_one_and_those_of_the_peers_their_own(
    ours: Seen, bwrap: Seen, runc: Seen
) -> None:
    few = mask(set(DOCKER_DEFAULT) - {"CAP_MKNOD"})
    assert {name: ours.status[name] for name in ("CapEff", "CapPrm", "CapBnd")} == dict.fromkeys(
        ("CapEff", "CapPrm", "CapBnd"), few
    )
    three = mask(("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"))
    assert runc.status["CapEff"] == runc.status["CapBnd"] == three
    assert three & ~few == 0, "labkit keeps what runc spec keeps, and what packages and daemons need besides"
    assert bwrap.status["CapEff"] == 0
    for seen in (ours, bwrap):
        assert seen.status["CapInh"] == 0
    for seen in (ours, bwrap, runc):
        assert seen.status["NoNewPrivs"] == 1


def test_the_loopback_is_up_in_all_three(ours: Seen, bwrap: Seen, runc: Seen) -> None:
    flags = [next(row[2] for row in seen.rows if row[:2] == ["link", "lo"]) for seen in (ours, bwrap, runc)]
    assert ["UP" in each.strip("<>").split(",") for each in flags] == [True] * 3
