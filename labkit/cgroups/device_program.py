"""Rules about devices as a program, which is what version 2 has in place of a list: assembled here, one line a time.

The kernel runs it whenever a process of the cgroup wants to open a device or to make one, and refuses if it returns
0. It finds three words where r1 points to: what is asked for (the upper half of the first) of which type (the lower
half), and the device's two numbers. Each rule compares, jumps to the next where something differs, and allows
otherwise. There are no loops and it touches no memory but these words: the kernel's verifier wants to see that it ends
and does no harm before it lets it in.

    >>> print(Program.of(["c 1:3 rw"]))
     0  61 12 00 00 00 00 00 00  r2 = *(u32 *)(r1 + 0)      what is asked, and of which type
     1  bf 23 00 00 00 00 00 00  r3 = r2
     2  57 02 00 00 ff ff 00 00  r2 &= 65535                the type: 1 block, 2 character
     3  77 03 00 00 10 00 00 00  r3 >>= 16                  what is asked: 1 mknod, 2 read, 4 write
     4  61 14 04 00 00 00 00 00  r4 = *(u32 *)(r1 + 4)      the major number
     5  61 15 08 00 00 00 00 00  r5 = *(u32 *)(r1 + 8)      the minor number
     6  55 02 05 00 02 00 00 00  if r2 != 2 goto 12         c 1:3 rw
     7  45 03 04 00 01 00 00 00  if r3 & 1 goto 12
     8  55 04 03 00 01 00 00 00  if r4 != 1 goto 12
     9  55 05 02 00 03 00 00 00  if r5 != 3 goto 12
    10  b7 00 00 00 01 00 00 00  r0 = 1
    11  95 00 00 00 00 00 00 00  exit                       allowed
    12  b7 00 00 00 00 00 00 00  r0 = 0
    13  95 00 00 00 00 00 00 00  exit                       refused

See: bpf(2), the kernel's bpf/standardization/instruction-set.rst, <linux/bpf.h> "struct bpf_cgroup_dev_ctx".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from labkit.cgroups.device_rules import Rule, parse
from labkit.linux.constants.bpf import (
    BPF_ALU64,
    BPF_AND,
    BPF_DEVCG_ACC_MKNOD,
    BPF_DEVCG_ACC_READ,
    BPF_DEVCG_ACC_WRITE,
    BPF_DEVCG_DEV_BLOCK,
    BPF_DEVCG_DEV_CHAR,
    BPF_EXIT,
    BPF_JMP,
    BPF_JNE,
    BPF_JSET,
    BPF_K,
    BPF_LDX,
    BPF_MEM,
    BPF_MOV,
    BPF_RSH,
    BPF_W,
    BPF_X,
)

_TYPES = {"b": BPF_DEVCG_DEV_BLOCK, "c": BPF_DEVCG_DEV_CHAR}
_ACCESS = {"r": BPF_DEVCG_ACC_READ, "w": BPF_DEVCG_ACC_WRITE, "m": BPF_DEVCG_ACC_MKNOD}

_LOAD = BPF_LDX | BPF_MEM | BPF_W
_COPY = BPF_ALU64 | BPF_MOV | BPF_X
_SET = BPF_ALU64 | BPF_MOV | BPF_K
_MASK = BPF_ALU64 | BPF_AND | BPF_K
_SHIFT = BPF_ALU64 | BPF_RSH | BPF_K
_IF_NOT = BPF_JMP | BPF_JNE | BPF_K
_IF_ANY = BPF_JMP | BPF_JSET | BPF_K
_RETURN = BPF_JMP | BPF_EXIT

_WORDS = {
    _LOAD: "r{dst} = *(u32 *)(r{src} + {off})", _COPY: "r{dst} = r{src}", _SET: "r{dst} = {imm}",
    _MASK: "r{dst} &= {imm}", _SHIFT: "r{dst} >>= {imm}", _IF_NOT: "if r{dst} != {imm} goto {to}",
    _IF_ANY: "if r{dst} & {imm} goto {to}", _RETURN: "exit",
}  # fmt: skip
# registers: what is returned, what is given, and what is made of it
_VERDICT, _ASKED, _TYPE, _WANTED, _MAJOR, _MINOR = range(6)


@dataclass(frozen=True)
class Instruction:
    """Eight bytes: what to do, to which register, from which, how far to jump (or where to read), and a number."""

    code: int
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0
    note: str = ""

    def __bytes__(self) -> bytes:
        return struct.pack("<BBhi", self.code, self.src << 4 | self.dst, self.off, self.imm)

    def at(self, number: int) -> str:
        """As it reads in line `number` of a program: a jump counts from the line after it."""
        return _WORDS[self.code].format(**vars(self), to=number + 1 + self.off)


@dataclass(frozen=True)
class Program:
    """The instructions. ``bytes()`` are what the kernel is given, ``print`` shows what they mean."""

    instructions: tuple[Instruction, ...]

    @classmethod
    def of(cls, rules: Sequence[str]) -> Program:
        """The program that allows what one of the rules does. Raises SpecError."""
        return cls(tuple(_program(parse(rules))))

    @property
    def name(self) -> str:
        """By which the kernel shows it; two programs that do not do the same have different names."""
        return f"devs_{zlib.crc32(bytes(self)):08x}"

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, self.instructions))

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """Each instruction: its number, its bytes, and what it says."""
        for number, each in enumerate(self.instructions):
            yield f"{number:2}  {bytes(each).hex(' ')}  {each.at(number):<25}  {each.note}".rstrip()


def _program(rules: Sequence[Rule]) -> Iterator[Instruction]:
    yield Instruction(_LOAD, _TYPE, _ASKED, off=0, note="what is asked, and of which type")
    yield Instruction(_COPY, _WANTED, _TYPE)
    yield Instruction(_MASK, _TYPE, imm=0xFFFF, note="the type: 1 block, 2 character")
    yield Instruction(_SHIFT, _WANTED, imm=16, note="what is asked: 1 mknod, 2 read, 4 write")
    yield Instruction(_LOAD, _MAJOR, _ASKED, off=4, note="the major number")
    yield Instruction(_LOAD, _MINOR, _ASKED, off=8, note="the minor number")
    for rule in rules:
        tests = list(_tests(rule))
        for number, test in enumerate(tests):
            behind = len(tests) - number + 1  # the tests that are left, and two lines to allow it
            yield replace(test, off=behind, note="" if number else str(rule))
        yield Instruction(_SET, _VERDICT, imm=1, note="" if tests else str(rule))
        yield Instruction(_RETURN, note="allowed")
        if not tests:  # it allows everything; a line that nobody can come to is refused by the verifier
            return
    yield Instruction(_SET, _VERDICT, imm=0)
    yield Instruction(_RETURN, note="refused")


def _tests(rule: Rule) -> Iterator[Instruction]:
    """What must not be so for the rule to allow it. Nothing for one that allows everything."""
    if rule.type in _TYPES:
        yield Instruction(_IF_NOT, _TYPE, imm=_TYPES[rule.type])
    if beyond := sum(bit for letter, bit in _ACCESS.items() if letter not in rule.access):
        yield Instruction(_IF_ANY, _WANTED, imm=beyond)
    if rule.major is not None:
        yield Instruction(_IF_NOT, _MAJOR, imm=rule.major)
    if rule.minor is not None:
        yield Instruction(_IF_NOT, _MINOR, imm=rule.minor)
