"""A stage: a private mount namespace in which files of the machine are others, and a program run there as some user.

Nothing done to its mounts reaches the machine, and with its last process the whole stage is gone. The program is
Python: `play` returns what its last line says, as JSON.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
UID = 54321  # of the student, who exists on the stage only

#: what a program on the stage can use: a lab's answer, or its refusal
PROLOGUE = """
import contextlib, json, os, sys
sys.path.insert(0, {root!r})
from labkit.errors import LabError
def told(act):
    try:
        return act()
    except LabError as error:
        return {{"error": error.message, "likely": error.likely, "look": error.look}}
"""

#: the machine as the student finds it: their home, their account, and no lab but theirs
SET_UP = f"""
mount -t tmpfs -o mode=755 none /usr/local
mkdir -p /usr/local/stage/home /usr/local/stage/run
mkdir -p /run/labkit && mount -t tmpfs -o mode=755 none /run/labkit
chown {UID}:{UID} /usr/local/stage/home /usr/local/stage/run
chmod 700 /usr/local/stage/run
(cat /etc/passwd; echo 'student:*:{UID}:{UID}::/usr/local/stage/home:/bin/sh') > /usr/local/stage/passwd
mount --bind /usr/local/stage/passwd /etc/passwd
"""

#: the sudo rule, installed by the very code of ./lab up
SUDO_RULE = f"""
mount -t tmpfs -o mode=755 none /etc/sudoers.d
(cd {shlex.quote(str(ROOT))}; ROOT=$PWD; STATE=/usr/local/stage; source setup/lib.sh; source setup/privilege.sh
RULE_FOR=student; as_root() {{ "$@"; }}; install_rule)
"""

#: set-up: a machine whose / holds nothing, and whose top directories are mounts, with all that is mounted below them
SEPARATE = """
new=/run/labkit/new; mkdir $new; mount -t tmpfs -o mode=755 none $new
for each in /*; do
    if [ -L $each ]; then cp -P $each $new$each
    elif [ -d $each ]; then mkdir $new$each; mount --rbind $each $new$each
    else cp $each $new$each; fi
done
mkdir $new/.old; cd $new; pivot_root . .old; umount -l /.old; rmdir /.old; cd /
"""


def grant(user: str, count: int = 65536) -> str:
    """Set-up: subordinate ids for `user` (nobody: none at all)."""
    return f"""
echo '{user}:200000:{count}' > /usr/local/stage/subid
for file in /etc/subuid /etc/subgid; do [ ! -e $file ] || mount --bind /usr/local/stage/subid $file; done
"""


def seccomp(*names: str, errno: int) -> str:
    """Python that makes these system calls fail with `errno` from now on, in all that it starts. See: seccomp(2)."""
    return f"""
import ctypes, struct
from labkit.linux.signatures import signature
numbers = [{{"clone3": 435, "unshare": {{"x86_64": 272, "aarch64": 97}}[os.uname().machine]}}[n] for n in {names!r}]
code = struct.pack("HBBI", 0x20, 0, 0, 0)
for number in numbers:
    code += struct.pack("HBBI", 0x15, 0, 1, number) + struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | {errno})
code += struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)
block = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(block))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
"""


def play(program: str, *set_up: str, user: bool = True, prefix: str = "", **environment: str) -> Any:
    """Run `program` on a stage; `prefix` is a command line that starts it (setpriv, unshare)."""
    code = PROLOGUE.format(root=str(ROOT)) + program
    become = f"setpriv --reuid={UID} --regid={UID} --clear-groups --inh-caps=-all" if user else ""
    given = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/usr/local/stage/home", "LC_ALL": "C",
        "XDG_RUNTIME_DIR": "/usr/local/stage/run", "LABKIT_IMAGES": os.environ.get("LABKIT_IMAGES", ""), **environment,
    }  # fmt: skip
    words = shlex.join(["env", "-i", *(f"{key}={value}" for key, value in given.items() if value)])
    start = f"cd /; exec {words} {become} {prefix} {shlex.join([sys.executable, '-c', code])}"
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-eu", "-c", "\n".join([SET_UP, *set_up, start])],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
