"""The calls of bpf(2) as data: a program is loaded, attached to a cgroup, and taken off.

See: bpf(2), <linux/bpf.h> "union bpf_attr".
"""

from __future__ import annotations

from labkit.linux.calls import FdLike, Intent
from labkit.linux.constants.bpf import BPF_PROG_ATTACH, BPF_PROG_DETACH, BPF_PROG_LOAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


def bpf_prog_load(kind: int, insns: bytes, *, attach_type: int, name: str = "") -> Intent:
    """The kernel checks the program, and returns a descriptor that stands for it."""
    attr = {"prog_type": kind, "insns": insns, "license": "MIT", "prog_name": name, "expected_attach_type": attach_type}
    return Intent("bpf", (BPF_PROG_LOAD, attr))


def bpf_prog_attach(target: FdLike, program: FdLike, attach_type: int) -> Intent:
    """Have `program` run for what is done in cgroup `target`, in place of another that may have been attached so."""
    attr = {"target_fd": target, "attach_bpf_fd": program, "attach_type": attach_type, "attach_flags": 0}
    return Intent("bpf", (BPF_PROG_ATTACH, attr))


def bpf_prog_detach(target: FdLike, attach_type: int) -> Intent:
    return Intent("bpf", (BPF_PROG_DETACH, {"target_fd": target, "attach_type": attach_type}))
