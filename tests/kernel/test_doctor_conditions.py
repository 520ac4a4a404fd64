"""Each thing that can be wrong with a machine, broken on purpose, and named by the doctor.

On a stage (`stage`) files of the machine are others, in namespaces of its own limits and rules are; the kernel then
really refuses, and the doctor really asks it. Two things no namespace can break: the clock on the wall, which is put
in, and what Ubuntu's AppArmor or an SELinux would refuse, of which only the files are there.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from stage import ROOT, grant, play, seccomp

from labkit.doctor import clock
from labkit.doctor.patient import Patient
from labkit.linux import kvm

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="setting the stage needs root"),
    pytest.mark.skipif(
        not all(place.stat().st_mode & 0o005 == 0o005 for place in (ROOT, *ROOT.parents)),
        reason="other users cannot read this checkout",
    ),
]

ALL = ["nb00", "nb01", "nb02", "nb03", "nb04", "nb05", "nb06", "nb07"]
IN_CGROUPS = ["nb02", "nb06", "nb07"]
EXAMINE = """
from labkit import doctor
print(json.dumps([finding.to_json() for finding in doctor.examine()]))
"""
WITHOUT_RIGHTS = "setpriv --bounding-set=-sys_admin"
Told = dict[str, list[dict[str, Any]]]


def examined(*set_up: str, before: str = "", prefix: str = "", user: bool = False, **environment: str) -> Told:
    """The findings on a stage by what they are about; `before` is Python that runs first."""
    place = {} if user else {"LABKIT_RUN": os.environ["LABKIT_RUN"]}
    found = play(before + EXAMINE, *set_up, user=user, prefix=prefix, **{**place, **environment})
    about: Told = {}
    for finding in found:
        about.setdefault(finding["about"], []).append(finding)
    return about


def named(finding: dict[str, Any], mark: str, says: str, likely: str, remedy: str, lessons: list[str]) -> None:
    """It is told with its cause, with what to do about it, and with the lessons that it touches."""
    assert finding["mark"] == mark, finding
    assert says in finding["says"] and likely in finding["likely"] and remedy in finding["remedy"], finding
    assert list(finding["lessons"]) == lessons, finding


def bound(path: str, text: str) -> str:
    """Set-up: the file `path` says something else."""
    return f"printf %b {json.dumps(text)} > /usr/local/stage/f; mount --bind /usr/local/stage/f {path}".replace(
        "stage/f", f"stage/{path.replace('/', '_')}"
    )


def covered(path: str) -> str:
    """Set-up: the directory `path` is empty."""
    return f"[ ! -d {path} ] || mount -t tmpfs -o mode=755 none {path}"


# the machine


def test_a_kernel_that_is_too_old() -> None:
    """uname(2) with the personality UNAME26 says 2.6."""
    told = examined(prefix="setarch --uname-2.6")
    named(told["kernel"][0], "WRONG", "Linux 2.6.", "made for Linux 6.1", "vagrant up", ALL)


@pytest.mark.parametrize(
    ("total", "available", "mark", "likely", "remedy"),
    [
        (512, 180, "WRONG", "the machine is small", "LABKIT_MEMORY=2048 vagrant reload"),
        (512, 300, "note", "the machine is small", "LABKIT_MEMORY=2048 vagrant reload"),
        (8192, 180, "WRONG", "other programs", "ps -eo rss"),
    ],
)
def test_too_little_memory(total: int, available: int, mark: str, likely: str, remedy: str) -> None:
    told = examined(bound("/proc/meminfo", f"MemTotal: {total * 1024} kB\nMemAvailable: {available * 1024} kB\n"))
    named(told["memory"][0], mark, f"{available} MiB of {total} MiB", likely, remedy, ALL)


@pytest.mark.parametrize(("size", "mark"), [("size=6m", "WRONG"), ("size=50m", "note"), ("nr_inodes=2", "WRONG")])
def test_too_little_room_where_labs_run(size: str, mark: str, own_place: Path) -> None:
    fill = f"mkdir -p {own_place}; mount -t tmpfs -o mode=755,{size} none {own_place}; echo x > {own_place}/full"
    told = examined(fill)
    named(told["disk"][0], mark, f"free in {own_place}, where labs run", "", f"df -h {own_place}", ALL)


@pytest.mark.parametrize(
    ("year", "why"), [(2016, "before labkit was made"), (2026, "files of labkit are from"), (2046, "10 years after")]
)
def test_a_clock_that_is_off(year: int, why: str) -> None:
    patient = Patient(now=lambda: time.mktime((year, 11, 2, 12, 0, 0, 0, 0, -1)))
    with patient:
        [finding] = clock.clock(patient)
    named(finding.to_json(), "note", why, "time server", "timedatectl set-ntp true", [])


def test_a_clock_that_is_right() -> None:
    with Patient() as patient:
        assert [finding.mark for finding in clock.clock(patient)] == ["ok"]


BARE_DEV = """
mkdir /usr/local/stage/dev; cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /usr/local/stage/dev
mount --bind /usr/local/stage/dev /dev
"""


@pytest.mark.parametrize(
    ("flags", "says", "remedy"),
    [
        ("fpu vmx", "though the processor could", "modprobe kvm_intel"),
        ("fpu svm hypervisor", "though the processor could", "modprobe kvm_amd"),
        ("fpu hypervisor", "this is a virtual machine", "--nested-hw-virt on"),
        ("fpu", "there is no /dev/kvm", "firmware"),
    ],
)
def test_no_virtual_machine_within(flags: str, says: str, remedy: str) -> None:
    told = examined(BARE_DEV, bound("/proc/cpuinfo", f"flags : {flags}\n"))
    named(told["virtual"][0], "note", says, "", remedy, [])


@pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="this machine has no /dev/kvm")
@pytest.mark.skipif(platform.machine() not in kvm.PROCESSORS, reason="a guest is not tried on this processor")
@pytest.mark.skipif(
    bool(re.search(r"\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text())), reason="this processor may well run a guest"
)
def test_a_device_that_opens_and_runs_no_guest() -> None:
    told = examined()
    named(told["virtual"][0], "note", "/dev/kvm opens, but no guest runs: ", "does not pass", "LABKIT_EMULATE=1", [])


@pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="this machine has no /dev/kvm")
def test_a_device_that_is_not_ours() -> None:
    told = examined(user=True)
    named(told["virtual"][0], "note", "/dev/kvm is not yours to open", "group kvm", "usermod -aG kvm", [])


# the way into a lab

LIMIT = "unshare --user --map-{} --keep-caps --mount sh -c 'echo 0 > /proc/sys/user/max_{}_namespaces; exec \"$@\"' -"


def test_no_user_namespaces_for_a_user_who_needs_one() -> None:
    told = examined(user=True, prefix=LIMIT.format("current-user", "user"))
    named(told["lab"][0], "WRONG", "does not open", "does not let ordinary users", "./lab up --sudo-rule", ALL)
    named(told["switches"][0], "WRONG", "user.max_user_namespaces is 0", "administrator", "sudo sysctl -w", ALL)


def switch(name: str, value: str) -> str:
    """Set-up: a kernel switch that this kernel may not have. (A file is all that can be put there.)"""
    return f"""
mkdir /usr/local/stage/sys; cp -r /proc/sys/kernel/. /usr/local/stage/sys 2>/dev/null || true
echo {value} > /usr/local/stage/sys/{name}; mount --bind /usr/local/stage/sys /proc/sys/kernel
"""


@pytest.mark.parametrize(
    ("name", "value", "likely"),
    [("unprivileged_userns_clone", "0", "Debian"), ("apparmor_restrict_unprivileged_userns", "1", "AppArmor")],
)
def test_a_switch_against_ordinary_users_counts_for_the_lesson_that_is_about_them(
    name: str, value: str, likely: str
) -> None:
    told = examined(switch(name, value))
    other = "1" if value == "0" else "0"
    named(
        told["switches"][0], "WRONG", f"kernel.{name} is {value}", likely, f"sysctl -w kernel.{name}={other}", ["nb05"]
    )
    assert told["lab"][0]["says"] == "opens, as root", "which real root does not mind"
    assert examined(switch(name, other))["switches"][0]["mark"] == "ok"


LABEL = "sh -c 'mount --bind /usr/local/stage/label /proc/$$/attr/current; exec \"$@\"' - " + WITHOUT_RIGHTS
SELINUX = """
mkdir -p /usr/local/stage/fs/selinux /usr/local/stage/fs/cgroup; echo 1 > /usr/local/stage/fs/selinux/enforce
mount --rbind /sys/fs/cgroup /usr/local/stage/fs/cgroup; mount --rbind /usr/local/stage/fs /sys/fs
"""


@pytest.mark.parametrize(
    ("set_up", "label", "says", "remedy"),
    [
        ("", "docker-default (enforce)", "AppArmor confines this process, as docker-default", "apparmor=unconfined"),
        (SELINUX, "system_u:system_r:container_t:s0:c1,c2", "SELinux enforces the domain container_t", "label=disable"),
    ],
)
def test_a_security_module_in_the_way(set_up: str, label: str, says: str, remedy: str) -> None:
    told = examined(f"printf '{label}' > /usr/local/stage/label", set_up, prefix=LABEL)
    named(told["security"][0], "WRONG", says, "this is a container", remedy, ALL)


@pytest.mark.parametrize(
    ("set_up", "label"),
    [("", "unconfined"), ("", "firefox (unconfined)"), (SELINUX, "unconfined_u:unconfined_r:unconfined_t:s0")],
)
def test_a_security_module_that_lets_us_be(set_up: str, label: str) -> None:
    told = examined(f"printf '{label}' > /usr/local/stage/label", set_up, prefix=LABEL)
    assert [finding["mark"] for finding in told["security"]] == ["ok"]


def test_a_seccomp_filter_in_the_way() -> None:
    told = examined(before=seccomp("clone3", errno=1))
    named(told["security"][0], "WRONG", "a seccomp filter is on this process", "container", "--privileged", ALL)
    named(told["lab"][0], "WRONG", "clone3: Operation not permitted", "may not make namespaces", "labkit doctor", ALL)


def test_a_seccomp_filter_that_lets_labs_be() -> None:
    told = examined(before=seccomp(errno=1))
    assert told["security"][0]["says"] == "a seccomp filter is on this process; a lab opens all the same"


# what the lessons need of the kernel


@pytest.mark.parametrize(("kind", "lessons"), [("user", ["nb05"]), ("time", ["nb05"])])
def test_a_kind_of_namespace_that_is_refused(kind: str, lessons: list[str]) -> None:
    told = examined(prefix=LIMIT.format("root-user", kind))
    wrong = [finding for finding in told["namespaces"] if finding["mark"] == "WRONG"]
    assert [finding["says"].partition(":")[0] for finding in wrong] == [f"no {kind} namespace"]
    named(wrong[0], "WRONG", "ENOSPC", "a limit", f"sysctl -w user.max_{kind}_namespaces", lessons)


#: root of a user namespace in which all ids are, and none may make another
ALL_IDS = """
import ctypes
go, going = os.pipe()
me, helper = os.getpid(), os.fork()
if helper == 0:
    os.read(go, 1)
    for kind in ("uid", "gid"):
        open(f"/proc/{me}/{kind}_map", "w").write("0 0 65536")
    os._exit(0)
assert ctypes.CDLL(None).unshare(0x10000000) == 0
os.write(going, b"x")
os.waitpid(helper, 0)
open("/proc/sys/user/max_user_namespaces", "w").write("0")
"""


def test_a_program_of_lessons_that_the_lab_host_cannot_start() -> None:
    place = os.path.realpath(f"/proc/self/root{shutil.which('sleep', path='/usr/bin:/bin')}")
    found = examined(f"mount --bind /dev/null {place}")["programs"]
    assert (found[0]["mark"], found[0]["says"]) == ("ok", "sh: the lab host has them")
    named(found[1], "WRONG", "sleep does not start on the lab host: ", "does not show", "findmnt -T", ALL)


def test_an_ordinary_user_of_the_lab_who_may_not_be_root_anywhere() -> None:
    told = examined(before=ALL_IDS)
    named(told["rootless"][0], "WRONG", "is no root in a user namespace", "AppArmor", "sysctl kernel.app", ["nb05"])


def test_no_overlayfs() -> None:
    told = examined(bound("/proc/filesystems", "nodev tmpfs\n"), prefix=WITHOUT_RIGHTS)
    named(told["overlayfs"][0], "WRONG", "is unknown to the kernel", "not loaded", "modprobe overlay", ALL[1:])


def test_no_cgroup_tree() -> None:
    told = examined(covered("/sys/fs/cgroup"), "umount -R /sys/fs/cgroup || true", "mount -t tmpfs none /sys/fs/cgroup")
    named(told["cgroups"][0], "note", "none: there is no cgroup2 tree", "container", "mount -t cgroup2", IN_CGROUPS)


def test_no_cgroup_for_a_user_to_whom_none_was_delegated() -> None:
    told = examined(grant("student"), user=True)
    named(told["cgroups"][0], "note", "a lab has none of its own", "none was delegated", "Delegate=yes", IN_CGROUPS)


def test_a_kernel_that_does_not_count_who_waits() -> None:
    told = examined(covered("/proc/pressure"))
    named(told["pressure"][0], "note", "is not counted", "told at boot", "psi=1", ["nb06"])


def test_no_user_but_root() -> None:
    told = examined(grant("nobody"), user=True)
    named(
        told["user ids"][0], "note", "everybody in a lab is its root", "/etc/subuid", "--add-subuids", ["nb01", "nb05"]
    )
    assert "rootless" not in told


@pytest.mark.parametrize(("count", "lessons"), [(65536, ["nb05"]), (500, ["nb01", "nb05"])])
def test_fewer_users_than_lessons_want(count: int, lessons: list[str]) -> None:
    """What adduser grants by default is enough for an ordinary user, who is all that lesson 01 wants."""
    told = examined(grant("student", count), user=True)
    assert len(told["user ids"]) == 1
    named(told["user ids"][0], "note", "are missing", "/etc/subuid", "--add-subuids", lessons)


HIDE_PYTHON = """
import subprocess
subprocess.run(["mount", "--bind", "/dev/null", "/usr/bin/python3"], check=True)
subprocess.run(["mount", "-t", "tmpfs", "none", "/usr/local/bin"], check=False)
"""


@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="this machine's Python is elsewhere")
def test_no_python_for_tiny() -> None:
    told = examined("mkdir -p /usr/local/bin", before=HIDE_PYTHON)
    named(told["python3"][0], "WRONG", "none of its own", "conda", "apt-get install python3", ["nb02", "nb07"])


# the network

DOCKER = """
echo 'table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; chain DOCKER-USER { }; }
table ip nat { chain DOCKER { }; }' > /usr/local/stage/rules
"""
FIREWALL = """
echo 'table inet fw { chain forward { type filter hook forward priority 0; policy drop; }; }' > /usr/local/stage/rules
"""
RULES = "unshare --net sh -c 'nft -f /usr/local/stage/rules; exec \"$@\"' -"


@pytest.mark.parametrize(
    ("rules", "says", "likely", "remedy"),
    [
        (DOCKER, "the policy is drop in ip filter FORWARD", "Docker sets it", "iptables -I DOCKER-USER -j ACCEPT"),
        (FIREWALL, "the policy is drop in inet fw forward", "a firewall", "ufw default allow routed"),
    ],
)
def test_a_filter_that_forwards_nothing(rules: str, says: str, likely: str, remedy: str) -> None:
    told = examined(rules, prefix=RULES)
    named(told["forwarding"][0], "note", says, likely, remedy, [])
    assert told["lab"][0]["mark"] == "ok", "a lab is a machine of its own"


def test_a_user_cannot_ask_the_filter() -> None:
    assert examined(user=True)["forwarding"][0]["says"] == "only root may look at the machine's packet filter"


def routed(*networks: str) -> str:
    routes = "; ".join(f"ip route add {network} dev lo" for network in networks)
    return f"unshare --net sh -c 'ip link set lo up; {routes}; exec \"$@\"' -"


def test_a_vpn_that_takes_all_private_addresses() -> None:
    told = examined(prefix=routed("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/17", "192.168.128.0/17"))
    named(told["subnets"][0], "note", "claim all private addresses", "VPN takes them all: 10.0.0.0/8", "ip route", [])


def test_a_vpn_that_takes_some() -> None:
    told = examined(prefix=routed("10.0.0.0/9", "172.0.0.0/8", "192.168.4.0/24"))
    assert told["subnets"][0]["says"].startswith("10.128.0.0/9 and others are free")


LISTEN = """
import socket
taken = socket.create_server(("127.0.0.1", 8888))
"""


def test_a_port_that_is_taken() -> None:
    told = examined(before=LISTEN, prefix="unshare --net sh -c 'ip link set lo up; exec \"$@\"' -")
    named(told["port"][0], "note", "8888 is taken by python", "another JupyterLab", "ss -ltnp 'sport = :8888'", [])


# the notebook


def extension(name: str, version: str) -> str:
    """Set-up: a labextension in a place that JupyterLab looks into first."""
    place = f"/usr/local/stage/jupyter/labextensions/{name}"
    told = json.dumps({"name": name, "version": version})
    return f"mkdir -p {place}; printf '{told}' > {place}/package.json"


@pytest.mark.parametrize(
    ("name", "version"), [("anywidget", "0.8.1"), ("@jupyter-widgets/jupyterlab-manager", "3.1.11")]
)
def test_a_widget_whose_halves_do_not_belong_together(name: str, version: str) -> None:
    told = examined(extension(name, version), JUPYTER_PATH="/usr/local/stage/jupyter")
    place = f"/usr/local/stage/jupyter/labextensions/{name}"
    named(told["widgets"][0], "WRONG", f"the browser gets {name} {version} from {place}", "another installation",
          f"mv {place} {place}.old", ALL)  # fmt: skip


def test_a_widget_without_its_other_half(own_place: Path) -> None:
    told = examined(covered(f"{ROOT}/.venv/share/jupyter/labextensions"), HOME="/usr/local/stage/home")
    named(told["widgets"][0], "WRONG", "JupyterLab has no anywidget", "not installed", "./lab up", ALL)


def test_a_widget_that_is_switched_off() -> None:
    off = json.dumps({"disabledExtensions": {"anywidget": True}})
    place = "/usr/local/stage/config"
    write = f"mkdir -p {place}/labconfig; printf '{off}' > {place}/labconfig/page_config.json"
    told = examined(write, JUPYTER_CONFIG_DIR=place)
    named(told["widgets"][0], "WRONG", "anywidget is switched off", "disabled it", "labextension enable anywidget", ALL)


def test_a_package_of_another_version() -> None:
    info = "/usr/local/stage/python/anywidget-0.8.0.dist-info"
    old = f"mkdir -p {info}; printf 'Name: anywidget\\nVersion: 0.8.0\\n' > {info}/METADATA"
    told = examined(old, before="sys.path.insert(0, '/usr/local/stage/python')\n")
    named(told["packages"][0], "WRONG", "anywidget is 0.8.0, and labkit wants", "changed by hand", "./lab up", ALL)


def test_no_manual() -> None:
    told = examined(covered("/usr/share/man"))
    named(told["manual"][0], "note", "and 6", "leave the manual out", "apt-get install man-db", ALL)


def test_no_fonts() -> None:
    told = examined(covered("/usr/share/fonts"), covered("/usr/local/share/fonts"), HOME="/usr/local/stage/home")
    named(told["fonts"][0], "note", "no DejaVu Sans Mono", "without a desktop", "fonts-dejavu-core", ALL)


def test_an_image_that_is_not_built() -> None:
    told = examined(LABKIT_IMAGES="/usr/local/stage/images")
    named(told["images"][0], "WRONG", "is not built yet", "./lab up", "labkit image build busybox", ALL[1:])


# the class

HALL = """
from labkit import doctor
print(json.dumps([finding.to_json() for finding in doctor.examine(in_class=True) if finding.about == "offline"]))
"""


@pytest.mark.parametrize(
    ("place", "says", "remedy"),
    [
        (f"{sys.prefix}/share/jupyter/lab/static", "JupyterLab's pages are missing", "./lab up"),
        (f"{sys.prefix}/share/jupyter/lab/settings", "asks for news and updates", "./lab up"),
        ("/usr/share/nodejs/xterm", "the terminal's script is missing", "apt-get install node-xterm"),
    ],
)
def test_what_a_hall_without_a_network_would_miss(place: str, says: str, remedy: str, own_place: Path) -> None:
    every = play(HALL, covered(place), user=False, LABKIT_RUN=str(own_place))
    [told] = [each for each in every if says in each["says"]]  # where `up` never ran, the settings are missing, too
    named(told, "note", says, "without ./lab up", remedy, ALL)
