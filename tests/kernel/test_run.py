"""`lab.run`: a program in a container of its own, and what comes back of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from labkit import Lab
from labkit.container.container import Container
from labkit.linux.nsfs import KINDS
from labkit.steps.fact import Cgroup, File, Mount

ALL = tuple(KINDS)
SIX = ("mnt", "pid", "uts", "ipc", "net", "cgroup")


def until(container: Container, text: str, seconds: float = 10) -> str:
    """What it has said once `text` is in it."""
    deadline = time.monotonic() + seconds
    while text not in container.logs():
        assert time.monotonic() < deadline, container.logs()
        time.sleep(0.005)
    return container.logs()


def remains(lab: Lab) -> set[str]:
    """What containers have left in the lab host."""
    facts = lab.facts("mounts", "files", "cgroup", "processes")
    paths = [fact.path for fact in facts if isinstance(fact, (File, Cgroup))]
    paths += [fact.mountpoint for fact in facts if isinstance(fact, Mount)]
    ours = ("/run/lab/images", "/run/lab/root", "/host")
    return {path for path in paths if "busybox-" in path or path.startswith("/run/lab/")} - {
        path for path in paths if path.startswith(ours)
    }


# What comes back


def test_output_and_exit_status_come_back_as_of_a_subprocess(lab: Lab) -> None:
    ran = lab.run("busybox", ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, "out\n", "err\n")
    assert ran.logs() == "out\nerr\n"
    assert str(ran) == (
        "container busybox-1 (busybox): sh -c echo out; echo err >&2; exit 3: ended with 3\n  out\n  ! err"
    )


@pytest.mark.parametrize(
    ("argv", "code", "why"),
    [
        (["no-such-program"], 127, "not found: ENOENT"),
        (["/no/such/program"], 127, "not found: ENOENT"),
        (["/etc/passwd/x"], 127, "not found: ENOTDIR"),
        (["/etc/passwd"], 126, "not executable: EACCES"),
        (["/etc"], 126, "not executable: EACCES"),
        (["x" * 255], 127, "not found: ENOENT"),
        (["x" * 256], 126, "not executable: ENAMETOOLONG"),
        (["echo", *["x" * 100_000] * 30], 126, "too many arguments: E2BIG"),
    ],
)
@pytest.mark.parametrize("detach", [False, True])
def test_a_program_that_cannot_start_ends_as_in_a_shell(
    lab: Lab, argv: list[str], code: int, why: str, detach: bool
) -> None:
    ran = lab.run("busybox", argv, detach=detach)
    assert ran.wait() == code
    [line] = ran.stderr.splitlines()
    assert line.startswith(f"labkit: {argv[0]}: {why} (")
    assert lab.containers == {}
    assert remains(lab) == set()


def rootfs(tmp_path: Path, name: str, content: bytes, mode: int) -> str:
    """A root file system with busybox and one more file in /bin."""
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "/bin/busybox", tree / "bin/busybox")
    (tree / "bin" / name).write_bytes(content)
    (tree / "bin" / name).chmod(mode)
    return str(tree)


ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00%s\x01\x00\x00\x00" + bytes(104)


@pytest.mark.parametrize(
    ("content", "mode", "code", "why"),
    [
        (b"#!/bin/busybox true\n", 0o644, 126, "EACCES"),
        (b"neither a script nor a program\n", 0o755, 126, "ENOEXEC"),
        (b"", 0o755, 126, "ENOEXEC"),
        (ELF % b"\x16\x00", 0o755, 126, "ENOEXEC"),  # EM_S390: a well-formed head of another machine's program
        (b"#!/no/such/interpreter\n", 0o755, 127, "ENOENT"),
        (b"#!/bin/busybox true\n", 0o755, 0, ""),
    ],
)
@pytest.mark.parametrize("argv", [["/bin/file"], ["file"]])
def test_what_is_found_but_cannot_run_is_126(
    lab: Lab, tmp_path: Path, content: bytes, mode: int, code: int, why: str, argv: list[str]
) -> None:
    ran = lab.run(rootfs(tmp_path, "file", content, mode), argv, env={"PATH": "/bin:/no/such"})
    assert ran.returncode == code
    assert why in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGUSR1])
def test_an_end_by_signal_is_128_and_its_number(lab: Lab, number: int) -> None:
    ran = lab.run("busybox", ["sh", "-c", f"sh -c 'kill -{number} $$'; exit $?"])
    assert ran.returncode == 128 + number
    ran = lab.run("busybox", ["sh", "-c", f"kill -{number} $$"], namespaces=("mnt", "uts"))
    assert ran.returncode == 128 + number


def test_a_program_that_is_pid_1_does_not_hear_its_own_signals(lab: Lab) -> None:
    assert lab.run("busybox", ["sh", "-c", "kill -9 $$; echo still here"]).stdout == "still here\n"


def test_with_an_init_it_does(lab: Lab) -> None:
    ran = lab.run("busybox", ["sh", "-c", "kill -9 $$; echo still here"], init=True)
    assert (ran.returncode, ran.stdout) == (137, "")


@pytest.mark.parametrize("detach", [False, True])
def test_an_init_passes_on_why_its_program_did_not_start(lab: Lab, detach: bool) -> None:
    ran = lab.run("busybox", ["no-such-program"], init=True, detach=detach)
    assert ran.wait() == 127
    assert "no-such-program: not found" in ran.stderr


def children_of_pid_1(container: Container) -> list[str]:
    """The numbers of those whose parent is the container's first process, zombies among them."""
    stats = container.exec(["sh", "-c", "cat /proc/[0-9]*/stat"]).stdout.splitlines()  # some have gone meanwhile
    return [line.split()[0] for line in stats if line.rpartition(")")[2].split()[1] == "1"]


def test_an_init_forwards_signals_and_reaps(lab: Lab) -> None:
    script = "trap 'echo heard; exit 5' TERM; (sh -c 'sleep 0.05 & exit') ; echo ready; while :; do sleep 0.02; done"
    held = lab.run("busybox", ["sh", "-c", script], init=True, detach=True)
    until(held, "ready")
    assert [line.split()[0] for line in held.exec("ps").stdout.splitlines()[1:3]] == ["1", "2"]
    deadline = time.monotonic() + 10  # for the orphan, running or a zombie; the children of the program are its own
    while (left := children_of_pid_1(held)) != ["2"]:
        assert time.monotonic() < deadline, left
    held.kill(signal.SIGTERM)
    assert held.wait(5) == 5
    assert "heard" in held.stdout


# Input and output


@pytest.mark.parametrize("stdin", ["text ä\n", b"\x00\xff bytes", "", b"x" * 10_000_000, "\udcff kept"])
def test_standard_input_arrives_whole(lab: Lab, stdin: str | bytes) -> None:
    raw = stdin.encode(errors="surrogateescape") if isinstance(stdin, str) else stdin
    ran = lab.run("busybox", ["sh", "-c", "md5sum; readlink /proc/self/fd/0"], stdin=stdin)
    assert ran.stdout.split()[0] == hashlib.md5(raw).hexdigest()


def test_without_input_there_is_the_end_of_a_file(lab: Lab) -> None:
    assert lab.run("busybox", ["wc", "-c"]).stdout == "0\n"


def test_of_a_flood_the_end_is_kept_and_nobody_waits(lab: Lab) -> None:
    ran = lab.run("busybox", ["sh", "-c", "yes | head -c 50000000; yes | head -c 50000000 >&2; echo last; exit 4"])
    assert ran.returncode == 4
    assert ran.stdout.endswith("y\nlast\n")
    assert len(ran.stdout) == len(ran.stderr) == 4 << 20


def test_a_flood_that_nobody_waits_for_does_not_stop_its_writer(lab: Lab) -> None:
    ran = lab.run("busybox", ["sh", "-c", "yes | head -c 20000000; echo done >&2; sleep 1000"], detach=True)
    until(ran, "done")
    assert ran.running
    ran.kill()


def test_bytes_that_are_no_text_are_shown_as_such(lab: Lab) -> None:
    assert lab.run("busybox", ["printf", r"a\377b"]).stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_children_that_hold_the_output_open_are_not_waited_for(lab: Lab) -> None:
    begin = time.monotonic()
    kinds = [SIX, ("mnt", "pid"), *([("mnt", "uts")] if lab.lacking.cgroups else [])]  # either holds them together
    for namespaces in kinds:
        ran = lab.run("busybox", ["sh", "-c", "sleep 1000 & echo said"], namespaces=namespaces)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "said\n", "")
    assert time.monotonic() - begin < 60
    assert not lab.run("busybox", ["pidof", "sleep"], namespaces=("mnt",)).stdout


def test_a_terminal_is_one(lab: Lab) -> None:
    ran = lab.run("busybox", ["sh", "-c", "test -t 0 -a -t 1 -a -t 2 && stty size; tty"], tty=True)
    assert ran.stdout.splitlines()[0] == "24 80"
    assert lab.run("busybox", ["sh", "-c", "test -t 1"]).returncode == 1


def test_at_a_terminal_input_is_typed_and_ends(lab: Lab) -> None:
    ran = lab.run("busybox", ["cat"], tty=True, stdin="first\nsecond")
    assert ran.returncode == 0
    assert ran.stdout.count("first\r\n") == 2, "once as the echo of the terminal, once from cat"
    for _ in range(20):  # a shell that reads its terminal raw, having just been typed at: the end must not get lost
        assert lab.run("busybox", ["sh"], tty=True).returncode == 0
    long = "".join(f"{number:060}\n" for number in range(5000))
    assert lab.run("busybox", ["sh", "-c", "stty -echo; wc -l"], tty=True, stdin=long).stdout.endswith("5000\r\n")


# What the program finds


def test_its_environment_is_small_and_what_was_asked_for(lab: Lab) -> None:
    ran = lab.run("busybox", ["env"], env={"A": "it's\n$B", "HOME": "/tmp"})
    assert set(ran.stdout.splitlines()) == {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "TERM=xterm", "A=it's", "$B",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("user", "ids"),
    [
        (None, "0 0 0"),
        ("tenant", "1000 1000 1000"),
        ("nobody", "65534 65534 65534"),
        (1000, "1000 1000 1000"),
        (1234, "1234 0 0"),
        ("1234", "1234 0 0"),
        ("tenant:tty", "1000 5 5"),
        ("1234:tty", "1234 5 5"),
        ("tenant:7", "1000 7 7"),
        ("5:6", "5 6 6"),
        (4294967294, "4294967294 0 0"),
        ("4294967294:4294967294", "4294967294 4294967294 4294967294"),
    ],
)
@pytest.mark.parametrize("init", [False, True])
def test_the_user_is_found_by_name_by_number_and_by_both_numbers(
    lab: Lab, user: str | int | None, ids: str, init: bool
) -> None:
    if user and not all(lab.lacking.has_ids(int(number)) for number in ids.split()):
        pytest.skip("this rootless lab has no such id")
    ran = lab.run(
        "busybox", ["sh", "-c", "echo $(id -u) $(id -g) $(id -G); grep Cap /proc/self/status"], user=user, init=init
    )
    lines = ran.stdout.splitlines()
    assert lines[0] == ids, "and no supplementary group is left"
    effective = next(line.split()[1] for line in lines if line.startswith("CapEff"))
    assert (int(effective, 16) != 0) == (user is None)


def test_the_working_directory_is_where_it_starts(lab: Lab) -> None:
    assert lab.run("busybox", ["pwd"]).stdout == "/\n"
    assert lab.run("busybox", ["pwd"], workdir="/home/tenant").stdout == "/home/tenant\n"


def test_the_hostname_is_its_name_or_what_was_asked_for(lab: Lab) -> None:
    assert lab.run("busybox", ["hostname"], name="web_1").stdout == "web-1\n"
    assert lab.run("busybox", ["hostname"], hostname="a.b-c").stdout == "a.b-c\n"
    assert lab.run("busybox", ["hostname"], hostname="x" * 63).stdout == "x" * 63 + "\n"


def test_the_loopback_is_up(lab: Lab) -> None:
    """A netlink message is bytes, and bytes must not be taken for the place where a container's name goes."""
    for name in ("a", "b"):
        ran = lab.run("busybox", ["ping", "-c", "1", "-W", "1", "127.0.0.1"], name=name)
        assert ran.returncode == 0, ran.logs()


def test_an_argument_is_not_mistaken_for_the_name(lab: Lab) -> None:
    for text in ("\x01", "name", "\x01name\x01"):
        assert lab.run("busybox", ["printf", "%s", text], name="n").stdout == text


HOMES = {None: "/root", "root": "/root", "tenant": "/home/tenant", 1000: "/home/tenant", "1000:5": "/home/tenant",
         "nobody": "/nonexistent", 4242: "/", "4242:tenant": "/"}  # fmt: skip


@pytest.mark.parametrize("user", HOMES)
def test_home_is_what_the_images_passwd_says_unless_it_is_given(lab: Lab, user: str | int | None) -> None:
    if user and lab.lacking.one_id:
        pytest.skip("this rootless lab has one user id")
    show, sleep = ["sh", "-c", "echo $HOME; cd; pwd"], ["sleep", "1000"]
    home, given = [HOMES[user]] * 2, {"HOME": "/tmp"}
    if user == "nobody":  # cd fails
        show, home = ["sh", "-c", "echo $HOME"], home[:1]
    assert lab.run("busybox", show, user=user).stdout.split() == home
    assert lab.run("busybox", ["sh", "-c", "echo $HOME"], user=user, env=given).stdout == "/tmp\n"
    held = lab.run("busybox", sleep, user=user, detach=True)
    assert held.exec(show).stdout.split() == home, "as the container's user"
    root, own = lab.run("busybox", sleep, detach=True), lab.run("busybox", sleep, env=given, detach=True)
    if user is not None:
        assert root.exec(show, user=user).stdout.split() == home, "as another"
        assert own.exec(["sh", "-c", "echo $HOME"], user=user).stdout == "/tmp\n"
        assert held.exec(["sh", "-c", "echo $HOME"], user="root").stdout == "/root\n"


def test_a_user_has_the_groups_that_the_image_gives_it_and_an_image_without_users_gives_root_the_top(
    lab: Lab, tmp_path: Path
) -> None:
    if lab.lacking.one_id:
        pytest.skip("this rootless lab has one user id")
    busybox = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    for name in ("bin", "etc"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin/busybox").write_bytes(busybox)
    (tmp_path / "bin/busybox").chmod(0o755)
    show = ["/bin/busybox", "sh", "-c", "echo $(busybox id -g) $(busybox id -G) $HOME"]
    assert lab.run(str(tmp_path), show, env={"PATH": "/bin"}).stdout.split()[-1] == "/"
    (tmp_path / "etc/passwd").write_text("ada:x:7:8::/ada:/bin/sh\n")
    (tmp_path / "etc/group").write_text("bakers:x:20:bob,ada\nadas:x:8:\nsmiths:x:21:adam\nbrewers:x:22:ada\n")
    for user in ("ada", 7):
        ran = lab.run(str(tmp_path), show, env={"PATH": "/bin"}, user=user)
        assert ran.stdout.split() == ["8", "8", "20", "22", "/ada"]
    held = lab.run(str(tmp_path), ["/bin/busybox", "sleep", "1000"], env={"PATH": "/bin"}, detach=True)
    assert held.exec(show, user="ada").stdout.split() == ["8", "8", "20", "22", "/ada"]
    assert held.exec(show, user="ada:smiths").stdout.split() == ["21", "21", "/ada"]


# Namespaces


@pytest.mark.usefixtures("own_processes")
@pytest.mark.parametrize(
    "namespaces",
    [(), *[(kind,) for kind in ALL if kind != "user"], ("user", "mnt"), ALL, SIX, ("user", "mnt", "pid", "net")],
    ids=lambda kinds: "+".join(kinds) or "none",
)
def test_it_is_alone_in_the_namespaces_asked_for_and_shares_the_others(lab: Lab, namespaces: tuple[str, ...]) -> None:
    script = f"for k in {' '.join(ALL)}; do readlink /proc/self/ns/$k; done; exec sleep 1000"
    held = lab.run("busybox", ["sh", "-c", script], namespaces=namespaces, detach=True)
    inside = dict(zip(ALL, until(held, "time:").split(), strict=True))
    pid = lab.info["pid"]
    own = {kind for kind in ALL if inside[kind] != os.readlink(f"/proc/{pid}/ns/{kind}")}
    assert own == set(namespaces)
    joined = held.exec(["sh", "-c", script.replace("exec sleep 1000", "hostname; pwd; ls /bin/busybox")])
    assert joined.stdout.split()[: len(ALL)] == list(inside.values())
    assert joined.stdout.split()[-2:] == ["/", "/bin/busybox"]
    held.kill()
    assert held.wait(5) == 137
    assert remains(lab) == set()
    assert lab.run("busybox", ["echo", "next"]).stdout == "next\n", "the lab host is unharmed"


def test_in_a_user_namespace_root_is_somebody_else_outside(lab: Lab) -> None:
    held = lab.run("busybox", ["sh", "-c", "id -u; cat /proc/self/uid_map; touch /x; exec sleep 1000"],
                   namespaces=(*SIX, "user"), detach=True)  # fmt: skip
    assert until(held, "65536").split() == ["0", "0", "100000", "65536"]
    status = held.facts("caps")
    assert {fact.uids[0] for fact in status} == {100000}  # type: ignore[attr-defined]  # they are Credentials
    assert held.exec(["sh", "-c", "id -u; stat -c %u /x"]).stdout == "0\n0\n"
    assert held.exec(["id", "-u"], user="tenant").stdout == "1000\n"
    held.kill()


def test_unmounting_what_a_container_without_mount_namespace_left_spares_the_host(lab: Lab) -> None:
    """/sys is bound into it from a shared mount; taking it off there must not take it off here."""
    before = lab.facts("mounts")
    lab.run("busybox", ["true"], namespaces=("pid", "uts"))
    assert {fact for fact in lab.facts("mounts") if "images" not in str(fact)} == set(before)


# Root file systems


def test_two_containers_of_one_image_do_not_see_each_others_files(lab: Lab) -> None:
    first = lab.run("busybox", ["sh", "-c", "echo mine >/etc/motd; rm /etc/passwd; exec sleep 1000"], detach=True)
    deadline = time.monotonic() + 5
    while first.exec(["test", "-e", "/etc/passwd"]).returncode == 0:
        assert time.monotonic() < deadline
    assert lab.run("busybox", ["sh", "-c", "cat /etc/motd; cat /etc/passwd"]).stdout.startswith("root:")
    assert any("/run/lab/busybox-1" in path for path in remains(lab))
    first.kill()
    first.wait()
    assert remains(lab) == set(), "the thin layer is gone"


def test_any_directory_serves_as_a_root(lab: Lab, tmp_path: Path) -> None:
    tree = Path(rootfs(tmp_path, "hello", b"#!/bin/busybox sh\nls /; echo $0\n", 0o755))
    before = sorted(str(path) for path in tree.rglob("*"))
    assert lab.run(str(tree), ["hello"]).stdout.endswith("/bin/hello\n")
    ran = lab.run(tree, ["/bin/busybox", "ls", "/"])
    assert ran.stdout.split() == ["bin", "dev", "proc", "sys"]
    assert sorted(str(path) for path in tree.rglob("*")) == before, "the directory itself is never written to"


def test_an_empty_directory_is_a_root_in_which_nothing_is_found(lab: Lab, tmp_path: Path) -> None:
    assert lab.run(str(tmp_path), ["true"]).returncode == 127


def test_the_machines_own_root_is_a_root(lab: Lab) -> None:
    if lab.rootless:
        pytest.skip("a rootless lab cannot make a container of /: test_ways")
    ran = lab.run("/", ["sh", "-c", "echo $$; echo x >/etc/labkit-test && cat /etc/labkit-test"])
    assert ran.stdout.split() == ["1", "x"]
    assert not Path("/etc/labkit-test").exists()


def test_a_name_in_the_root_that_the_plan_would_use_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    tree = Path(rootfs(tmp_path, "x", b"", 0o644))
    (tree / "old").mkdir()
    (tree / "old/keep").touch()
    (tree / "old2").symlink_to("/etc")
    assert lab.run(str(tree), ["/bin/busybox", "ls", "/", "/old"]).stdout.split() == [
        "/:", "bin", "dev", "old", "old2", "proc", "sys", "/old:", "keep",
    ]  # fmt: skip


def test_directories_of_like_names_are_told_apart(lab: Lab, tmp_path: Path) -> None:
    for number, name in enumerate(("a-b", "a/b", "a_b", "ä")):
        (tmp_path / name / "bin").mkdir(parents=True)
        shutil.copy(shutil.which("busybox") or "", tmp_path / name / "bin/busybox")
        (tmp_path / name / str(number)).touch()
    for number, name in enumerate(("a-b", "a/b", "a_b", "ä")):
        assert lab.run(str(tmp_path / name), ["/bin/busybox", "ls", f"/{number}"]).returncode == 0


def test_a_directory_that_was_made_anew_is_found_anew(lab: Lab, tmp_path: Path) -> None:
    tree = rootfs(tmp_path, "one", b"", 0o644)
    assert lab.run(tree, ["/bin/busybox", "ls", "/bin"]).stdout.split() == ["busybox", "one"]
    shutil.rmtree(tree)
    tree = rootfs(tmp_path, "two", b"", 0o644)
    assert lab.run(tree, ["/bin/busybox", "ls", "/bin"]).stdout.split() == ["busybox", "two"]


# Detached


def test_a_detached_container_can_be_watched_signalled_and_waited_for(lab: Lab) -> None:
    script = "trap 'echo heard; exit 6' TERM; echo ready; while :; do sleep 0.02; done"
    held = lab.run("busybox", ["sh", "-c", script], name="web", detach=True)
    until(held, "ready")
    assert held.running
    assert held.returncode is None
    assert held.wait(0.01) is None
    assert list(lab.containers) == ["web"]
    assert lab.containers["web"] is held
    held.kill(signal.SIGTERM)
    assert held.wait(5) == held.returncode == 6
    assert not held.running
    assert held.logs() == "ready\nheard\n"
    assert lab.containers == {}


def test_pid_is_its_first_process_as_the_lab_host_sees_it(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    [process] = held.facts("processes")
    assert process.pids == (held.pid, 1)  # type: ignore[attr-defined]  # it is a Process
    held.kill()


def test_what_has_ended_answers_calmly(lab: Lab) -> None:
    ended = lab.run("busybox", ["sh", "-c", "echo hi; exit 2"])
    ended.kill()
    assert (ended.wait(), ended.wait(0), ended.running, ended.logs()) == (2, 2, False, "hi\n")


def test_a_name_is_free_again_after_the_end(lab: Lab) -> None:
    for _ in range(5):
        held = lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
        held.kill()
        held.wait()
    assert lab.run("busybox", ["echo", "again"], name="web").stdout == "again\n"


def test_a_container_that_ended_unnoticed_frees_its_name_too(lab: Lab) -> None:
    gone = lab.run("busybox", ["true"], name="web", detach=True)
    deadline = time.monotonic() + 5
    while "web" in lab.containers:
        assert time.monotonic() < deadline
    assert lab.run("busybox", ["true"], name="web").returncode == 0
    assert gone.returncode == 0


def test_many_run_side_by_side_and_each_has_its_own_output(lab: Lab) -> None:
    held = [lab.run("busybox", ["sh", "-c", f"echo {n}; sleep 1000"], detach=True) for n in range(20)]
    assert [until(each, "\n") for each in held] == [f"{n}\n" for n in range(20)]
    for each in held:
        each.kill()
    assert [each.wait(10) for each in held] == [137] * 20
    assert remains(lab) == set()


def test_waiting_for_one_does_not_stop_the_output_of_the_others(lab: Lab) -> None:
    flood = lab.run("busybox", ["sh", "-c", "yes | head -c 20000000; echo done >/tmp/done; sleep 1000"], detach=True)
    quiet = lab.run("busybox", ["sleep", "1000"], detach=True)
    assert quiet.wait(0.01) is None  # from here on the lab's thread looks after it, too
    waiter = threading.Thread(target=quiet.wait)
    waiter.start()
    deadline = time.monotonic() + 10
    while flood.exec(["test", "-e", "/tmp/done"]).returncode:
        assert time.monotonic() < deadline
    quiet.kill()
    waiter.join(5)
    assert quiet.returncode == 137
    flood.kill()


def test_those_that_ended_under_the_eyes_of_a_waiter_do_not_disturb_the_next(lab: Lab) -> None:
    """Their descriptors are closed, and the same numbers are those of the next: a stale registration would clash."""
    for number in range(30):
        held = lab.run("busybox", ["sh", "-c", f"sleep 0.01; exit {number}"], detach=True)
        assert held.wait() == number


def test_a_container_of_a_lab_host_that_is_gone_has_ended(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    lab.reset()
    assert (held.returncode, held.running, held.logs()) == (137, False, "")
    held.kill()


def test_a_closed_lab_takes_its_containers_along(lab: Lab) -> None:
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    lab.close()
    assert held.wait() == 137


def test_a_string_for_a_shell_is_run_as_words_and_the_result_says_so(lab: Lab) -> None:
    ran = lab.run("busybox", "echo a | cat")
    assert ran.stdout == "a | cat\n"
    assert str(ran).splitlines()[-1] == (
        '  look: no shell reads this string: | in it is a plain word. With one: ["sh", "-c", "echo a | cat"]'
    )
    assert "look:" not in str(lab.run("busybox", ["echo", "a", "|", "cat"]))
    box = lab.run("busybox", ["sleep", "1000"], detach=True)
    assert "With one:" in str(box.exec("echo $HOME")) and "look:" not in str(box)
    box.kill()
