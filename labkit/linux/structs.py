"""The structures that system calls take, packed byte for byte as the kernel's headers lay them out.

A structure travels as a small dictionary (``{"flags": 0x20000, "exit_signal": 17}``) and becomes
bytes only in the process that makes the call, because a field may name a file descriptor there.

See: clone(2) "clone3()", openat2(2), mount_setattr(2), capset(2), <linux/capability.h>.
"""

from __future__ import annotations

import struct

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
SIZED = frozenset(_WORDS)

CAPABILITY_VERSION_3 = 0x20080522


def fields(kind: str) -> tuple[str, ...]:
    """The names of the fields of structure `kind`, in the kernel's order."""
    return _WORDS[kind]


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
