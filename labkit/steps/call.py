"""One system call that was really made: what was asked, what the kernel answered, how long it took."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from socket import inet_ntoa
from typing import Any

from labkit.errors import errno_name
from labkit.linux import capabilities, netlink_text, structs
from labkit.linux.calls import Fd, Intent, Joined, Packed, Pid, Ret
from labkit.linux.constants import (
    AF_INET,
    AT_FDCWD,
    BPF_PROG_LOAD,
    PR_CAP_AMBIENT,
    PR_CAPBSET_DROP,
    PR_SET_NO_NEW_PRIVS,
    SIGRTMAX,
    decode,
)
from labkit.linux.signatures import signature
from labkit.steps.display import Shown

_LONGEST = 300


@dataclass(frozen=True, slots=True, repr=False)
class Call(Shown):
    """A call as it was made. `value` is what it returned (-1 on failure), `nanoseconds` its time in the kernel.

    `out` is what the kernel wrote into the caller's memory, if anything. `refused` is set when the
    executing process did not make the call at all; then errno means nothing. `expected` is set when the step had
    said beforehand that this error does not stop it (`Intent.tolerate`): a search goes on, a thing is there already.
    """

    who: str
    name: str
    args: tuple[Any, ...]
    value: int
    errno: int
    nanoseconds: int
    out: bytes | int | None = None
    refused: str = ""
    expected: bool = False

    @classmethod
    def from_row(cls, who: str, intent: Intent, row: Sequence[Any]) -> Call:
        """The call that an actor reports as ``[value, errno, nanoseconds, out]`` for `intent`."""
        value, error, spent, out = row
        refused = ""
        if isinstance(out, dict):
            refused = out.get("refused", "")
            out = out["b"].encode("latin-1") if "b" in out else None
        expected = not refused and error in intent.tolerate
        return cls(who, intent.name, intent.args, value, error, spent, out, refused, expected)

    @property
    def failed(self) -> bool:
        """Whether the kernel said no."""
        return self.errno != 0

    @property
    def text(self) -> str:
        """The call as strace writes it, without its result."""
        return render(self.name, self.args)

    def __str__(self) -> str:
        if self.refused:
            return f"{self.text}   not made: {self.refused}"
        if self.errno and self.value < 0:
            return f"{self.text} = -1 {errno_name(self.errno)}{', as expected' * self.expected}"
        answer = f", and it says {errno_name(self.errno)}" if self.errno else ""
        return f"{self.text} = {self.shown_value}{answer}"

    def __repr__(self) -> str:
        """The same: `lab.take` returns several, and a cell that ends with it shows each by its repr."""
        return str(self)

    @property
    def shown_value(self) -> str:
        """The return value, where it is the same in every run; a pid or a descriptor by its kind."""
        if self.name in ("clone3", "wait4", "getpid", "getppid", "setsid"):
            return "pid" if self.value > 0 else str(self.value)
        if self.name in ("openat", "openat2", "open_tree", "fsopen", "fsmount", "socket", "pidfd_open"):
            return "fd"
        if self.name == "bpf" and self.args[0] == BPF_PROG_LOAD and self.value >= 0:
            return "fd"
        if self.name == "keyctl":
            return "key"
        return str(self.value)


def render(name: str, args: Sequence[Any]) -> str:
    """A call as text, its flags decoded: ``mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)``."""
    if name == "prctl":
        return f"prctl({', '.join(_prctl(args))})"
    shown = [_argument(kind, value) for (_, kind, _), value in zip(signature(name).parameters, args, strict=True)]
    return f"{name}({', '.join(shown)})"


def _prctl(args: Sequence[Any]) -> list[str]:
    option, arg2 = args[0], args[1]
    shown = [decode("PR", option)]
    if option == PR_CAPBSET_DROP:
        return [*shown, capabilities.name(arg2)]
    if option == PR_CAP_AMBIENT:
        return [*shown, decode("PR_CAP_AMBIENT", arg2), capabilities.name(args[2]), *map(str, args[3:])]
    if option == PR_SET_NO_NEW_PRIVS:
        return [*shown, *map(str, args[1:])]
    return [*shown, *(str(value) for value in args[1:])]


def _argument(kind: str, value: Any) -> str:
    if isinstance(value, Ret):
        return "fd"
    if isinstance(value, (Fd, Pid)):
        return f"{type(value).__name__.lower()} of {value.name}"
    if isinstance(value, Joined):
        return quoted("".join(part if isinstance(part, str) else f"<{part.name}>" for part in value.parts))
    if value is None:
        return "NULL"
    if kind in ("path", "str"):
        return quoted(value)
    if kind == "strs":
        return "[" + ", ".join(quoted(item) for item in value) + "]"
    if kind == "buf":
        return f"{_socket(value) or quoted(value)}, {_length(value)}"
    if kind == "out":
        return f"…, {value}"
    if kind in ("status", "utsname"):
        return "…"
    if kind == "fd":
        return "AT_FDCWD" if value == AT_FDCWD else str(value)
    if kind == "mode":
        return decode("MODE", value)
    if kind == "dev":
        return f"makedev({value >> 8 & 0xFFF}, {value & 0xFF})"
    if kind == "sigset":
        return _signals(value)
    if kind == "gids":
        return "[" + ", ".join(map(str, value)) + "]"
    if kind in structs.SIZED or kind in ("cap_header", "cap_data"):
        return _struct(kind, value)
    if kind.isupper():
        return decode(kind, value)
    return str(value)


def _signals(numbers: Sequence[int]) -> str:
    """A set of signals as strace writes it: if it holds more than half of them, by those that it does not hold."""
    missing = [number for number in range(1, SIGRTMAX + 1) if number not in numbers]
    shown = missing if len(missing) < len(numbers) else numbers
    words = (decode("SIG", number).removeprefix("SIG") for number in shown)
    return "~" * (shown is missing) + f"[{' '.join(words)}]"


def _length(value: bytes | Packed) -> int:
    parts = value.parts if isinstance(value, Packed) else (value,)
    return sum(len(part) if isinstance(part, bytes) else 4 for part in parts)


def _socket(value: bytes | Packed) -> str:
    """An address or a message to the network stack in words; empty for other bytes."""
    if isinstance(value, Packed):
        return netlink_text.words(value)
    if len(value) == 16 and value[:2] == struct.pack("=H", AF_INET):
        port, address = struct.unpack_from("!H4s", value, 2)
        return f'{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{inet_ntoa(address)}")}}'
    if len(value) == 12 and value[:2] == b"\x10\0":
        return "{sa_family=AF_NETLINK, nl_pid=0}"
    return netlink_text.words(value)


_FIELD_GROUPS = {
    ("clone_args", "flags"): "CLONE",
    ("clone_args", "exit_signal"): "SIG",
    ("mount_attr", "attr_set"): "MOUNT_ATTR",
    ("mount_attr", "attr_clr"): "MOUNT_ATTR",
    ("mount_attr", "propagation"): "MS",
    ("open_how", "flags"): "O",
    ("open_how", "resolve"): "RESOLVE",
    ("bpf_attr", "prog_type"): "BPF_PROG_TYPE",
    ("bpf_attr", "license"): "str",
    ("bpf_attr", "prog_name"): "str",
    ("bpf_attr", "attach_type"): "BPF_ATTACH_TYPE",
    ("bpf_attr", "expected_attach_type"): "BPF_ATTACH_TYPE",
}


def _struct(kind: str, value: dict[str, Any]) -> str:
    if kind == "cap_header":
        return "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}"
    if kind == "cap_data":
        return "{" + ", ".join(f"{name}={capabilities.summary(mask)}" for name, mask in value.items()) + "}"
    fields = [
        f"insn_cnt={len(item) // 8}, insns=…"  # a program is shown in full by who has assembled it
        if name == "insns"
        else f"{name}={_argument(_FIELD_GROUPS.get((kind, name), 'fd'), item)}"
        for name, item in value.items()
    ]
    return "{" + ", ".join(fields) + "}, " + str(structs.size(kind, value))


def quoted(value: str | bytes, longest: int = _LONGEST) -> str:
    """Text or bytes in quotes, as strace writes them, and not more than the beginning."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\0", "\\0")
    return f'"{text[:longest]}"…' if len(text) > longest else f'"{text}"'
