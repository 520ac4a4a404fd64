"""A volley: a newborn process that borrows our memory and makes a whole list of system calls.

fork(2) copies its caller's page tables and makes both sides pay a page fault for every page that they
touch again. For Python these are some hundreds before the child has made its first call, and together
they cost more than all that the kernel does for a container. vfork(2) copies nothing: the child runs in
the memory of its parent, who stands still until the child execs or exits. Such a child must not run
Python, for it would change its parent's objects; but it can make calls from a table that the parent
has filled in before. That takes no more than the hundred bytes of machine code below: load the words of
a call into the registers that the kernel reads, enter it, keep what it returned, go on to the next.

Nothing is lost to the reader: the table holds the calls of the plan, each a number and six words, and
afterwards what each of them returned. Only how long it took is not in it; nobody asked to look.

See: vfork(2), clone(2) "CLONE_VM" and "CLONE_VFORK", syscall(2) "Architecture calling conventions".
"""

from __future__ import annotations

import ctypes
import os
import platform

from labkit.linux import structs, syscalls
from labkit.linux.constants.prctl import PR_SET_DUMPABLE
from labkit.linux.constants.process import CLONE_VFORK, CLONE_VM
from labkit.linux.signatures import signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

#: What the processor is given, line by line: bytes | the same in assembly | why. It is called as the C function
#: ``long fire(struct clone_args *, size_t, long *table)`` and touches neither the stack nor any memory but the table.
LISTING = {
    "x86_64": """
    49 89 d0        |        mov  r8, rdx         | the table, where a call leaves it alone
    b8 b3 01 00 00  |        mov  eax, 435        | clone3, with our first two arguments as its own
    0f 05           |        syscall              |
    48 85 c0        |        test rax, rax        | from here there are two of us, and to one it has returned 0
    74 01           |        je   child           |
    c3              |        ret                  | the parent, when the child has left its memory: pid or -errno
    4d 89 c4        | child: mov  r12, r8         |
    4c 89 c3        |        mov  rbx, r8         |
    48 8b 03        | next:  mov  rax, [rbx]      | the number of the call
    48 8b 7b 08     |        mov  rdi, [rbx+8]    | and where its six words stand: they may be what others returned
    48 8b 73 10     |        mov  rsi, [rbx+16]   |
    48 8b 53 18     |        mov  rdx, [rbx+24]   |
    4c 8b 53 20     |        mov  r10, [rbx+32]   |
    4c 8b 43 28     |        mov  r8,  [rbx+40]   |
    4c 8b 4b 30     |        mov  r9,  [rbx+48]   |
    48 8b 3f        |        mov  rdi, [rdi]      |
    48 8b 36        |        mov  rsi, [rsi]      |
    48 8b 12        |        mov  rdx, [rdx]      |
    4d 8b 12        |        mov  r10, [r10]      |
    4d 8b 00        |        mov  r8,  [r8]       |
    4d 8b 09        |        mov  r9,  [r9]       |
    0f 05           |        syscall              |
    48 89 43 38     |        mov  [rbx+56], rax   | what it returned
    48 83 c3 48     |        add  rbx, 72         |
    48 85 c0        |        test rax, rax        |
    79 c4           |        jns  next            |
    48 f7 d8        |        neg  rax             | an errno: is its bit set among those that do not matter?
    48 83 f8 3f     |        cmp  rax, 63         |
    77 07           |        ja   fail            |
    48 0f a3 43 f8  |        bt   [rbx-8], rax    |
    72 b4           |        jb   next            |
    49 89 5c 24 f8  | fail:  mov  [r12-8], rbx    | where it ended, in the word before the table
    bf 7d 00 00 00  |        mov  edi, 125        |
    b8 e7 00 00 00  |        mov  eax, 231        | exit_group
    0f 05           |        syscall              |
    """,
    "aarch64": """
    e9 03 02 aa     |        mov  x9, x2          | the table, where a call leaves it alone
    68 36 80 d2     |        mov  x8, 435         | clone3, with our first two arguments as its own
    01 00 00 d4     |        svc  0               |
    40 00 00 b4     |        cbz  x0, child       | from here there are two of us, and to one it has returned 0
    c0 03 5f d6     |        ret                  | the parent, when the child has left its memory: pid or -errno
    f4 03 09 aa     | child: mov  x20, x9         |
    f3 03 09 aa     |        mov  x19, x9         |
    68 02 40 f9     | next:  ldr  x8, [x19]       | the number of the call
    60 86 40 a9     |        ldp  x0, x1, [x19, 8]  | and where its six words stand: they may be what others returned
    62 8e 41 a9     |        ldp  x2, x3, [x19, 24] |
    64 96 42 a9     |        ldp  x4, x5, [x19, 40] |
    00 00 40 f9     |        ldr  x0, [x0]        |
    21 00 40 f9     |        ldr  x1, [x1]        |
    42 00 40 f9     |        ldr  x2, [x2]        |
    63 00 40 f9     |        ldr  x3, [x3]        |
    84 00 40 f9     |        ldr  x4, [x4]        |
    a5 00 40 f9     |        ldr  x5, [x5]        |
    01 00 00 d4     |        svc  0               |
    60 1e 00 f9     |        str  x0, [x19, 56]   | what it returned
    6a 22 40 f9     |        ldr  x10, [x19, 64]  |
    73 22 01 91     |        add  x19, x19, 72    |
    40 fe ff b6     |        tbz  x0, 63, next    |
    e0 03 00 cb     |        neg  x0, x0          | an errno: is its bit set among those that do not matter?
    1f fc 00 f1     |        cmp  x0, 63          |
    68 00 00 54     |        b.hi fail            |
    4a 25 c0 9a     |        lsr  x10, x10, x0    |
    aa fd 07 37     |        tbnz x10, 0, next    |
    93 82 1f f8     | fail:  stur x19, [x20, -8]  | where it ended, in the word before the table
    a0 0f 80 d2     |        mov  x0, 125         |
    c8 0b 80 d2     |        mov  x8, 94          | exit_group
    01 00 00 d4     |        svc  0               |
    """,
}

_WORDS = 6  # that a call can have
_SLACK = 128  # bytes that a string may grow by without moving
_RESULT, _TOLERATED, _ENTRY = 7, 8, 9  # an entry: number, where its words stand, result, errnos that do not matter
_PROT_READ, _PROT_EXEC, _MAP_PRIVATE = 1, 4, 2


class Volley:
    """A table of `size` calls, to be filled in with `put`, changed with `set`, and made with `fire`, many times."""

    def __init__(self, size: int) -> None:
        self._fire = _machine_code()
        self._ended = ctypes.c_int64.from_buffer(memory := bytearray(8 * (1 + _ENTRY * size)))
        self._table = (ctypes.c_int64 * (_ENTRY * size)).from_buffer(memory, 8)
        self._words = (ctypes.c_int64 * (_WORDS * size))()
        self._alive: dict[int, Any] = {}  # what the words point to
        # A change of identity hides the memory that it was made in, which is also ours.
        self._show = syscalls.prepare("prctl", (PR_SET_DUMPABLE, 1, 0, 0, 0))
        self._begin = ctypes.addressof(self._table)
        for number in range(size):
            for word in range(_WORDS):
                at = ctypes.addressof(self._words) + 8 * (_WORDS * number + word)
                self._table[_ENTRY * number + 1 + word] = at

    def put(self, number: int, call: str, words: Iterable[Any], tolerated: Iterable[int] = ()) -> None:
        """Let entry `number` be `call`, with machine words as `syscalls.prepare` makes them."""
        mask = 0
        for error in tolerated:
            if error > 62:
                raise ValueError(f"errno {error} does not fit into the {_TOLERATED}th word")
            mask |= 1 << error
        self._table[_ENTRY * number] = signature(call).number
        self._table[_ENTRY * number + _TOLERATED] = mask
        for position, word in enumerate(words):
            self.set(number, position, word)

    def set(self, number: int, position: int, word: Any) -> None:
        """Let a word of entry `number` be a number, or the address of bytes or of any other object of ctypes.

        Bytes that fit are written where the last ones stood.
        """
        place = _WORDS * number + position
        if isinstance(word, bytes):
            room = self._alive.get(place)
            if isinstance(room, ctypes.Array) and room._type_ is ctypes.c_char and len(word) < len(room):
                room.value = word
                return
            word = ctypes.create_string_buffer(word, len(word) + _SLACK)
        if word is None or isinstance(word, int):
            self._words[place] = word or 0
        elif isinstance(word, (ctypes.c_long, ctypes.c_size_t)):
            self._words[place] = word.value
        else:
            self._alive[place] = word
            self._words[place] = ctypes.addressof(word)

    def refer(self, number: int, position: int, earlier: int) -> None:
        """Let a word of entry `number` be what call `earlier` returns."""
        self._table[_ENTRY * number + 1 + position] = self._begin + 8 * (_ENTRY * earlier + _RESULT)

    def fire(self, clone: dict[str, int]) -> int:
        """Make the calls in a new process; returns its pid when it has execed or exited, or -errno if none was born."""
        how = structs.pack("clone_args", {**clone, "flags": clone["flags"] | CLONE_VM | CLONE_VFORK})
        self._ended.value = 0
        value = int(self._fire(how, len(how), self._begin))
        syscalls.enter(self._show)
        return value

    def failed(self) -> list[int] | None:
        """What the calls of the last volley returned, up to the one whose error ended it; None if none did."""
        if not self._ended.value:
            return None
        return self._table[_RESULT : (self._ended.value - self._begin) // 8 : _ENTRY]


def _machine_code() -> Any:
    """The code as a function. Raises OSError where memory may not be executed, KeyError on another processor."""
    lines = LISTING[platform.machine()].strip().splitlines()
    code = b"".join(bytes.fromhex(line.partition("|")[0]) for line in lines)
    # In a file and not written in place: who maps it executable sees to it that the processor reads it anew.
    fd = os.memfd_create("labkit-volley")
    try:
        os.write(fd, code)
        mmap = ctypes.PyDLL(None, use_errno=True).mmap
        mmap.restype = ctypes.c_void_p
        mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        address = mmap(None, len(code), _PROT_READ | _PROT_EXEC, _MAP_PRIVATE, fd, 0)
    finally:
        os.close(fd)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap with PROT_EXEC was refused")
    return ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p)(address)
