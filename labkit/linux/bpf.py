"""The programs about devices that are attached to a cgroup, by name: version 2 has no file that would tell.

See: bpf(2), bpftool-cgroup(8), <linux/bpf.h> "union bpf_attr", "struct bpf_prog_info".
"""

from __future__ import annotations

import ctypes
import os
import struct

from labkit.linux import syscalls
from labkit.linux.constants.bpf import BPF_CGROUP_DEVICE, BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_GET_FD_BY_ID, BPF_PROG_QUERY
from labkit.linux.signatures import signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 64  # programs on one cgroup: BPF_CGROUP_MAX_PROGS
_INFO_SIZE, _NAME = 80, 64  # how much of a bpf_prog_info is asked for, and where in it the name stands


def device_programs(directory: str) -> list[str]:
    """Their names; none where there are none, or where one may not ask (without CAP_BPF in the first namespace)."""
    try:
        cgroup = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:  # it is gone
        return []
    ids = (ctypes.c_uint32 * _MOST)()
    try:
        query = struct.pack("=4IQQ", cgroup, BPF_CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), _MOST)
        memory = ctypes.create_string_buffer(query, len(query))
        if _bpf(BPF_PROG_QUERY, memory) < 0:
            return []
    finally:
        os.close(cgroup)
    (count,) = struct.unpack_from("=I", memory, 24)
    return [name for number in ids[:count] if (name := _name(number))]


def _name(number: int) -> str:
    """The name of the program with this id; empty if it has none, or is gone."""
    program = _bpf(BPF_PROG_GET_FD_BY_ID, ctypes.create_string_buffer(struct.pack("=3I", number, 0, 0), 12))
    if program < 0:
        return ""
    try:
        info = ctypes.create_string_buffer(_INFO_SIZE)
        question = struct.pack("=IIQ", program, _INFO_SIZE, ctypes.addressof(info))
        known = _bpf(BPF_OBJ_GET_INFO_BY_FD, ctypes.create_string_buffer(question, len(question))) == 0
        return info.raw[_NAME:].partition(b"\0")[0].decode("ascii") if known else ""
    finally:
        os.close(program)


def _bpf(command: int, attr: ctypes.Array[Any]) -> int:
    return syscalls.enter(
        [ctypes.c_long(signature("bpf").number), ctypes.c_long(command), attr, ctypes.c_size_t(len(attr))]
    )[0]
