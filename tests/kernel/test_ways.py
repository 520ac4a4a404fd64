"""The ways into a lab: as root, through the sudo rule, rootless; and what each refuses, with a reason and a remedy."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from stage import ROOT, SUDO_RULE, UID, grant, play, seccomp

from labkit import Lab
from labkit.errors import AgentError

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="setting the stage needs root"),
    pytest.mark.skipif(
        not all(place.stat().st_mode & 0o005 == 0o005 for place in (ROOT, *ROOT.parents)),
        reason="other users cannot read this checkout",
    ),
]
needs_sudo = pytest.mark.skipif(not shutil.which("sudo"), reason="sudo is not installed here")

#: a lesson in short, and what came of it
LESSON = """
from labkit import Lab
with Lab() as lab:
    walk = lab.walk(lab.plans.container("busybox", hostname="c1"))
    while walk.position < len(walk.plan) - 1:
        walk.next()
    walk.back()
    lab.reset()
    ran = lab.run("busybox", ["sh", "-c", "id -u; hostname; ls /; exit 3"], hostname="here")
    web = lab.run("busybox", "sleep 1000", name="web", detach=True)
    joined = web.exec(["echo", "joined"]).stdout
    facts = {type(fact).__name__ for fact in lab.facts()}
    said = {"way": lab.info["way"], "code": ran.returncode, "out": ran.stdout.split(), "joined": joined,
            "run": lab.info["run"], "facts": sorted(facts), "rootless": lab.rootless, "cgroup": lab.info["cgroup"],
            "walked": walk.position}
said["left"] = os.listdir(os.path.dirname(said["run"]))
print(json.dumps(said))
"""


def check(said: dict[str, object], way: str) -> None:
    """The lesson went as it should."""
    assert said["way"] == way
    assert said["code"] == 3
    assert said["out"] == ["0", "here", *sorted(str(word) for word in said["out"][2:])]  # type: ignore[index]
    assert said["joined"] == "joined\n"
    assert said["left"] == []
    assert {"Mount", "Namespace", "Process", "Uts", "Link"} <= set(said["facts"])  # type: ignore[call-overload]


def test_as_root(own_place: Path) -> None:
    said = play(LESSON, user=False, LABKIT_RUN=str(own_place))
    check(said, "root")
    assert not said["rootless"]


@needs_sudo
def test_through_the_sudo_rule() -> None:
    said = play(LESSON, SUDO_RULE, LABKIT_RUN="/usr/local/stage/elsewhere")
    check(said, "sudo")
    assert not said["rootless"]
    assert said["run"] == "/run/labkit/lab-1", "where root's labs live is not the caller's choice"


@needs_sudo
def test_through_sudo_with_a_pseudo_terminal_and_logged_input() -> None:
    said = play(LESSON, SUDO_RULE, "echo 'Defaults use_pty' > /etc/sudoers.d/0; chmod 440 /etc/sudoers.d/0")
    check(said, "sudo")


@pytest.mark.parametrize("who", ["student", str(UID)])
@pytest.mark.skipif(not shutil.which("newuidmap"), reason="uidmap is not installed here")
def test_rootless_with_subordinate_ids(who: str) -> None:
    said = play(LESSON, grant(who))
    check(said, "rootless")
    assert said["rootless"]
    assert said["run"] == "/usr/local/stage/run/labkit/lab-1"


@pytest.mark.parametrize("lacking", ["grant", "newuidmap", "newgidmap", "privilege"])
def test_rootless_with_one_id_only(lacking: str) -> None:
    hide = f"[ ! -e /usr/bin/{lacking} ] || mount --bind /dev/null /usr/bin/{lacking}"
    set_up = [grant("nobody" if lacking == "grant" else "student"), hide if lacking.startswith("new") else ""]
    said = play(LESSON, *set_up, prefix="setpriv --no-new-privs" if lacking == "privilege" else "")
    check(said, "rootless")


@pytest.mark.parametrize("burying", ["doctor.bury()", "Lab().close()"])
def test_a_dead_rootless_lab_is_buried_by_its_user(burying: str) -> None:
    program = f"""
import signal, time
from labkit import Lab, doctor
lab = Lab()
lab.run("busybox", "sleep 1000", detach=True)
os.kill(lab.info["supervisor"], signal.SIGKILL)
said = told(lambda: lab.facts("mounts"))
left = os.listdir("/usr/local/stage/run/labkit")
{burying}
lab.close()
print(json.dumps([said["error"], left, os.listdir("/usr/local/stage/run/labkit")]))
"""
    assert play(program, grant("student")) == ["the lab's supervisor has died", ["lab-1"], []]


ASK_TOO_MUCH = """
from labkit import Lab
from labkit.cgroups.make import MakeCgroup
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.filesystems import BuildDev
every = ("mnt", "pid", "uts", "ipc", "net", "cgroup", "user")
with Lab() as lab:
    walk = lab.walk(lab.plans.container("busybox"))
    print(json.dumps({
        "user": told(lambda: lab.run("busybox", "id", user=1000).stdout),
        "namespace": told(lambda: lab.run("busybox", "id", namespaces=every).stdout),
        "cgroup": told(lambda: lab.take(MakeCgroup(path="/sys/fs/cgroup/g1"))),
        "walked": told(lambda: walk.take(MakeCgroup(path="/sys/fs/cgroup/g1"))),
        "unwatched": told(lambda: lab.take_all([MakeDirectory(path="/tmp/d"), MakeCgroup(path="/sys/fs/cgroup/g1")])),
        "writes": told(lambda: lab.run("busybox", ["sh", "-c", "rm /etc/passwd && echo mine >/me; cat me"]).stdout),
        "root": told(lambda: lab.run("/", "true")),
        "devices": told(lambda: lab.take_all([MakeDirectory(path="/tmp/d"), BuildDev(target="/tmp/d")])),
        "taken": told(lambda: (lab.walk(lab.plans.container("busybox")).run(), lab.run("busybox", name="c1"))),
    }))
"""


def test_what_rootless_cannot_do_is_refused_with_reason_and_remedy() -> None:
    said = play(ASK_TOO_MUCH, grant("nobody"))
    for asked in ("user", "namespace"):
        refused(said[asked], "this lab has a single user id", "/etc/subuid grants you nothing", "usermod --add-subuids")
    refused(said["devices"], "mknodat", "making devices needs CAP_MKNOD", "bind the machine's own device")
    refused(said["root"], "a rootless lab cannot make a root file system of /: /", "may not unmount", "--sudo-rule")
    refused(said["taken"], "EEXIST", "it is there already", "ls -ld")
    for asked in ("cgroup", "walked", "unwatched"):
        refused(said[asked], "this lab has no cgroups", "Permission denied", "labkit doctor")


@pytest.mark.skipif(not shutil.which("newuidmap"), reason="uidmap is not installed here")
def test_with_subordinate_ids_rootless_can_do_more() -> None:
    said = play(ASK_TOO_MUCH, grant("student"))
    assert said["writes"] == "mine\n", "the image's files belong to its root, also where the machine has some of root's"
    assert said["user"].startswith("uid=1000")
    assert said["namespace"].startswith("uid=0")


LESSON_05 = """
from labkit import Lab
from labkit.learn.lessons.nb05 import OTHER_ROOT, bakery, clerk
with Lab() as lab:
    lab.take_all(clerk())
    uids = [fact.uids[0] for fact in lab.facts("caps") if fact.process == "clerk"]
    print(json.dumps({
        "clerk": uids, "map": told(lambda: lab.take_all(bakery())), "map2": told(lambda: lab.take(bakery()[1])),
        "user": told(lambda: lab.run("busybox", "id", user=70000).stdout),
        "again": told(lambda: lab.run("busybox", "sleep 9", detach=True).exec("id", user=70000)),
        "solved": told(lambda: (lab.reset(), OTHER_ROOT.solve(lab), True)[-1]),
    }))
"""


@pytest.mark.skipif(not shutil.which("newuidmap"), reason="uidmap is not installed here")
def test_too_few_subordinate_ids_are_named_where_more_are_wanted() -> None:
    said = play(LESSON_05, grant("student"))
    assert said["clerk"] == [1000], "who has changed its uid can still be looked at"
    for asked in ("map", "map2", "solved"):
        refused(said[asked], "EPERM", "only the ids that /etc/subuid and /etc/subgid grant", "usermod --add-subuids")
    for asked in ("user", "again"):
        refused(said[asked], "this lab has no user or group 70000", "only the ids that", "usermod --add-subuids")


@pytest.mark.skipif(not shutil.which("newuidmap"), reason="uidmap is not installed here")
def test_with_as_many_as_the_refusal_names_the_lesson_on_users_can_be_taken() -> None:
    said = play(LESSON_05, grant("student", 196607))
    assert (said["clerk"], said["map"], said["solved"]) == ([1000], None, True)


def test_root_of_an_unprivileged_container() -> None:
    """uid 0 is not root everywhere: here it is the student's, in a user namespace."""
    prefix = "unshare --user --map-root-user --mount"
    said = play(LESSON, prefix=prefix, LABKIT_RUN="/usr/local/stage/run/labkit")
    assert said["rootless"]
    check(said, "root")


STREAMS = """
from labkit import Lab
script = ["sh", "-c", "echo $(stat -L -c %u /dev/stdout) >/dev/stdout"]
every = ("mnt", "pid", "uts", "ipc", "net", "cgroup", "user")
with Lab() as lab:
    kinds = every if lab.lacking.has_ids(100000, 65536) else every[:-1]
    held = lab.run("busybox", "sleep 1000", user="tenant", namespaces=kinds, detach=True)
    ran = {
        "root": lab.run("busybox", script), "user": lab.run("busybox", script, user=1000),
        "terminal": lab.run("busybox", script, user=1000, tty=True), "held": held.exec(script),
        "held root": held.exec(script, user=0),
    }
    print(json.dumps([lab.info["way"], {name: (each.stdout.split(), each.stderr) for name, each in ran.items()}]))
"""


@pytest.mark.parametrize(
    ("way", "set_up"),
    [
        pytest.param("sudo", SUDO_RULE, marks=needs_sudo),
        pytest.param(
            "rootless", grant("student", 196607),
            marks=pytest.mark.skipif(not shutil.which("newuidmap"), reason="uidmap is not installed here"),
        ),
    ],
)  # fmt: skip
def test_streams_belong_to_the_user_inside_whoever_the_notebook_is(way: str, set_up: str) -> None:
    owners = {"root": "0", "user": "1000", "terminal": "1000", "held": "1000", "held root": "0"}
    assert play(STREAMS, set_up) == [way, {name: [[owner], ""] for name, owner in owners.items()}]


# refusals

OPEN = """
from labkit import Lab
print(json.dumps(told(lambda: Lab().close())))
"""


def refused(said: dict[str, str], what: str, likely: str, look: str) -> None:
    """One line of what happened, a cause, and something to do."""
    assert said, "it should have been refused"
    assert what in said["error"]
    assert "\n" not in said["error"]
    assert likely in (said["likely"] or "")
    assert look in said["look"]


EPERM, EINVAL, ENOSYS, ENOSPC = 1, 22, 38, 28


def test_no_user_namespaces_by_sysctl() -> None:
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces"
    prefix = f"unshare --user --map-current-user --keep-caps sh -c '{forbid}; exec \"$@\"' -"
    refused(
        play(OPEN, prefix=prefix), "unshare: No space left on device",
        "does not let ordinary users make user namespaces", "sysctl user.max_user_namespaces",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("call", "number", "user", "what", "likely"),
    [
        ("unshare", EPERM, True, "unshare: Operation not permitted", "does not let ordinary users"),
        ("unshare", EINVAL, True, "unshare: Invalid argument", "lacks a namespace kind"),
        ("unshare", EINVAL, False, "unshare: Invalid argument", "lacks a namespace kind"),
        ("clone3", EINVAL, False, "clone3: Invalid argument", "lacks a namespace kind"),
        ("clone3", ENOSYS, False, "clone3: Function not implemented", "older than 5.3, or a seccomp filter"),
        ("clone3", EPERM, False, "clone3: Operation not permitted", "may not make namespaces"),
        ("clone3", ENOSPC, False, "clone3: No space left on device", "a limit on namespaces"),
    ],
)
def test_a_kernel_that_refuses(call: str, number: int, user: bool, what: str, likely: str, own_place: Path) -> None:
    said = play(seccomp(call, errno=number) + OPEN, user=user, **({} if user else {"LABKIT_RUN": str(own_place)}))
    refused(
        said,
        what,
        likely,
        "sysctl" if number == ENOSPC or (call == "unshare" and number == EPERM) else "labkit doctor",
    )


def test_root_without_the_capability(own_place: Path) -> None:
    said = play(OPEN, user=False, prefix="setpriv --bounding-set=-sys_admin", LABKIT_RUN=str(own_place))
    refused(said, "clone3: Operation not permitted", "a container without CAP_SYS_ADMIN", "labkit doctor")


def test_no_proc_may_be_mounted() -> None:
    """As in an unprivileged container: where parts of /proc are hidden, a user namespace may not mount a whole one."""
    said = play(OPEN, "mount -t tmpfs none /proc/acpi 2>/dev/null || mount -t tmpfs none /proc/sys/fs")
    refused(said, "mount: Operation not permitted", "a new /proc or /sys may not be mounted here", "unmasked /proc")


@pytest.mark.parametrize("lack", ["bytes", "inodes"])
def test_a_full_run_directory(own_place: Path, lack: str) -> None:
    size = {"bytes": "size=4k", "inodes": "nr_inodes=2"}[lack]
    fill = f"mkdir -p {own_place}; mount -t tmpfs -o mode=755,{size} none {own_place}; echo x > {own_place}/full"
    said = play(
        OPEN + f"assert os.listdir({str(own_place)!r}) == ['full']", fill, user=False, LABKIT_RUN=str(own_place)
    )
    refused(said, "No space left on device", "the run directory is full: no room, or no inodes", f"df -h {own_place}")


def test_a_read_only_run_directory(own_place: Path) -> None:
    set_up = f"mkdir -p {own_place}; mount -t tmpfs -o ro,mode=755 none {own_place}"
    said = play(OPEN, set_up, user=False, LABKIT_RUN=str(own_place))
    refused(said, "Read-only file system", "the run directory is read-only", f"findmnt -T {own_place}")


@pytest.mark.parametrize(("owner", "what"), [("0:0", "it belongs to user 0"), (f"{UID}:0", "others may write there")])
def test_a_run_directory_of_somebody_else(owner: str, what: str) -> None:
    set_up = f"mkdir -m 777 /usr/local/stage/other; chown {owner} /usr/local/stage/other"
    said = play(OPEN, set_up, LABKIT_RUN="/usr/local/stage/other")
    refused(said, f"/usr/local/stage/other: {what}", "the run directory is somebody else's", "ls -ld")


# the sudo rule

REFUSAL = """
from labkit.agent import start, sudo_rule
from labkit import cli, doctor
ways = start.ways()
os.environ["LABKIT_WAY"] = "sudo"
print(json.dumps([ways, sudo_rule.refusal(), told(start.choose)]))
"""


@needs_sudo
@pytest.mark.parametrize(
    ("set_up", "path", "reason"),
    [
        ([], "", "there is no sudo rule for the agent"),
        ([SUDO_RULE], "/nowhere", "sudo is not installed"),
        ([SUDO_RULE, "rm /etc/sudoers.d/labkit"], "", "the sudo rule is not for this user"),
        ([SUDO_RULE, "echo >> /usr/local/libexec/labkit/lib/labkit/agent/wire.py"], "", "is of another version"),
        ([SUDO_RULE, "rm /usr/local/libexec/labkit/lib/labkit/linux/proc.py"], "", "is of another version"),
    ],
)
def test_why_sudo_does_not_serve(set_up: list[str], path: str, reason: str) -> None:
    said = play((f"os.environ['PATH'] = {path!r}\n" if path else "") + REFUSAL, *set_up)
    ways, refusal, chosen = said
    assert ways == ["rootless"]
    assert reason in refusal
    refused(chosen, "LABKIT_WAY=sudo: this way into the lab is not open here", reason, "./lab up --sudo-rule")


AGENT = "/usr/local/libexec/labkit/agent"


@needs_sudo
@pytest.mark.parametrize(
    ("agent", "what"),
    [
        (
            "#!/bin/sh\necho I would rather not >&2; exit 3",
            "has ended before it was ready; its last words: I would rather not",
        ),
        ("#!/bin/sh\nexit 0", "has ended before it was ready"),
        (
            "#!/usr/bin/python3\nimport socket; s = socket.socket(fileno=0); s.recv(999); s.send(b'rubbish')",
            "what answers is not the lab's agent",
        ),
    ],
)
def test_a_sudo_rule_that_lies(agent: str, what: str) -> None:
    said = play(OPEN, SUDO_RULE, f"cat > {AGENT} <<'E'\n{agent}\nE", LABKIT_WAY="sudo")
    refused(said, what, "", "labkit doctor")


@needs_sudo
def test_the_doctor_says_why_not_as_root() -> None:
    program = """
from labkit import doctor
print(json.dumps([[str(finding.mark), finding.about, finding.says, finding.likely] for finding in doctor.examine()]))
"""
    marks = {about: (mark, says, likely) for mark, about, says, likely in play(program, grant("student", 196607))}
    assert marks["lab"][0] == "note"
    assert marks["lab"][1].startswith("opens, rootless")
    assert marks["lab"][2] == "there is no sudo rule for the agent"
    assert "user ids" not in marks
    few = {about: (mark, says, likely) for mark, about, says, likely in play(program, grant("student"))}
    assert few["user ids"][:2] == ("note", "those from 100000, 200000 on are missing")
    alone = {about: (mark, says, likely) for mark, about, says, likely in play(program, grant("nobody"))}
    assert alone["user ids"][:2] == ("note", "one: everybody in a lab is its root")
    marks = {about: (mark, says, likely) for mark, about, says, likely in play(program, SUDO_RULE)}
    assert marks["lab"] == ("ok", "opens, as root through sudo", "")


# two users at once, and the window

WINDOW = """
import subprocess
from labkit import Lab
from labkit.learn import outside
ASK = '''
import socket, sys
sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
sock.connect(sys.argv[1] + "/look.sock")
try:
    sock.send(b\'{"op": "look", "probes": ["uts"]}\')
    print("an answer" if sock.recv(65536) else "nothing")
except (BrokenPipeError, ConnectionResetError):
    print("nothing")
'''
with Lab() as lab:
    said = {"way": lab.info["way"], "mine": len(outside.look(lab.info["run"], ["uts"])["uts"])}
    ask = [sys.executable, "-c", ASK, lab.info["run"]]
    other = subprocess.run(OTHER + ask, capture_output=True, text=True)
    said["other"] = (other.stdout + other.stderr).strip().splitlines()[-1]
print(json.dumps(said))
"""


def test_the_window_answers_root_and_not_others(own_place: Path) -> None:
    other = f"OTHER = ['setpriv', '--reuid={UID}', '--regid={UID}', '--clear-groups']\n"
    said = play(other + WINDOW, user=False, LABKIT_RUN=str(own_place))
    assert said == {"way": "root", "mine": 1, "other": "nothing"}


@needs_sudo
def test_the_window_answers_the_user_who_came_through_sudo_and_not_others() -> None:
    """The other one is uid 1 of an own user namespace, 200000 and something outside."""
    as_other = "OTHER = ['unshare', '--user', '--map-users=auto', '--map-groups=auto', '--setuid=1', '--setgid=1']\n"
    said = play(as_other + WINDOW, SUDO_RULE, grant("student"))
    assert said == {"way": "sudo", "mine": 1, "other": "nothing"}


def test_the_window_of_a_rootless_lab_answers_its_user() -> None:
    said = play("OTHER = []\n" + WINDOW, grant("student"))
    assert said == {"way": "rootless", "mine": 1, "other": "an answer"}


@needs_sudo
def test_two_users_have_labs_at_once() -> None:
    """One came through sudo, one is rootless; both are called lab-1, in places of their own."""
    program = """
import subprocess
from labkit import Lab
HERS = '''
import sys
sys.path.insert(0, sys.argv[1])
from labkit import Lab
with Lab() as lab:
    print(lab.info["way"], lab.info["lab"], lab.run("busybox", ["echo", "hers"]).stdout)
'''
with Lab() as lab:
    web = lab.run("busybox", "sleep 1000", name="web", detach=True)
    hers = subprocess.run([sys.executable, "-c", HERS, sys.path[0]], env={**os.environ, "LABKIT_WAY": "rootless"},
                          capture_output=True, text=True)
    print(json.dumps([lab.info["way"], hers.stdout + hers.stderr, web.running, lab.info["lab"]]))
"""
    said = play(program, SUDO_RULE, grant("student"))
    assert said == ["sudo", "rootless lab-1 hers\n\n", True, "lab-1"]


def test_a_way_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for way, likely in (("rootless", "runs as root already"), ("sudo", "root needs no sudo"), ("magic", "ways in are")):
        monkeypatch.setenv("LABKIT_WAY", way)
        with pytest.raises(AgentError, match=f"LABKIT_WAY={way}") as told:
            Lab()
        assert likely in str(told.value)
