"""labkit.tiny: a page that stands alone, and a container that keeps what the page promises."""

from __future__ import annotations

import ast
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from labkit import tiny

PAGE = Path(tiny.__file__)
ROOT = PAGE.parents[1]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="there is no rootless tiny: it is a page, and root's")


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image `busybox`, built afresh."""
    directory = tmp_path_factory.mktemp("busybox")
    subprocess.run([ROOT / "images/busybox/build.sh", directory], check=True, capture_output=True)
    return directory


def run(rootfs: Path, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the page as a program, as its reader would."""
    command = [sys.executable, str(PAGE), str(rootfs), *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **options)


# The page


def test_it_is_one_page_of_at_most_150_lines() -> None:
    assert len(PAGE.read_text().splitlines()) <= 150


def test_it_needs_nothing_but_the_standard_library() -> None:
    imported = set()
    for node in ast.walk(ast.parse(PAGE.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).partition(".")[0])
    assert imported <= sys.stdlib_module_names


# Exit statuses


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("/bin/sh", "-c", "sh -c 'kill -TERM $$'; exit $?"), 143),
        (("no-such-program",), 127),
        (("/bin/no-such-program",), 127),
        (("/etc/passwd/x",), 127),
        (("/etc/passwd",), 126),
        (("/etc",), 126),
    ],
)
def test_the_exit_status_is_that_of_a_shell(rootfs: Path, argv: tuple[str, ...], status: int) -> None:
    assert run(rootfs, *argv).returncode == status


def test_a_container_that_is_killed_is_128_and_the_signal(rootfs: Path) -> None:
    with subprocess.Popen([sys.executable, PAGE, rootfs, "sleep", "1000"]) as outside:
        os.kill(pid_one_of(outside.pid), signal.SIGKILL)
        assert outside.wait(10) == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("directory", "hostname", "argv", "complaint"),
    [
        ("/no/such/rootfs", "tiny", ["true"], "/no/such/rootfs"),
        ("/etc/passwd", "tiny", ["true"], "/etc/passwd"),
        (None, "h" * 65, ["true"], "sethostname"),
        (None, "tiny", ["true", "\0"], "null byte"),
    ],
)
def test_a_fault_of_the_set_up_is_one_line_and_125(
    rootfs: Path,
    capfd: pytest.CaptureFixture[str],
    directory: str | None,
    hostname: str,
    argv: list[str],
    complaint: str,
) -> None:
    assert tiny.tiny(directory or str(rootfs), argv, hostname=hostname) == 125
    (line,) = capfd.readouterr().err.splitlines()
    assert complaint in line


# What the container sees


def test_six_namespaces_are_its_own_and_two_are_the_callers(rootfs: Path) -> None:
    kinds = ("mnt", "pid", "uts", "ipc", "net", "cgroup", "user", "time")
    script = "for kind; do readlink /proc/self/ns/$kind; done"
    inside = run(rootfs, "sh", "-c", script, "sh", *kinds).stdout.split()
    outside = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
    own = {kind for kind, ours, theirs in zip(kinds, outside, inside, strict=True) if ours != theirs}
    assert own == set(kinds) - {"user", "time"}


def test_the_caller_stays_where_it_is(rootfs: Path) -> None:
    def here() -> list[str]:
        return [os.readlink(f"/proc/self/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))] + [
            os.uname().nodename,
            os.getcwd(),
        ]

    before = here()
    assert tiny.tiny(str(rootfs), ["sh", "-c", "touch /mark; hostname other; mount -t tmpfs x /mnt"]) != 127
    assert here() == before


def test_it_is_pid_1_with_a_hostname_and_a_loopback_of_its_own(rootfs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = "echo $$; hostname; ls -d /proc/[0-9]*; ls /sys/class/net; ping -c1 -W1 127.0.0.1 >/dev/null && echo alive"
    assert tiny.tiny(str(rootfs), ["sh", "-c", script], hostname="c1") == 0
    answer = capfd.readouterr().out.split()
    assert answer[:3] == ["1", "c1", "/proc/1"]
    assert answer[-2:] == ["lo", "alive"]


def test_its_mounts(rootfs: Path) -> None:
    rows = [line.split() for line in run(rootfs, "cat", "/proc/self/mountinfo").stdout.splitlines()]
    table = {row[4]: (row[row.index("-") + 1], row[5]) for row in rows}
    assert table["/"] == ("overlay", "rw,nodev,relatime")
    assert table["/proc"] == ("proc", "rw,nosuid,nodev,noexec,relatime")
    assert table["/sys"] == ("sysfs", "ro,nosuid,nodev,noexec,relatime")
    assert table["/dev"] == ("tmpfs", "rw,nosuid")
    assert table["/dev/pts"] == ("devpts", "rw,nosuid,noexec,relatime")
    assert table["/dev/shm"] == ("tmpfs", "rw,nosuid,nodev,noexec,relatime")
    assert table["/proc/sys"] == ("proc", "ro,nosuid,nodev,noexec,relatime")
    assert {path for path in tiny.MASKED if os.path.exists(path)} <= set(table)
    assert all(row[6] == "-" for row in rows), "an optional field here would be a tie to another mount namespace"


def test_its_devices_work_and_no_disk_is_among_them(rootfs: Path) -> None:
    script = "head -c8 /dev/zero | wc -c; echo gone >/dev/null; head -c8 /dev/urandom | wc -c; echo -n hi >/dev/shm/x; "
    script += "cat /dev/shm/x; stat -c ' %a' /dev/null; find /dev -type b; echo x >/dev/full"
    done = run(rootfs, "sh", "-c", script, umask=0o077)
    assert done.stdout.split() == ["8", "8", "hi", "666"]
    assert "No space left on device" in done.stderr


def test_the_machine_itself_is_hidden(rootfs: Path) -> None:
    hidden = run(rootfs, "sh", "-c", "cat /proc/keys /proc/timer_list /proc/kcore 2>/dev/null; ls /sys/firmware").stdout
    assert hidden == ""
    for forbidden in ("/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/kernel/mm/ksm/run", "/proc/acpi/x"):
        assert run(rootfs, "sh", "-c", f"echo 0 >{forbidden}").returncode != 0


# What the container may do


def test_root_inside_holds_dockers_capabilities_without_mknod(rootfs: Path) -> None:
    status = run(rootfs, "cat", "/proc/self/status").stdout
    fields = {name: value.strip() for name, _, value in (line.partition(":") for line in status.splitlines())}
    assert {fields[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"00000000a00425fb"}
    assert {fields[name] for name in ("CapInh", "CapAmb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    assert fields["Groups"] == ""
    assert fields["SigIgn"] == "0" * 16, "what Python ignores, the container must not"


@pytest.mark.parametrize(
    "command",
    [
        "umount /proc/keys",
        "mount -o remount,rw /sys",
        "mount -t proc proc /mnt",
        "mknod /disk b 8 0",  # with Docker's CAP_MKNOD and no devices cgroup this succeeds, and `cat /disk` too
        "mknod /dev/kmsg c 1 11",
        "unshare --user --map-root-user --mount mount -o remount,rw /proc/sys",
        "test /bin/busybox -ef /proc/1/cwd/../../bin/busybox && ls /var/lib/dpkg",
        "chroot /proc/1/root ls /var/lib/dpkg",
    ],
)
def test_the_ways_out_are_shut(rootfs: Path, command: str) -> None:
    assert run(rootfs, "sh", "-c", command).returncode != 0


def test_no_descriptor_of_the_host_comes_along(rootfs: Path) -> None:
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    way_out = fcntl.fcntl(root, fcntl.F_DUPFD, 100)  # a number that `ls` will not have by chance
    try:
        listed = run(rootfs, "sh", "-c", "ls /proc/$$/fd", pass_fds=(way_out,)).stdout.split()
    finally:
        os.close(way_out)
        os.close(root)
    assert {"0", "1", "2"} <= set(listed)
    assert str(way_out) not in listed


def test_no_python_module_of_the_container_is_ever_imported(rootfs: Path, tmp_path: Path) -> None:
    """After pivot_root every import would read the container's files, with all of root's power."""
    hostile = tmp_path / "rootfs"
    shutil.copytree(rootfs, hostile, symlinks=True)
    for directory in filter(None, sys.path):
        library = hostile / directory.lstrip("/")
        library.mkdir(parents=True, exist_ok=True)
        for name in sys.stdlib_module_names:
            (library / f"{name}.py").write_text("open('/caught', 'a').write(__name__)")
    lean = [sys.executable, "-I", "-S", str(PAGE), str(hostile)]
    for argv in (["test", "!", "-e", "/caught"], ["no-such-program"], ["/etc"]):
        done = subprocess.run([*lean, *argv], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode in (0, 126, 127), done.stderr
        assert "module" not in done.stderr


# What stays behind: nothing


def test_what_it_writes_never_reaches_the_image(rootfs: Path) -> None:
    before = sorted(os.listdir(rootfs)), (rootfs / "etc/passwd").read_text()
    assert run(rootfs, "sh", "-c", "echo x >/etc/passwd; touch /new; rm -r /bin").returncode == 0
    assert (sorted(os.listdir(rootfs)), (rootfs / "etc/passwd").read_text()) == before


def test_a_shared_root_as_systemd_makes_it_sees_none_of_the_mounts(rootfs: Path) -> None:
    script = f"cat /proc/self/mountinfo >&2; {sys.executable} {PAGE} {rootfs} true && cat /proc/self/mountinfo"
    shared = ["unshare", "--mount", "--propagation", "shared", "sh", "-c", script]
    done = subprocess.run(shared, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0
    assert "shared:" in done.stdout
    assert done.stdout == done.stderr


def test_devices_and_proc_as_symlinks_of_the_image_touch_nothing_outside(rootfs: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    hostile = tmp_path / "rootfs"
    shutil.copytree(rootfs, hostile, symlinks=True)
    for name in ("dev", "sys"):
        (hostile / name).rmdir()
        (hostile / name).symlink_to(victim)
    run(hostile, "true")
    assert list(victim.iterdir()) == []


def test_any_name_of_the_rootfs_will_do(rootfs: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a,b:c\\d e"  # what overlay's option string would take for separators
    odd.symlink_to(rootfs)
    assert run(odd, "true").returncode == 0
    assert run(Path(), "true", cwd=rootfs).returncode == 0


@pytest.mark.parametrize("which", ["the command", "its child"])
def test_whoever_is_killed_the_container_dies_too(rootfs: Path, which: str) -> None:
    with subprocess.Popen([sys.executable, PAGE, rootfs, "sh", "-c", "sleep 1000 & sleep 1000"]) as outside:
        inside = pid_one_of(outside.pid)
        handle = os.pidfd_open(inside)
        (keeper,) = children(outside.pid)
        os.kill(outside.pid if which == "the command" else keeper, signal.SIGKILL)
        assert select.select([handle], [], [], 10)[0], "pid 1 of the container is still there"
        os.close(handle)


def children(pid: int) -> list[int]:
    """The children of a process, as proc_pid_task(5) lists them."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pid_one_of(command: int) -> int:
    """Our number for pid 1 of the container that this command made, once it is past its execve(2)."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        keepers = children(command)
        first = children(keepers[0]) if keepers else []
        if first and str(PAGE).encode() not in Path(f"/proc/{first[0]}/cmdline").read_bytes():
            return first[0]
        time.sleep(0.01)
    raise AssertionError("the container did not start")
