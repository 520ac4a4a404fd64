"""The runtime as the way out: the file it runs from, its descriptors, its directories, its images.

For a runtime in Python the exposed file is the machine's python3. It is in use as long as the lab lives, so
the kernel refuses to write to it; and whoever makes a container hides from it until the program is there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from inside import PYTHON, on_the_machines_root, python, python_in, said

from labkit import Lab
from labkit.errors import ImageError, SpecError, StepError
from labkit.namespaces.reading import ReadFile

# The runtime's own file


def test_an_init_keeps_its_file_and_its_wire_to_itself(lab: Lab) -> None:
    program = """
for name in ('exe', 'fd/3', 'root', 'cwd', 'mem', 'maps', 'environ'):
    print(attempt(os.open, f'/proc/1/{name}', os.O_RDONLY), end=' ')
print(call('pidfd_getfd', call('pidfd_open', 1, 0), 3, 0), call('ptrace', 16, 1, 0, 0))
"""
    assert said(python(lab, program, init=True)).split() == ["EACCES"] * 7 + ["EPERM", "EPERM"]


def test_the_file_of_the_runtime_cannot_be_had_while_somebody_enters(lab: Lab) -> None:
    """The race of CVE-2019-5736: a program inside looks for newcomers and opens what they run from."""
    spy = """
mine, seen = os.stat('/proc/self/exe').st_ino, set()
print('ready', flush=True)
while not os.path.exists('/tmp/stop'):
    for pid in os.listdir('/proc'):
        if pid.isdigit() and int(pid) > 1:
            try:
                fd = os.open(f'/proc/{pid}/exe', os.O_RDONLY)
            except OSError:
                continue
            seen.add(os.readlink(f'/proc/self/fd/{fd}'))
            os.close(fd)
print(*sorted(seen), flush=True)
"""
    held = python(lab, spy, detach=True)
    while "ready" not in held.logs():
        time.sleep(0.01)
    for _ in range(40):
        assert held.exec(["/bin/true"]).returncode == 0
    held.exec(["/bin/touch", "/tmp/stop"])
    assert held.wait(10) == 0, held.logs()
    assert not [path for path in held.stdout.split()[1:] if "python" in path]


@pytest.mark.parametrize("how", ["run", "exec", "init"])
@pytest.mark.parametrize("line", ["#!/proc/self/exe", "#!/proc/1/exe", "#!/proc/thread-self/exe"])
def test_a_script_whose_interpreter_is_the_runtime_cannot_write_to_it(
    lab: Lab, tmp_path: Path, how: str, line: str
) -> None:
    on_the_machines_root(lab)
    before = hashlib.sha256(Path(PYTHON).read_bytes()).digest()
    script = tmp_path / "bad"
    script.write_text(f"""{line} -IS
import os
try:
    os.open('/proc/self/exe', os.O_WRONLY)
    print('opened for writing')
except OSError as error:
    print(error.strerror)
""")
    script.chmod(0o755)
    held = lab.run("/", ["/bin/sh", "-c", "cat >/tmp/bad; chmod 755 /tmp/bad; exec sleep 1000"],
                   stdin=script.read_text(), detach=True)  # fmt: skip
    while held.exec(["/bin/test", "-x", "/tmp/bad"]).returncode:
        assert held.running
    if how == "exec":
        ran = held.exec(["/tmp/bad"])
    else:
        tree = tmp_path / "tree"
        (tree / "bin").mkdir(parents=True)
        shutil.copy(script, tree / "bin/bad")
        ran = lab.run(str(tree), ["/bin/bad"], init=how == "init")
    assert "opened for writing" not in ran.stdout
    assert ran.returncode != 0 or ran.stdout == "Text file busy\n"
    held.kill()
    assert hashlib.sha256(Path(PYTHON).read_bytes()).digest() == before


def test_the_file_of_the_runtime_is_not_run_when_a_container_names_it(lab: Lab) -> None:
    for argv in (["/proc/self/exe", "-c", "print(1)"], ["/proc/1/exe", "-c", "print(1)"]):
        ran = lab.run("busybox", argv)
        assert ran.returncode in (126, 127), "its loader is not in the container's root"
        assert ran.stdout == ""


# Descriptors and directories


@pytest.mark.parametrize("how", ["run", "exec", "init", "tty"])
def test_nothing_but_the_three_streams_is_open(lab: Lab, how: str) -> None:
    program = "print(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1])"  # the last one is the listing's
    if how == "exec":
        held = python(lab, "time.sleep(1000)", detach=True)
        assert said(python_in(held, program)) == "[0, 1, 2]"
        held.kill()
    else:
        assert said(python(lab, program, init=how == "init", tty=how == "tty")) == "[0, 1, 2]"


@pytest.mark.parametrize("number", range(3, 24))
def test_a_working_directory_cannot_be_a_descriptor_of_the_runtime(lab: Lab, number: int) -> None:
    """An open directory of the machine would be a way out by ``..`` (CVE-2024-21626)."""
    with pytest.raises(StepError, match=f"/proc/self/fd/{number}"):
        lab.run("busybox", ["ls"], workdir=f"/proc/self/fd/{number}")
    held = lab.run("busybox", ["sleep", "1000"], detach=True)
    with pytest.raises(StepError, match=f"/proc/self/fd/{number}"):
        held.exec(["ls"], workdir=f"/proc/self/fd/{number}")
    held.kill()


@pytest.mark.parametrize(
    "workdir", ["/proc/self/cwd", "/proc/self/root", "/proc/1/root", "/proc/1/cwd", "/proc/thread-self/cwd"]
)
@pytest.mark.parametrize("how", ["run", "exec"])
def test_a_working_directory_by_way_of_proc_is_inside(lab: Lab, workdir: str, how: str) -> None:
    show = ["sh", "-c", "pwd -P; cd ../../../../..; ls -d run/lab etc/alpha; readlink /proc/self/cwd"]
    make = ["sh", "-c", "touch /etc/alpha; exec sleep 1000"]
    if how == "run":
        ran = lab.run("busybox", ["sh", "-c", f"touch /etc/alpha; {show[2]}"], workdir=workdir)
    else:
        held = lab.run("busybox", make, detach=True)
        while held.exec(["test", "-e", "/etc/alpha"]).returncode:
            assert held.running
        ran = held.exec(show, workdir=workdir)
        held.kill()
    assert ran.stdout.split() == ["/", "etc/alpha", "/"]


@pytest.mark.parametrize("workdir", ["tmp", "", ".", "../..", "/a\0b"])
def test_a_working_directory_is_an_absolute_path(lab: Lab, workdir: str) -> None:
    with pytest.raises(SpecError, match="working directory"):
        lab.run("busybox", ["pwd"], workdir=workdir)


# What an image brings along


def image(tmp_path: Path, change: Callable[[Path], object]) -> str:
    """A root file system with busybox, changed by an attacker."""
    tree = tmp_path / "tree"
    for name in ("bin", "etc", "proc", "sys", "dev"):
        (tree / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "/bin/busybox", tree / "bin/busybox")
    (tree / "bin/sh").symlink_to("busybox")
    change(tree)
    return str(tree)


@pytest.mark.parametrize("place", ["proc", "sys", "dev"])
@pytest.mark.parametrize("target", ["/etc", "/old/tmp", "../../..", "/", ".", "/no/such"])
@pytest.mark.parametrize("namespaces", [("mnt", "pid"), ("pid",)], ids=["pivoted", "chrooted"])
def test_a_link_where_something_is_to_be_mounted_is_refused(
    lab: Lab, tmp_path: Path, place: str, target: str, namespaces: tuple[str, ...]
) -> None:
    def plant(tree: Path) -> None:
        (tree / place).rmdir()
        (tree / place).symlink_to(target)

    before = lab.facts("mounts", "files")
    with pytest.raises(ImageError, match=f"/{place} of .* is a symlink") as caught:
        lab.run(image(tmp_path, plant), ["sh"], namespaces=namespaces)
    assert caught.value.look
    assert lab.facts("mounts", "files") == before


@pytest.mark.parametrize("namespaces", [("mnt", "pid"), ("pid",)], ids=["pivoted", "chrooted"])
def test_a_place_that_is_swapped_while_the_container_is_made_leads_nowhere(
    lab: Lab, tmp_path: Path, namespaces: tuple[str, ...]
) -> None:
    """A directory when it is looked at, a link to the lab host's /etc when something is mounted there."""
    path = image(tmp_path, lambda tree: (tree / "evil").symlink_to("/etc"))
    if lab.rootless and "mnt" not in namespaces:
        with pytest.raises(SpecError, match=r"mounts nothing in .* from outside") as refused:
            lab.run(path, ["/bin/busybox", "true"], namespaces=namespaces)
        assert refused.value.look == 'add "mnt"'
        return
    lab.run(path, ["/bin/busybox", "true"], namespaces=namespaces)
    before = {fact for fact in lab.facts("mounts") if fact.mountpoint.count("/") < 3}  # type: ignore[attr-defined]
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for place in ("proc", "sys", "dev"):
                os.rename(f"{path}/{place}", f"{path}/.{place}")
                os.rename(f"{path}/evil", f"{path}/{place}")
                os.rename(f"{path}/{place}", f"{path}/evil")
                os.rename(f"{path}/.{place}", f"{path}/{place}")

    swapper = threading.Thread(target=swap)
    swapper.start()
    deadline = time.monotonic() + 3
    came, refused = 0, 0
    while time.monotonic() < deadline:
        try:
            lab.run(path, ["/bin/busybox", "true"], namespaces=namespaces)
            came += 1
        except (ImageError, StepError):
            refused += 1
    stop.set()
    swapper.join()
    assert came + refused > 20
    after = {fact for fact in lab.facts("mounts") if fact.mountpoint.count("/") < 3}  # type: ignore[attr-defined]
    assert after == before, "nothing is mounted in the lab host"
    lab.take(ReadFile(path="/etc/passwd"))


def test_links_and_files_in_the_images_own_dev_are_covered(lab: Lab, tmp_path: Path) -> None:
    def plant(tree: Path) -> None:
        for name in ("null", "console", "pts", "shm", "ptmx"):
            (tree / "dev" / name).symlink_to("/etc/shadow")
        (tree / "etc/shadow").write_text("secret")

    script = "stat -c '%F %t:%T' /dev/null; ls -ld /dev/pts /dev/shm | cut -c1; ls /dev/console; cat /etc/shadow"
    ran = lab.run(image(tmp_path, plant), ["/bin/busybox", "sh", "-c", script])
    assert ran.stdout == "character special file 1:3\nd\nd\nsecret"


def test_masked_paths_stay_masked_whatever_lies_below_them_in_the_image(lab: Lab, tmp_path: Path) -> None:
    def plant(tree: Path) -> None:
        for path in ("proc/kcore", "proc/keys", "proc/acpi", "sys/firmware"):
            (tree / path).symlink_to("/etc/passwd")

    script = "cat /proc/keys /proc/timer_list; ls /proc/acpi /proc/scsi /sys/firmware 2>/dev/null"
    ran = lab.run(image(tmp_path, plant), ["/bin/busybox", "sh", "-c", script])
    assert [line for line in ran.stdout.split() if not line.endswith(":")] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="making an image with a device in it takes root")
def test_a_device_in_the_image_is_a_name_only(lab: Lab, tmp_path: Path) -> None:
    """An image made as root may hold the number of the machine's disk, or of its memory."""

    def plant(tree: Path) -> None:
        os.mknod(tree / "null", 0o020666, os.makedev(1, 3))
        os.mknod(tree / "disk", 0o060666, os.stat("/").st_dev)

    path = image(tmp_path, plant)
    for namespaces in (("mnt", "pid"), ("pid",)):
        script = "cat /null; head -c 1 /disk; echo fine >/dev/null && echo dev works"
        ran = lab.run(path, ["/bin/busybox", "sh", "-c", script], namespaces=namespaces)
        assert ran.stdout == "dev works\n"
        assert ran.stderr.count("Permission denied") == 2, ran.stderr


@pytest.mark.parametrize("what", ["link", "directory link", "fifo", "directory", "flood", "huge", "odd", "nothing"])
def test_users_are_not_looked_up_outside_the_image(lab: Lab, tmp_path: Path, what: str) -> None:
    outside = tmp_path / "passwd"
    outside.write_text("mallory:x:4242:4242::/:/bin/sh\n")

    def plant(tree: Path) -> None:
        passwd = tree / "etc/passwd"
        if what == "link":
            passwd.symlink_to(outside)
        elif what == "directory link":
            (tree / "etc").rmdir()
            (tree / "etc").symlink_to(tmp_path)
        elif what == "fifo":
            os.mkfifo(passwd)
        elif what == "directory":
            passwd.mkdir()
        elif what == "flood":
            passwd.write_bytes(b"x:" * 3_000_000 + b"\n" + outside.read_bytes())
        elif what == "huge":
            passwd.touch()
            os.truncate(passwd, 1 << 40)
        elif what == "odd":
            passwd.write_text("mallory:x:-1:0\nmallory:x:²:0\nmallory\n:::\nmallory:x::\n")

    with pytest.raises(SpecError, match="no user 'mallory'"):
        lab.run(image(tmp_path, plant), ["sh"], user="mallory")


@pytest.mark.parametrize(
    ("link", "target"),
    [("etc/passwd", "/usr/lib/passwd"), ("etc/passwd", "../../../../usr/lib/passwd"), ("etc", "/usr/lib")],
)
def test_a_link_in_place_of_passwd_leads_to_a_file_of_the_image(
    lab: Lab, tmp_path: Path, link: str, target: str
) -> None:
    def plant(tree: Path) -> None:
        (tree / "usr/lib").mkdir(parents=True)
        (tree / "usr/lib/passwd").write_text("mallory:x:42:43::/home/mallory:/bin/sh\n")
        if link == "etc":
            (tree / "etc").rmdir()
        (tree / link).symlink_to(target)

    if not lab.lacking.has_ids(42, 2):
        pytest.skip("this rootless lab has one user id")
    ran = lab.run(image(tmp_path, plant), ["/bin/busybox", "sh", "-c", "id -u; echo $HOME"], user="mallory")
    assert ran.stdout == "42\n/home/mallory\n"


@pytest.mark.parametrize("number", [4294967295, 4294967296, 2**64])
def test_a_number_that_the_kernel_would_take_for_another_is_no_user(lab: Lab, tmp_path: Path, number: int) -> None:
    """-1 means "stay who you are", and 2**32 is cut to 0: both would be root."""
    for user in (number, str(number), f"1:{number}"):
        with pytest.raises(SpecError, match="ids end at 4294967294"):
            lab.run("busybox", ["id"], user=user)
    path = image(tmp_path, lambda tree: (tree / "etc/passwd").write_text(f"mallory:x:{number}:0::/:/bin/sh\n"))
    with pytest.raises(SpecError, match="ids end at"):
        lab.run(path, ["id"], user="mallory")
