"""The structures that system calls take, packed byte for byte as the kernel's headers lay them out.

A structure travels as a small dictionary (``{"flags": 0x20000, "exit_signal": 17}``) and becomes
bytes only in the process that makes the call, because a field may name a file descriptor there.

See: clone(2) "clone3()", openat2(2), mount_setattr(2), capset(2), bpf(2), <linux/capability.h>, <linux/bpf.h>.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: A structure's fields in the kernel's order; every one of these is an array of 64-bit words.
_WORDS = {
    "clone_args": (
        "flags", "pidfd", "child_tid", "parent_tid", "exit_signal",
        "stack", "stack_size", "tls", "set_tid", "set_tid_size", "cgroup",
    ),
    "open_how": ("flags", "mode", "resolve"),
    "mount_attr": ("attr_set", "attr_clr", "propagation", "userns_fd"),
}  # fmt: skip

#: Structures that are followed by their size as a second word.
SIZED = frozenset((*_WORDS, "bpf_attr"))
_LOAD, _ATTACH = 72, 16  # how far the members of union bpf_attr reach that load a program, or attach and detach one

CAPABILITY_VERSION_3 = 0x20080522


def fields(kind: str) -> tuple[str, ...]:
    """The names of the fields of structure `kind`, in the kernel's order."""
    return _WORDS[kind]


def size(kind: str, value: dict[str, Any]) -> int:
    """The bytes of structure `kind`; a union is as long as what is used of it."""
    if kind == "bpf_attr":
        return _LOAD if "insns" in value else _ATTACH
    return 8 * len(_WORDS[kind])


def pack(kind: str, value: dict[str, int] | list[int]) -> bytes:
    """The bytes of structure `kind` with the given fields, all others zero."""
    if kind == "cap_header":
        return struct.pack("=II", CAPABILITY_VERSION_3, 0)
    if kind == "cap_data":  # two rows of 32 bits each: effective, permitted, inheritable
        assert isinstance(value, dict)
        masks = [value["effective"], value["permitted"], value["inheritable"]]
        return struct.pack("=6I", *(m & 0xFFFFFFFF for m in masks), *(m >> 32 for m in masks))
    if kind == "sigset":  # signal n is bit n-1 of a 64-bit word
        assert isinstance(value, list)
        return struct.pack("=Q", sum(1 << number - 1 for number in value))
    if kind == "gids":
        return struct.pack(f"={len(value)}I", *value)
    assert isinstance(value, dict)
    unknown = set(value) - set(_WORDS[kind])
    if unknown:
        raise ValueError(f"struct {kind} has no field {', '.join(sorted(unknown))}")
    return struct.pack(f"={len(_WORDS[kind])}Q", *(value.get(name, 0) & 0xFFFFFFFFFFFFFFFF for name in _WORDS[kind]))


def bpf_attr(value: dict[str, Any], address: int) -> bytes:
    """The union bpf_attr of one command, as it has to be if it lies at `address`.

    The instructions and the licence of a program are not in it but pointed to. They come right behind it, so that
    they live as long as it does.
    """
    if "insns" not in value:
        fields = ("target_fd", "attach_bpf_fd", "attach_type", "attach_flags")
        return struct.pack("=4I", *(value.get(name, 0) for name in fields))
    insns: bytes = value["insns"]
    words: bytes = value["license"].encode() + b"\0"
    behind = address + _LOAD
    head = struct.pack("=IIQQ", value["prog_type"], len(insns) // 8, behind, behind + len(insns))
    name = value["prog_name"].encode()[:15]  # the last of the 16 bytes is its end
    tail = struct.pack("=16sII", name, 0, value["expected_attach_type"])  # the 0: for no network device
    return head.ljust(_LOAD - len(tail), b"\0") + tail + insns + words
