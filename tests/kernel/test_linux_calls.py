"""The newer calls, really made: clone3 and pidfds, openat2, the mount API of one call for each idea, close_range,
keyrings. Each by its typed function, in a process of its own; what labkit prints of it is compared with strace.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from labkit.agent import wire
from labkit.linux import bpf_calls, calls
from labkit.linux.calls import Intent, Ret
from labkit.linux.constants import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_RECURSIVE,
    CLOSE_RANGE_CLOEXEC,
    FSCONFIG_CMD_CREATE,
    FSCONFIG_SET_FLAG,
    FSCONFIG_SET_STRING,
    FSMOUNT_CLOEXEC,
    FSOPEN_CLOEXEC,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_RDONLY,
    MOVE_MOUNT_F_EMPTY_PATH,
    MS_PRIVATE,
    MS_REC,
    O_CLOEXEC,
    O_DIRECTORY,
    O_PATH,
    O_RDONLY,
    OPEN_TREE_CLOEXEC,
    OPEN_TREE_CLONE,
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
    SIGTERM,
)
from labkit.linux.signatures import TABLE
from labkit.steps.call import render

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="making mounts and namespaces needs root")

RUN = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from labkit.agent.actor import resolve
from labkit.linux import syscalls
syscalls.call("unshare", 0x00020000)
syscalls.call("mount", None, "/", None, 0x44000, None)
os.chdir(sys.argv[2])
returned, rows = [], []
for name, args, _, _ in json.loads(sys.argv[3]):
    value, error, _, out = syscalls.invoke(name, tuple(resolve(args, returned, {}, {"me": os.getpid()})))
    returned.append(value)
    rows.append([value, error, out.decode("latin-1") if isinstance(out, bytes) else out])
print(json.dumps([rows, [line.split()[4:6] for line in open("/proc/self/mountinfo")]]))
"""
PLACE = Path(calls.__file__).parents[2]


def command(intents: Sequence[Intent], directory: Path) -> list[str]:
    packed = json.dumps([wire.pack_call(*intent) for intent in intents])
    return [sys.executable, "-I", "-S", "-c", RUN, str(PLACE), str(directory), packed]


def make(directory: Path, *intents: Intent) -> tuple[list[list[Any]], list[list[str]]]:
    """The rows ``[value, errno, out]`` of these calls, and the mounts after them (target, options)."""
    done = subprocess.run(command(intents, directory), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows, mounts = json.loads(done.stdout)
    return rows, mounts


def errnos(rows: list[list[Any]]) -> list[str]:
    import errno

    return [errno.errorcode.get(error, "") for _, error, _ in rows]


def new_tmpfs(target: str) -> list[Intent]:
    """A tmpfs by the new API: a context, two parameters, a mount that hangs nowhere, and a place for it."""
    return [
        calls.fsopen("tmpfs", FSOPEN_CLOEXEC),
        calls.fsconfig(Ret(0), FSCONFIG_SET_STRING, "size", "1m"),
        calls.fsconfig(Ret(0), FSCONFIG_SET_FLAG, "ro", None),
        calls.fsconfig(Ret(0), FSCONFIG_CMD_CREATE, None, None),
        calls.fsmount(Ret(0), FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC),
        calls.move_mount(Ret(4), target, MOVE_MOUNT_F_EMPTY_PATH),
    ]


def test_a_file_system_is_made_mounted_and_hung_up_one_call_at_a_time(tmp_path: Path) -> None:
    rows, mounts = make(tmp_path, *new_tmpfs(str(tmp_path)))
    assert errnos(rows) == [""] * 6
    [options] = [options for target, options in mounts if target == str(tmp_path)]
    assert {"nodev", "noexec"} <= set(options.split(","))


def test_a_parameter_that_a_file_system_does_not_know_is_refused_by_itself(tmp_path: Path) -> None:
    rows, _ = make(tmp_path, calls.fsopen("tmpfs", 0), calls.fsconfig(Ret(0), FSCONFIG_SET_STRING, "colour", "red"))
    assert errnos(rows) == ["", "EINVAL"]


def test_a_tree_is_copied_made_read_only_and_hung_up_elsewhere(tmp_path: Path) -> None:
    """``mount --bind`` and a remount are two steps with a moment in between; here it is done before it is seen."""
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    (tmp_path / "source/file").touch()
    rows, mounts = make(
        tmp_path,
        calls.open_tree(str(tmp_path / "source"), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE),
        calls.mount_setattr(
            Ret(0), "", AT_EMPTY_PATH | AT_RECURSIVE, attr_set=MOUNT_ATTR_RDONLY, propagation=MS_PRIVATE
        ),
        calls.move_mount(Ret(0), str(tmp_path / "target"), MOVE_MOUNT_F_EMPTY_PATH),
        calls.open_(str(tmp_path / "target/file"), 1),
        calls.open_(str(tmp_path / "source/file"), 1),
    )
    assert errnos(rows) == ["", "", "", "EROFS", ""]
    assert any(target.endswith("/target") and options.startswith("ro") for target, options in mounts)


@pytest.mark.parametrize(
    ("path", "resolve", "answer"),
    [
        ("inside/file", RESOLVE_BENEATH, ""),
        ("../outside", RESOLVE_BENEATH, "EXDEV"),
        ("/etc/passwd", RESOLVE_BENEATH, "EXDEV"),
        ("link", RESOLVE_BENEATH, "EXDEV"),
        ("link", RESOLVE_IN_ROOT, "ENOENT"),
        ("link", RESOLVE_NO_SYMLINKS, "ELOOP"),
        ("link", 0, ""),
        ("../../../../inside/file", RESOLVE_IN_ROOT, ""),
        ("magic", RESOLVE_NO_MAGICLINKS, "ELOOP"),
        ("magic", RESOLVE_NO_SYMLINKS, "ELOOP"),
        ("mounted", RESOLVE_NO_XDEV, "EXDEV"),
        ("mounted", 0, ""),
    ],
)
def test_a_path_is_looked_up_as_far_as_it_may(tmp_path: Path, path: str, resolve: int, answer: str) -> None:
    (tmp_path / "root/inside").mkdir(parents=True)
    (tmp_path / "root/mounted").mkdir()
    (tmp_path / "root/inside/file").touch()
    (tmp_path / "outside").touch()
    (tmp_path / "root/link").symlink_to("/etc/passwd")
    (tmp_path / "root/magic").symlink_to("/proc/self/exe")
    rows, _ = make(
        tmp_path,
        calls.mount("tmpfs", str(tmp_path / "root/mounted"), "tmpfs"),
        calls.open_(str(tmp_path / "root"), O_PATH | O_DIRECTORY),
        calls.openat2(Ret(1), path, flags=O_RDONLY | O_CLOEXEC, resolve=resolve),
    )
    assert errnos(rows) == ["", "", answer]


def test_a_pidfd_means_one_process_whatever_becomes_of_its_number(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "1000"]) as victim:
        rows, _ = make(tmp_path, calls.pidfd_open(victim.pid), calls.pidfd_send_signal(Ret(0), SIGTERM))
        assert errnos(rows) == ["", ""]
        assert victim.wait(5) == -SIGTERM
    rows, _ = make(tmp_path, calls.pidfd_open(victim.pid))
    assert errnos(rows) == ["ESRCH"]


def test_close_range_closes_or_marks_a_whole_range(tmp_path: Path) -> None:
    opened = calls.open_("/dev/null")
    listing = [opened, opened, calls.close_range(3, 0xFFFFFFFF, 0), calls.fchdir(Ret(0)), calls.fchdir(Ret(1))]
    assert errnos(make(tmp_path, *listing)[0]) == ["", "", "", "EBADF", "EBADF"]
    marked = [opened, calls.close_range(3, 0xFFFFFFFF, CLOSE_RANGE_CLOEXEC), calls.fchdir(Ret(0))]
    assert errnos(make(tmp_path, *marked)[0]) == ["", "", "ENOTDIR"], "still open, until the next exec"
    assert errnos(make(tmp_path, calls.close_range(5, 3, 0))[0]) == ["EINVAL"]


def test_a_new_session_keyring_is_another_one_each_time(tmp_path: Path) -> None:
    join = calls.keyctl_join_session_keyring
    rows, _ = make(tmp_path, join(None), join(None), join("labkit-test"))
    if rows[0][1]:
        pytest.skip("this kernel keeps no keys")
    assert len({value for value, _, _ in rows}) == 3


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_each_is_printed_as_strace_prints_it(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    here = str(tmp_path / "d")
    intents = [
        *new_tmpfs(here),
        calls.open_tree(here, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE),
        calls.mount_setattr(
            Ret(6), "", AT_EMPTY_PATH | AT_RECURSIVE, attr_set=MOUNT_ATTR_RDONLY, propagation=MS_PRIVATE
        ),
        calls.openat2(AT_FDCWD, here, flags=O_RDONLY | O_DIRECTORY, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS),
        calls.pidfd_open(1),
        calls.close_range(3, 0xFFFFFFFF, CLOSE_RANGE_CLOEXEC),
        calls.keyctl_join_session_keyring("labkit-test"),
        bpf_calls.bpf_prog_attach(Ret(9), Ret(6), 6),
        bpf_calls.bpf_prog_detach(Ret(6), 6),
        calls.umount2(here, 2),
        calls.unshare(0x04000000),
        calls.mount(None, "/", None, MS_REC | MS_PRIVATE),
        calls.prctl(47, 2, 5),
    ]
    names = {intent.name for intent in intents}
    trace = tmp_path / "trace"
    traced = ["strace", "-s", "500", "-e", f"trace={','.join(names)}", "-o", str(trace), *command(intents, tmp_path)]
    subprocess.run(traced, check=True, capture_output=True)
    shown = [line.rpartition(" = ")[0].rstrip() for line in trace.read_text().splitlines() if " = " in line]
    shown = shown[-len(intents) :]
    for intent, theirs in zip(intents, shown, strict=True):
        ours = render(intent.name, intent.args)
        assert plain(ours) == plain(theirs)


def plain(text: str) -> str:
    """A call without what may differ: descriptors by number or by name, zeros left out, the spelling of one range."""
    text = re.sub(r"\b(fd|[0-9]+)\b(?=[,)])", "N", text)
    text = text.replace("0xffffffff", "N").replace("4294967295", "N").replace("~0U", "N")
    text = re.sub(r"KEYCTL_JOIN_SESSION_KEYRING", "N", text) if "keyctl(1," in text else text
    text = re.sub(r"(, )?\w+=[N0](?=[,}])", "", text)  # fields that hold nothing
    return re.sub(r"(, (N|NULL))+\)$", ")", text)


def test_every_call_of_the_table_that_a_step_can_name_has_a_typed_function() -> None:
    """And every typed function makes a call that the table has; what only the agent makes stands in this list."""
    spelled = {"open_": "openat", "mkdir": "mkdirat", "mknod": "mknodat", "symlink": "symlinkat", "unlink": "unlinkat",
               "recv": "recvfrom", "send": "sendto", "keyctl_join_session_keyring": "keyctl",
               **dict.fromkeys(("bpf_prog_load", "bpf_prog_attach", "bpf_prog_detach"), "bpf")}  # fmt: skip
    both = [(room.__name__, name, each) for room in (calls, bpf_calls) for name, each in vars(room).items()]
    own = (name for room, name, each in both if getattr(each, "__module__", "") == room)
    functions = {spelled.get(name, name) for name in own if name.islower()}
    made_by_hand = {
        "execveat",
        "exit_group",
        "getpid",
        "getppid",
        "linkat",
        "pread64",
        "personality",
        "setgid",
        "setuid",
        "uname",
    }
    assert functions - {"write_file"} <= set(TABLE)
    assert set(TABLE) - functions <= made_by_hand
