"""Making a system call by name, with Python values: the only place where labkit touches the kernel's gate.

`invoke` turns each argument into a machine word as `labkit.linux.signatures` says, calls
``syscall(2)`` and reports what came back: the return value, errno, how long the kernel took, and
what it wrote into our memory. It decides nothing and retries nothing; what strace sees is what was asked.

The C library is opened as `ctypes.PyDLL`, which keeps the interpreter's lock during the call. With
the more usual CDLL the lock is dropped, and a child made by clone3 would be born without it and hang
at its first Python instruction.

See: syscall(2), errno(3).
"""

from __future__ import annotations

import ctypes
import os
import time

from labkit.linux import structs
from labkit.linux.signatures import signature

TYPE_CHECKING = False  # mypy knows this name; importing typing would cost the agent 10 ms
if TYPE_CHECKING:
    from typing import Any

    #: return value (-1 on failure), errno (0 on success), nanoseconds in the call, bytes or int that came out
    Result = tuple[int, int, int, bytes | int | None]

_libc = ctypes.PyDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_clock = time.perf_counter_ns

_UTSNAME = 6 * 65


def encode(text: str | bytes) -> bytes:
    """The bytes of a path or string argument. Raises ValueError where a NUL would end it early."""
    raw = text if isinstance(text, bytes) else os.fsencode(text)
    if b"\0" in raw:
        raise ValueError("a string for the kernel cannot contain NUL: the kernel would stop reading there")
    return raw


def _words(name: str, args: tuple[Any, ...]) -> tuple[list[Any], Any]:
    """Machine words for `args`, and the buffer that the kernel fills (or None)."""
    parameters = signature(name).parameters
    if len(args) != len(parameters):
        raise TypeError(f"{name} takes {len(parameters)} arguments, not {len(args)}")
    words: list[Any] = []
    filled: Any = None
    for value, (label, kind, nullable) in zip(args, parameters, strict=True):
        if value is None:
            if not nullable and kind != "null":
                raise TypeError(f"{name}: {label} may not be a null pointer")
            words.append(None)
        elif kind in ("path", "str"):
            words.append(encode(value))
        elif kind == "strs":
            words.append((ctypes.c_char_p * (len(value) + 1))(*(encode(item) for item in value), None))
        elif kind == "buf":
            raw = (
                value
                if isinstance(value, bytes)
                else value.encode("latin-1")
                if isinstance(value, str)
                else bytes(value)
            )
            words += [raw, ctypes.c_size_t(len(raw))]
        elif kind == "out":
            filled = ctypes.create_string_buffer(value)
            words += [filled, ctypes.c_size_t(value)]
        elif kind == "status":
            filled = ctypes.c_int(0)
            words.append(ctypes.byref(filled))
        elif kind == "utsname":
            filled = ctypes.create_string_buffer(_UTSNAME)
            words.append(filled)
        elif kind == "bpf_attr":
            memory = ctypes.create_string_buffer(len(structs.bpf_attr(value, 0)))
            memory.raw = structs.bpf_attr(value, ctypes.addressof(memory))
            words += [memory, ctypes.c_size_t(structs.size(kind, value))]
        elif kind in ("cap_header", "cap_data", "gids", "sigset") or kind in structs.SIZED:
            raw = structs.pack(kind, value)
            words.append(raw)
            if kind in structs.SIZED:
                words.append(ctypes.c_size_t(len(raw)))
        else:
            words.append(ctypes.c_long(value))
    return words, filled


def prepare(name: str, args: tuple[Any, ...]) -> list[Any]:
    """The call as machine words, its number first, to be made later or many times."""
    return [ctypes.c_long(signature(name).number), *_words(name, args)[0]]


def enter(words: list[Any]) -> tuple[int, int]:
    """Make a prepared call: (value, errno)."""
    value = _syscall(*words)
    return value, ctypes.get_errno() if value == -1 else 0


def invoke(name: str, args: tuple[Any, ...]) -> Result:
    """Make system call `name`. See the module's text for what comes back; never raises OSError."""
    words, filled = _words(name, args)
    number = ctypes.c_long(signature(name).number)
    ctypes.set_errno(0)
    begin = _clock()
    value = _syscall(number, *words)
    spent = _clock() - begin
    error = ctypes.get_errno() if value == -1 else 0
    out: bytes | int | None = None
    if isinstance(filled, ctypes.c_int):
        out = filled.value
    elif filled is not None and value >= 0:
        out = filled.raw if name == "uname" else filled.raw[:value]
    return value, error, spent, out


def call(name: str, *args: Any) -> int:
    """Make system call `name` and return its value; raise OSError with the call's name where it fails."""
    value, error, _, _ = invoke(name, args)
    if error:
        subject = next((a for a in args if isinstance(a, str)), None)
        raise OSError(error, f"{name}: {os.strerror(error)}", subject)
    return value
