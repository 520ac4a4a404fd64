"""A machine whose /usr, or any top directory, is a mount of its own: the lab host has its programs all the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from stage import ROOT, SEPARATE, SUDO_RULE, grant, play

from labkit.agent import separate
from labkit.linux import mountinfo

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="setting the stage needs root"),
    pytest.mark.skipif(
        not all(place.stat().st_mode & 0o005 == 0o005 for place in (ROOT, *ROOT.parents)),
        reason="other users cannot read this checkout",
    ),
]

#: what lessons do with the machine below them, and what of it cannot be done
LESSONS = """
from labkit import Lab, doctor
from labkit.learn.beside import run_tiny, tiny
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.processes import Exec
from labkit.namespaces.spawn import Spawn
report = doctor.examine()
with Lab() as lab:
    def program(*argv):
        lab.take_all([Spawn(child="p"), Exec(who="p", argv=argv)])
    said = {
        "way": lab.info["way"], "sleep": told(lambda: program("sleep", "9")),
        "sh": told(lambda: (lab.reset(), program("sh", "-c", "exec sleep 9"))[1]),
        "python": told(lambda: (lab.reset(), program("python3", "-c", "import json, time; time.sleep(9)"))[1]),
        "container": told(lambda: lab.run("busybox", "hostname", hostname="c1").stdout),
        "walk": told(lambda: lab.walk(lab.plans.container("busybox")).run() and None),
        "mounts": {fact.mountpoint: [fact.type, fact.options] for fact in lab.facts("mounts") if type(fact).__name__ == "Mount"},
    }
    if not lab.rootless:
        lab.reset()
        said["writes"] = told(lambda: lab.take_all([MakeDirectory(path=f"/{top}/made") for top in ("usr", "home", "var", "opt", "usr/local")]))
        lab.run("busybox", "true")
        said["tiny"] = run_tiny(lab, tiny())
said["outside"] = [top for top in ("usr", "home", "var", "opt") if os.path.exists(f"/{top}/made")]
said["doctor"] = [str(finding) for finding in report.wrong], [f.says for f in report if f.about in ("programs", "python3")]
print(json.dumps(said))
"""  # noqa: E501


def check(said: dict[str, Any], way: str) -> None:
    worked = {word: said[word] for word in ("sleep", "sh", "python", "walk", "container")}
    assert worked == {"sleep": None, "sh": None, "python": None, "walk": None, "container": "c1\n"}
    assert said["way"] == way
    assert {"/usr", "/usr/local", "/home", "/opt", "/var"} <= set(said["mounts"])
    assert said["doctor"] == [[], ["sh, sleep: the lab host has them", "python3 runs on the lab host"]]


@pytest.mark.parametrize("way", ["root", "sudo"])
def test_programs_are_there_for_root_and_what_is_written_stays_in_the_lab(way: str, own_place: Path) -> None:
    if way == "sudo" and not shutil.which("sudo"):
        pytest.skip("sudo is not installed here")
    set_up = [SUDO_RULE] if way == "sudo" else []
    environment = {} if way == "sudo" else {"LABKIT_RUN": str(own_place)}
    restricted = "mkdir -p /media; mount -t tmpfs -o nosuid,nodev,noexec,mode=711 none /media"
    said = play(LESSONS, restricted, *set_up, SEPARATE, user=way == "sudo", **environment)
    check(said, way)
    assert said["writes"] is None
    assert said["outside"] == [], "nothing that a lab writes reaches the machine"
    assert said["tiny"]
    assert said["mounts"]["/usr"][0] == "overlay"
    assert {"nosuid", "nodev", "noexec"} <= set(said["mounts"]["/media"][1].split(","))
    assert "nosuid" not in said["mounts"]["/usr"][1]


def test_programs_are_there_without_root_though_mounts_below_are_locked() -> None:
    check(play(LESSONS, grant("student"), SEPARATE), "rootless")


WHO = """
from labkit import Lab
with Lab() as lab:
    init = f"/proc/{lab.info['pid']}/root"
    media = os.stat(init + "/media")
    print(json.dumps([oct(media.st_mode), media.st_uid, media.st_gid, os.path.exists(init + "/etc/deep/x"),
                      os.path.exists(init + "/media/deep/x"), open(init + "/etc/one").read()]))
"""


def test_modes_stay_files_are_bound_and_what_lies_deep_elsewhere_stays_outside(own_place: Path) -> None:
    set_up = """
mkdir -p /media; mount -t tmpfs -o mode=1770,uid=7,gid=8 none /media
mkdir /media/deep; mount -t tmpfs none /media/deep; touch /media/deep/x
mkdir /usr/local/etc; cp -a /etc/. /usr/local/etc; mount --bind /usr/local/etc /etc
mkdir /etc/deep; mount -t tmpfs none /etc/deep; touch /etc/deep/x
touch /etc/one; echo one > /usr/local/one; mount --bind /usr/local/one /etc/one
"""
    found = play(WHO, set_up, user=False, LABKIT_RUN=str(own_place))
    assert found == ["0o41770", 7, 8, True, False, "one\n"]


TABLE = """\
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 8:2 / /usr ro,nodev - ext4 /dev/sda2 ro
3 2 8:3 / /usr/local rw - xfs /dev/sdb1 rw
4 1 0:50 / /home rw - nfs4 server:/home rw
5 1 0:51 / /opt rw - fuse.sshfs far:/ rw
6 1 8:4 / /var rw - ext4 /dev/sda4 rw
7 6 0:52 / /var/lib/docker/overlay2/1/merged rw - overlay overlay rw
8 1 0:5 / /proc rw - proc proc rw
9 1 8:5 / /boot rw - vfat /dev/sda5 rw
10 9 8:6 / /boot/efi rw - vfat /dev/sda6 rw
11 1 0:53 / /snap/x/1 ro - squashfs /dev/loop1 ro
12 1 0:54 / /tmp rw - tmpfs tmpfs rw
13 1 8:7 / /srv rw - ext4 /dev/sdc1 rw
14 13 8:8 / /srv rw - ext4 /dev/sdc2 rw
15 1 0:55 / /nix/store ro - ext4 /dev/sda1 rw
"""


def test_which_mounts_a_lab_host_shows() -> None:
    chosen = [(mount.id, mount.target) for mount in separate.wanted(mountinfo.parse(TABLE))]
    assert chosen == [(2, "/usr"), (5, "/opt"), (6, "/var"), (9, "/boot"), (14, "/srv"), (3, "/usr/local"), (15, "/nix/store")]  # noqa: E501  # fmt: skip
