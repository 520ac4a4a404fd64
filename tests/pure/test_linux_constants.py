"""The constants say what the headers say, and decoding loses nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.linux import constants
from labkit.linux.constants import GROUPS, decode, encode, group, kvm

BITS = sorted(name for name in GROUPS if group(name).mask != -1)
LISTS = sorted(name for name in GROUPS if group(name).mask == -1)

HEADERS = (
    # Those of the kernel come first: the C library says that O_LARGEFILE is 0 on a 64-bit machine.
    """linux/types.h linux/mount.h linux/fcntl.h linux/openat2.h linux/close_range.h linux/stat.h linux/memfd.h
    linux/sched.h linux/wait.h linux/pidfd.h linux/signal.h asm/siginfo.h linux/time.h linux/ipc.h linux/personality.h
    linux/prctl.h linux/securebits.h linux/seccomp.h linux/capability.h linux/keyctl.h linux/magic.h
    linux/nsfs.h linux/bpf.h linux/kvm.h asm/ioctls.h linux/sockios.h linux/netlink.h linux/rtnetlink.h
    linux/if_link.h linux/if_addr.h linux/veth.h linux/pkt_sched.h asm/errno.h""",
    "sys/mount.h sys/socket.h sys/stat.h sys/wait.h sys/ipc.h fcntl.h signal.h net/if.h sys/personality.h",
)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("MS", 0x44000, "MS_REC|MS_PRIVATE"),
        ("MS", 0, "0"),
        ("MS", 0x1 | 1 << 40, "MS_RDONLY|0x10000000000"),
        ("MNT", 2, "MNT_DETACH"),
        ("O", 0, "O_RDONLY"),
        ("O", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC"),
        ("O", os.O_RDWR | os.O_TMPFILE, "O_RDWR|O_TMPFILE"),
        ("O", os.O_SYNC, "O_RDONLY|O_SYNC"),
        ("NODE", 0o20666, "S_IFCHR|0666"),
        ("S_IF", 0o100644, "S_IFREG|0644"),
        ("NODE", 0o644, "0644"),
        ("MODE", 0o755, "0755"),
        ("MODE", 0o1777, "01777"),
        ("CLONE", 0x80, "CLONE_NEWTIME"),
        ("CLONE", 0x20000000 | 17, "SIGCHLD|CLONE_NEWPID"),
        ("SIG", 9, "SIGKILL"),
        ("SIG", 0, "0"),
        ("SIG", 36, "SIGRTMIN+2"),
        ("ERRNO", 22, "EINVAL"),
        ("ERRNO", 95, "EOPNOTSUPP"),
        ("ERRNO", 35, "EDEADLK"),
        ("SOCK", 0o2000005, "SOCK_SEQPACKET|SOCK_CLOEXEC"),
        ("FD", -100, "AT_FDCWD"),
        ("FD", 3, "3"),
        ("KEY_SPEC", -3, "KEY_SPEC_SESSION_KEYRING"),
        ("OPEN_TREE", 0x88001, "OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE"),
        ("PR", 47, "PR_CAP_AMBIENT"),
        ("PR_CAP_AMBIENT", 4, "PR_CAP_AMBIENT_CLEAR_ALL"),
        ("W", 0x40000001, "WNOHANG|__WALL"),
        ("IPC", 0o1600, "IPC_CREAT|0600"),
        ("MOUNT_ATTR", 0x11, "MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOATIME"),
        ("IOCTL", 0xB701, "NS_GET_USERNS"),
        ("AF", 16, "AF_NETLINK"),
        ("CAP", 21, "CAP_SYS_ADMIN"),
        ("BPF", 5, "BPF_PROG_LOAD"),
        ("BPF_PROG_TYPE", 15, "BPF_PROG_TYPE_CGROUP_DEVICE"),
        ("BPF_ATTACH_TYPE", 6, "BPF_CGROUP_DEVICE"),
    ],
)
def test_words_read_as_in_the_headers(name: str, value: int, text: str) -> None:
    assert decode(name, value) == text
    assert encode(name, text) == value


@given(st.sampled_from(BITS), st.integers(0, 2**64 - 1))
def test_no_bit_is_lost_between_decode_and_encode(name: str, value: int) -> None:
    assert encode(name, decode(name, value)) == value


@given(st.sampled_from(LISTS), st.integers(-(2**63), 2**63) | st.integers(-20, 100))
def test_no_number_is_lost_between_decode_and_encode(name: str, value: int) -> None:
    assert encode(name, decode(name, value)) == value


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_each_group_names_something_and_knows_its_own_names(name: str) -> None:
    members = group(name)
    assert members.flags or members.field or name == "MODE", "a prefix in GROUPS selects nothing"
    for each, value in {**members.flags, **members.field}.items():
        assert encode(name, each) == value
        assert encode(name, decode(name, value)) == value


def test_a_word_reads_the_same_whatever_the_order_it_was_written_in() -> None:
    assert decode("MS", encode("MS", "MS_PRIVATE|MS_REC")) == decode("MS", encode("MS", "MS_REC | MS_PRIVATE"))


@pytest.mark.parametrize("text", ["MS_NONSENSE", "O_RDONLY", "", "MS_REC|", "08", "--1"])
def test_encode_refuses_what_is_not_of_the_group(text: str) -> None:
    with pytest.raises(ValueError, match="group MS"):
        encode("MS", text)


def test_an_unknown_group_is_told_with_those_there_are() -> None:
    with pytest.raises(KeyError, match="CLONE"):
        decode("NONSENSE", 1)


def test_the_values_are_those_of_the_c_headers(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here to read the headers with")
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip(f"the constants are those of x86_64 and aarch64, not of {platform.machine()}")
    ours = {
        name: value
        for name, value in {**vars(constants), **vars(kvm)}.items()
        if isinstance(value, int) and not isinstance(value, bool) and re.fullmatch(r"[A-Z_][A-Z0-9_]+", name)
    }
    ours["_LINUX_CAPABILITY_VERSION_3"] = ours.pop("LINUX_CAPABILITY_VERSION_3")
    ours.pop("SOCK_TYPE_MASK")  # in the kernel's own <linux/net.h> only
    theirs: dict[str, int] = {}
    for headers in HEADERS:
        missing = [name for name in ours if name not in theirs]
        # In the kernel's header SIGRTMIN is 32; what programs mean by it is what the C library leaves of it.
        if headers is HEADERS[0]:
            missing = [name for name in missing if not name.startswith("SIGRT")]
        theirs |= _in_headers(compiler, headers.split(), missing, tmp_path)
    if len(theirs) < 100:
        pytest.skip("the kernel's headers (linux-libc-dev) are not installed")
    assert {name: ours[name] for name in theirs} == theirs
    unknown = set(ours) - set(theirs)
    assert len(unknown) < len(ours) / 10, f"too few constants could be compared: {sorted(unknown)}"


def _in_headers(compiler: str, headers: list[str], names: list[str], tmp_path: Path) -> dict[str, int]:
    """The values that a C program prints for those of `names` that `headers` declare."""
    source, program = tmp_path / "constants.c", tmp_path / "constants"
    includes = "".join(f"#if __has_include(<{each}>)\n#include <{each}>\n#endif\n" for each in headers)
    while True:
        lines = "".join(f'    printf("{name} %lld\\n", (long long)({name}));\n' for name in names)
        head = f"#define _GNU_SOURCE\n{includes}int printf(const char *, ...);\n"
        source.write_text(f"{head}int main(void) {{\n{lines}    return 0;\n}}\n")
        done = subprocess.run(
            [compiler, "-w", "-fmax-errors=0", "-o", program, source],
            capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        undeclared = set(re.findall(r"'(\w+)' undeclared", done.stderr))
        if done.returncode == 0:
            break
        assert undeclared & set(names), done.stderr
        names = [name for name in names if name not in undeclared]
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in printed.splitlines())
    return {name: int(value) for name, value in rows}
