"""What this kernel has of what lessons meet and kernels differ in; docs/kernels.md tells it.

The machine's own Python runs this in the VM, as root, and prints JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import tempfile
from pathlib import Path

CGROUP = "/sys/fs/cgroup"


def _cgroup_version() -> str:
    kinds = {line.split(" - ")[1].split()[0] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    return {(True, False): "v2", (True, True): "hybrid"}.get(("cgroup2" in kinds, "cgroup" in kinds), "v1")


def _controllers() -> str:
    return " ".join(sorted(Path(CGROUP, "cgroup.controllers").read_text().split())) or "none"


def _cgroup_file(name: str) -> str:
    """Whether an ordinary cgroup has the file."""
    own = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
    return _word(Path(f"{CGROUP}{own}", name).exists())


def _link(options: str) -> str:
    """Whether a link is made, beside another one that some kinds want to stand on."""
    script = f"ip link add below type dummy && ip link add x0 {options}"
    done = subprocess.run(["unshare", "--net", "sh", "-ec", script], capture_output=True, check=False)
    return _word(done.returncode == 0)


def _call(number: int) -> str:
    """Whether a system call by its number is there: one with no sense in its arguments may fail, but not so."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(number, -1, 0, 0, 0, 0, 0)
    return _word(ctypes.get_errno() != 38)


def _overlay_in_a_user_namespace() -> str:
    with tempfile.TemporaryDirectory() as place:
        script = (
            f"cd {place}; mount -t tmpfs t .; mkdir l u w m; mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m"
        )
        done = subprocess.run(
            ["unshare", "--user", "-r", "--mount", "sh", "-ec", script], capture_output=True, check=False
        )
    return _word(done.returncode == 0)


def _unborn_pid_namespace() -> str:
    """Whether the link to a new pid namespace is there before anybody lives in it."""
    done = subprocess.run(
        ["unshare", "--pid", "readlink", "/proc/self/ns/pid_for_children"], capture_output=True, check=False
    )
    return _word(done.returncode == 0)


def _word(there: bool) -> str:
    return "yes" if there else "no"


def features() -> dict[str, str]:
    """The rows of the table, in its order."""
    return {
        "cgroup version": _cgroup_version(),
        "controllers of cgroup2": _controllers(),
        **{f"`{name}`": _cgroup_file(name) for name in (
            "cgroup.kill", "cgroup.pressure", "cpu.max.burst", "cpu.stat.local", "memory.peak", "memory.reclaim",
            "memory.swap.peak", "pids.peak", "cgroup.stat.local",
        )},
        **{f"link `{options.split('type ')[1].split()[0]}`": _link(options) for options in (
            "type veth", "type bridge", "type dummy", "link below type macvlan", "link below type ipvlan",
            "type vxlan id 1 dstport 4789", "type wireguard",
        )},
        "overlay in a user namespace": _overlay_in_a_user_namespace(),
        "`pid_for_children` before the first child": _unborn_pid_namespace(),
        "time namespaces": _word(os.path.exists("/proc/self/ns/time")),
        "`mount_setattr`": _call(442),
        "`statmount`": _call(457),
        "`listns`": _call(470),
        **{f"`/proc/{name}`": _word(os.path.exists(f"/proc/{name}")) for name in ("sched_debug", "timer_list", "keys")},
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(features()))
