"""Ways out of a container that the kernel offers: each is tried as root from within, and refused.

What limits of cgroups (a fork bomb, memory) and seccomp filters (making a user namespace at all, the keys of
one's own uid) will refuse, belongs to later lessons; here the wall is made of namespaces, capabilities,
mounts and no_new_privs, and a nested user namespace is shown to find nothing more behind it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from inside import on_the_machines_root, python, python_in, said

from labkit import Lab
from labkit.errors import SpecError
from labkit.linux.capabilities import DOCKER_DEFAULT, mask

HOW = ["run", "exec", "init"]


def inside(lab: Lab, how: str, program: str, **options: object) -> str:
    """What `program` prints as a container's own, as one more process in it, or as the child of its init."""
    if how != "exec":
        return said(python(lab, program, init=how == "init", **options))
    held = python(lab, "time.sleep(1000)", detach=True, **options)
    output = said(python_in(held, program))
    held.kill()
    held.wait()
    return output


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("attack", "answer"),
    [
        ("call('mknodat', -100, '/tmp/disk', 0o60600, os.stat('/').st_dev)", "EPERM"),
        ("call('open_by_handle_at', os.open('/', 0), struct.pack('IiQ', 8, 1, 2), 0)", "EPERM"),
        ("call('mount', 'tmpfs', '/tmp', 'tmpfs', 0, None)", "EPERM"),
        ("call('mount', 'cgroup', '/tmp', 'cgroup', 0, 'memory')", "EPERM"),
        ("call('mount', 'cgroup2', '/tmp', 'cgroup2', 0, None)", "EPERM"),
        ("call('mount', None, '/proc/sys', None, 0x1020, None)", "EPERM"),  # remount read-write
        ("call('mount', None, '/sys', None, 0x1020, None)", "EPERM"),
        ("call('umount2', '/proc/sys', 2)", "EPERM"),
        ("call('umount2', '/proc/acpi', 2)", "EPERM"),
        ("call('umount2', '/proc/keys', 2)", "EPERM"),
        ("call('umount2', '/proc', 2)", "EPERM"),
        ("call('umount2', '/', 2)", "EPERM"),
        ("call('pivot_root', '/', '/tmp')", "EPERM"),
        ("call('fsopen', 'tmpfs', 0)", "EPERM"),
        ("call('open_tree', -100, '/', 1)", "EPERM"),
        ("call('mount_setattr', -100, '/proc/sys', 0, struct.pack('4Q', 0, 1, 0, 0), 32)", "EPERM"),
        ("call('unshare', 0x00020000)", "EPERM"),
        ("call('unshare', 0x40000000)", "EPERM"),
        ("call('sethostname', 'x', 1)", "EPERM"),
        ("call('reboot', 0xfee1dead, 0x28121969, 0x89ABCDEF, None)", "EPERM"),
        ("call('swapon', '/tmp', 0)", "EPERM"),
        ("call('acct', '/tmp/acct')", "EPERM"),
        ("call('syslog', 3, None, 0)", "EPERM"),
        ("call('clock_settime', 0, struct.pack('2q', 0, 0))", "EPERM"),
        ("call('bpf', 5, bytes(128), 128)", "EPERM"),
        ("attempt(os.open, '/dev/tty', os.O_RDWR)", "ENXIO"),
        ("attempt(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0) and attempt(os.listdir, '/dev/net')", "ENOENT"),
        ("attempt(open, '/proc/sys/kernel/core_pattern', 'w')", "EROFS"),
        ("attempt(open, '/proc/sys/kernel/hostname', 'w')", "EROFS"),
        ("attempt(open, '/sys/kernel/uevent_helper', 'w') in ('EROFS', 'ENOENT', 'EACCES')", "True"),
        ("attempt(open, '/proc/sysrq-trigger', 'w') in ('EROFS', 'ENOENT')", "True"),
        ("attempt(os.mkdir, '/sys/fs/cgroup/x') in ('EROFS', 'ENOENT')", "True"),
        ("attempt(os.setgroups, [7]) or os.getgroups()", "[7]"),  # CAP_SETGID is kept: no way out by itself
        ("os.path.exists('/run/lab') or os.path.exists('/old')", "False"),
    ],
)
def test_refused(lab: Lab, how: str, attack: str, answer: str) -> None:
    assert inside(lab, how, f"print({attack})") == answer


@pytest.mark.parametrize("kind", ["mnt", "pid", "uts", "ipc", "net", "cgroup", "time"])
def test_nobody_moves_into_the_namespaces_of_pid_1(lab: Lab, kind: str) -> None:
    assert inside(lab, "run", f"print(call('setns', os.open('/proc/1/ns/{kind}', 0), 0))") == "EPERM"


def test_pid_1_is_its_own_and_no_process_of_the_machine_is_to_be_seen(lab: Lab) -> None:
    program = "print(os.getpid(), [each for each in os.listdir('/proc') if each.isdigit()])"
    assert inside(lab, "run", program) == "1 ['1']"


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("options", [{}, {"user": 1000}], ids=["root", "user"])
def test_capabilities_are_few_and_none_is_inheritable(lab: Lab, how: str, options: dict[str, int]) -> None:
    program = "print({l.split()[0]: l.split()[1] for l in open('/proc/self/status') if l.startswith(('Cap', 'NoNew'))})"
    found = eval(inside(lab, how, program, **options))
    few = mask(set(DOCKER_DEFAULT) - {"CAP_MKNOD"})
    assert int(found["CapInh:"], 16) == int(found["CapAmb:"], 16) == 0
    assert int(found["CapBnd:"], 16) == few
    assert int(found["CapEff:"], 16) == int(found["CapPrm:"], 16) == (0 if options else few)
    assert found["NoNewPrivs:"] == "1"


def test_a_set_user_id_program_gives_nothing(lab: Lab) -> None:
    script = "cp /bin/busybox /tmp/id; chmod 4755 /tmp/id; exec /usr/bin/setpriv --reuid 1000 --clear-groups /tmp/id -u"
    assert lab.run("busybox", ["sh", "-c", script]).stdout == "1000\n"


def test_the_groups_of_whoever_opened_the_lab_are_gone(lab: Lab) -> None:
    assert inside(lab, "run", "print(os.getgroups())") == "[]"
    assert inside(lab, "exec", "print(os.getgroups())") == "[]"


def test_chroot_and_fchdir_lead_nowhere(lab: Lab) -> None:
    """CAP_SYS_CHROOT is kept, and the classic escape works: up to the container's own root, where the wall is."""
    program = """
os.makedirs('/tmp/x', exist_ok=True); root = os.open('/', 0); before = os.stat('/')
os.chroot('/tmp/x'); os.fchdir(root)
for _ in range(50): os.chdir('..')
os.chroot('.')
print(os.stat('/') == before, os.path.exists('/run/lab'))
"""
    assert inside(lab, "run", program) == "True False"


NESTED = """
assert call('unshare', 0x10000000 | 0x00020000 | 0x02000000 | 0x40000000 | 0x20000000 | 0x08000000) == 0
for name, text in (('setgroups', 'deny'), ('uid_map', '0 0 1'), ('gid_map', '0 0 1')):
    open('/proc/self/' + name, 'w').write(text)
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
assert 'CapEff:\\t000001ff' in open('/proc/self/status').read(), 'all capabilities, over nothing'
os.makedirs('/tmp/m', exist_ok=True)
"""


@pytest.mark.parametrize(
    ("attack", "answers"),
    [
        ("call('umount2', '/proc/sys', 2)", {"EINVAL"}),  # locked: it came from a more privileged namespace
        ("call('umount2', '/proc/acpi', 2)", {"EINVAL", "ENOENT"}),
        ("call('umount2', '/proc', 2)", {"EINVAL"}),
        ("call('mount', None, '/proc/sys', None, 0x1020, None)", {"EPERM"}),
        ("call('mount', None, '/sys', None, 0x1020, None)", {"EPERM"}),
        ("call('mount', 'proc', '/tmp/m', 'proc', 0, None)", {"EPERM"}),  # "mount_too_revealing": ours hides parts
        ("call('mount', 'sysfs', '/tmp/m', 'sysfs', 0, None)", {"EPERM"}),
        ("call('mount', '/proc', '/tmp/m', None, 0x1000, None)", {"EINVAL"}),  # what is covered would come to light
        (
            "call('mount', '/proc/sys', '/tmp/m', None, 0x1000, None) or "
            "attempt(open, '/tmp/m/kernel/core_pattern', 'w')",
            {"EROFS"},
        ),
        ("call('mount', 'cgroup', '/tmp/m', 'cgroup', 0, 'none,name=x')", {"EPERM"}),
        ("call('mknodat', -100, '/tmp/disk', 0o60600, 1)", {"EPERM"}),
        ("attempt(open, '/proc/sys/kernel/core_pattern', 'w')", {"EROFS"}),
        ("attempt(os.kill, 1, 0)", {"None"}),  # pid 1 there is itself
        ("sorted(name for _, name in socket.if_nameindex())", {"['lo']", "['lo', 'sit0']", "['lo', 'tunl0']"}),
    ],
)
def test_a_nested_user_namespace_opens_nothing(lab: Lab, attack: str, answers: set[str]) -> None:
    assert inside(lab, "run", NESTED + f"print({attack})") in answers


def test_a_cgroup_mount_from_a_nested_user_namespace_ends_at_the_containers_own(lab: Lab) -> None:
    program = (
        NESTED
        + """
assert call('mount', 'cgroup2', '/tmp/m', 'cgroup2', 0, None) == 0
print(open('/tmp/m/cgroup.procs').read() != '', os.path.exists('/tmp/m/host'), os.path.exists('/tmp/m/release_agent'))
"""
    )
    assert inside(lab, "run", program) == "True False False"


def test_gids_cannot_be_mapped_by_a_user_who_has_not_given_up_setgroups(lab: Lab) -> None:
    program = """
assert call('unshare', 0x10000000) == 0
def write(name, text): return attempt(lambda: os.write(os.open('/proc/self/' + name, 1), text))
print(write('gid_map', b'0 1000 1'), write('setgroups', b'deny'))
print(write('gid_map', b'0 0 1'), write('gid_map', b'0 1000 1'), attempt(os.setgroups, []))
"""
    assert inside(lab, "run", program, user=1000).split() == ["EPERM", "4", "EPERM", "8", "EPERM"]


@pytest.mark.parametrize("where", ["machine", "lab host"])
def test_an_abstract_socket_outside_is_out_of_reach(lab: Lab, where: str) -> None:
    """Abstract names belong to a network namespace: containerd-shim once listened on one (CVE-2020-15257)."""
    name = f"labkit-probe-{os.getpid()}"
    listen = f"s = socket.socket(socket.AF_UNIX); s.bind(chr(0) + {name!r}); s.listen(); print('up', flush=True)"
    reach = f"s = socket.socket(socket.AF_UNIX); print(attempt(s.connect, chr(0) + {name!r}))"
    if where == "machine":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"\0{name}")
            listener.listen()
            assert inside(lab, "run", reach) == "ECONNREFUSED"
        return
    held = python(lab, f"{listen}; time.sleep(1000)", namespaces=("mnt", "pid"), detach=True)
    while "up" not in held.logs():
        assert held.running, held.logs()
    assert inside(lab, "run", reach) == "ECONNREFUSED"
    assert said(python(lab, reach, namespaces=("mnt", "pid"))) == "None", "without a net namespace it can be reached"
    held.kill()


KEYS = """
import sys
from inside import NUMBERS, python, python_in, said
from labkit import Lab
from labkit.linux import syscalls
import ctypes

libc = ctypes.CDLL(None)
assert syscalls.invoke("keyctl", (1, None))[0] > 0
key = libc.syscall(NUMBERS["add_key"], b"user", b"labkit-secret", b"42", 2, -3)
assert key > 0 and libc.syscall(NUMBERS["keyctl"], 10, -3, b"user", b"labkit-secret", 0) == key
find = f"print(call('keyctl', 10, -3, 'user', 'labkit-secret', 0), call('keyctl', 11, {key}, bytes(64), 64))"
with Lab() as lab:
    held = python(lab, "time.sleep(1000)", detach=True)
    for ran in python(lab, find), python(lab, find, init=True), python_in(held, find):
        print(said(ran))
"""


def test_no_key_of_the_session_that_opened_the_lab_is_to_be_found(lab: Lab) -> None:
    """A login's session keyring holds its tickets; this one holds a key, and opens a lab."""
    on_the_machines_root(lab)
    here = Path(__file__).parents
    path = {"PYTHONPATH": f"{here[1]}:{here[2]}"}
    ran = subprocess.run(
        [sys.executable, "-c", KEYS], capture_output=True, text=True, check=False, env={**os.environ, **path}
    )
    if "assert syscalls" in ran.stderr:
        pytest.skip("this kernel keeps no keys")
    assert ran.stdout.split() == ["ENOKEY", "EACCES"] * 3, ran.stderr


@pytest.mark.parametrize("who", ["supervisor", "pid"])
def test_no_process_outside_can_be_signalled_traced_or_taken_from(lab: Lab, who: str) -> None:
    pid = lab.info[who]
    program = f"print(call('kill', {pid}, 0), call('ptrace', 16, {pid}, 0, 0), call('pidfd_open', {pid}, 0))"
    assert inside(lab, "run", program) == "ESRCH ESRCH ESRCH"


def test_the_session_and_its_group_hold_nobody_else(lab: Lab) -> None:
    """kill(0) reaches a whole process group, whatever pid namespaces its members are in."""
    neighbour = lab.run("busybox", ["sleep", "1000"], detach=True)
    program = "print(os.getsid(0) == os.getpgid(0) == os.getpid(), flush=True); os.kill(0, 9)"
    held = python(lab, program, detach=True)
    told = ""
    with suppress(SpecError):  # the first program is pid 1 of its namespace: the signal spares it, and it ends
        told = python_in(held, program).stdout
    assert "True" in held.stdout + told
    assert neighbour.running
    assert lab.run("busybox", ["echo", "unharmed"]).stdout == "unharmed\n"
    neighbour.kill()


def test_a_hostname_of_ones_own_is_not_the_machines(lab: Lab) -> None:
    before = socket.gethostname()
    lab.run("busybox", ["true"], hostname="elsewhere")
    assert socket.gethostname() == before


def test_nothing_that_is_written_reaches_the_machine(lab: Lab) -> None:
    before = Path("/etc/hostname").read_bytes() if Path("/etc/hostname").exists() else b""
    program = "open('/etc/hostname', 'w').write('mine'); os.unlink('/etc/passwd'); print(open('/etc/hostname').read())"
    assert inside(lab, "run", program) == "mine"
    assert (Path("/etc/hostname").read_bytes() if before else b"") == before
    assert Path("/etc/passwd").exists()


def test_the_container_is_a_container(lab: Lab) -> None:
    """What is refused above is not refused because nothing works at all."""
    ran = lab.run("busybox", ["sh", "-c", "ping -c1 -W1 127.0.0.1 && chown 7 /tmp && ls /dev/pts"])
    assert ran.returncode == 0, ran.logs()
