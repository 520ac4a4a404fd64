"""Rules about devices, and the program that they become: run here by an interpreter of the instructions it uses."""

from __future__ import annotations

import ctypes
import doctest
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.cgroups import Limits, device_program, device_rules
from labkit.cgroups.device_program import Program
from labkit.cgroups.device_rules import parse
from labkit.cgroups.devices import AllowDevices, AttachDeviceProgram, DetachDeviceProgram
from labkit.cgroups.hold import Held, Trees, change, hold
from labkit.errors import SpecError
from labkit.linux import syscalls
from labkit.linux.bpf_calls import bpf_prog_load

BLOCK, CHAR = 1, 2
MKNOD, READ, WRITE = 1, 2, 4
ACCESS = {"r": READ, "w": WRITE, "m": MKNOD}


@pytest.mark.parametrize("module", [device_program, device_rules])
def test_the_examples_in_the_source_are_true(module: object) -> None:
    assert doctest.testmod(module, raise_on_error=True).attempted  # type: ignore[arg-type]


# the rules


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("c 1:3 rwm", "devices is str, not a list of rules"),
        (3, "devices is int"),
        ({"c 1:3": "r"}, "devices is dict"),
        ([3], "3 is no rule"),
        ([""], "'' is no rule"),
        (["/dev/null"], "'/dev/null' is no rule"),
        (["c 1:3"], "'c 1:3' is no rule"),
        (["c 1 3 rw"], "is no rule"),
        (["x 1:3 rw"], "is no rule"),
        (["c -1:3 rw"], "is no rule"),
        (["c 1:3 rw\nc 1:5 rw"], "is no rule"),
        (["c 1:3 rx"], "x is none of them"),
        (["c 1:3 rr"], "one of them stands there twice"),
        (["c 4096:0 r"], "no device has the major number 4096"),
        (["c 1:1048576 r"], "no device has the minor number 1048576"),
        (["a 1:3 rwm"], "a stands for all devices"),
        (["a *:* r"], "a stands for all devices"),
    ],
    ids=str,
)
def test_what_is_no_rule_is_refused_in_one_line_with_a_remedy(wrong: Any, says: str) -> None:
    with pytest.raises(SpecError) as refused:
        Limits(devices=wrong)
    assert says in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.look


def test_a_name_is_answered_with_where_its_numbers_are() -> None:
    with pytest.raises(SpecError, match="ls -l /dev/null"):
        parse(["/dev/null"])


def test_rules_read_as_they_were_written() -> None:
    given = ["c 1:3 rwm", "b *:* m", "c 136:* rw", "a *:* rwm"]
    assert [str(rule) for rule in parse(given)] == given
    assert Limits(devices=given).device_rules() == tuple(given)
    assert (Limits().device_rules(), Limits(devices=[]).device_rules()) == (None, ())


# the program


def run(program: bytes, asked: int, major: int, minor: int) -> int:
    """What a program returns that is asked this; whatever the verifier would refuse is an error."""
    context = struct.pack("<3I", asked, major, minor)
    registers: dict[int, int] = {1: 0}  # the context's address: nothing else may be read
    lines = list(struct.iter_unpack("<BBhi", program))
    at = 0
    while True:
        code, pair, off, imm = lines[at]
        dst, src = pair & 15, pair >> 4
        at += 1
        if code == 0x61:  # BPF_LDX | BPF_W | BPF_MEM
            assert src == 1 and dst != 1 and off in (0, 4, 8)
            (registers[dst],) = struct.unpack_from("<I", context, off)
        elif code == 0xBF:  # BPF_ALU64 | BPF_MOV | BPF_X
            registers[dst] = registers[src]
        elif code == 0xB7:  # BPF_ALU64 | BPF_MOV | BPF_K
            registers[dst] = imm
        elif code == 0x57:  # BPF_ALU64 | BPF_AND | BPF_K
            registers[dst] &= imm
        elif code == 0x77:  # BPF_ALU64 | BPF_RSH | BPF_K
            registers[dst] >>= imm
        elif code in (0x55, 0x45):  # BPF_JMP | BPF_JNE, BPF_JSET | BPF_K
            assert off >= 0, "a loop"
            if registers[dst] != imm if code == 0x55 else registers[dst] & imm:
                at += off
        else:
            assert code == 0x95, f"an instruction that this interpreter does not have: {code:#x}"
            return registers[0]


def reachable(program: bytes) -> set[int]:
    """The lines to which some way leads; the verifier wants all of them to be."""
    lines = list(struct.iter_unpack("<BBhi", program))
    found, next_ones = set(), {0}
    while next_ones:
        number = next_ones.pop()
        code, _, off, _ = lines[number]
        found.add(number)
        if code != 0x95:
            next_ones |= {number + 1, *([number + 1 + off] if code in (0x55, 0x45) else [])} - found
    return found


NUMBERS = st.sampled_from(["*", "0", "1", "3", "136", "4095"])
LETTERS = st.sets(st.sampled_from("rwm"), min_size=1).map("".join)
RULES = st.lists(
    st.one_of(
        st.builds("{} {}:{} {}".format, st.sampled_from("bc"), NUMBERS, NUMBERS, LETTERS),
        st.just("a *:* rwm"),
    ),
    max_size=6,
)
REQUESTS = st.tuples(
    st.sampled_from([BLOCK, CHAR]), st.integers(1, 7), st.sampled_from([0, 1, 2, 3, 136, 4095]),
    st.sampled_from([0, 1, 2, 3, 136, 4095, 1048575]),
)  # fmt: skip


def allowed(rules: list[str], kind: int, access: int, major: int, minor: int) -> bool:
    """As version 1 decides (security/device_cgroup.c): one entry of its list must allow all that is asked.

    What is added for the same type and numbers goes into the same entry.
    """
    entries: dict[tuple[str, str], int] = {}
    for rule in rules:
        letter, numbers, letters = rule.split(" ")
        entries[letter, numbers] = entries.get((letter, numbers), 0) | sum(ACCESS[each] for each in letters)
    types = {"a": (BLOCK, CHAR), "b": (BLOCK,), "c": (CHAR,)}
    for (letter, numbers), may in entries.items():
        first, second = numbers.split(":")
        if kind in types[letter] and first in ("*", str(major)) and second in ("*", str(minor)) and not access & ~may:
            return True
    return False


@given(rules=RULES, requests=st.lists(REQUESTS, min_size=1, max_size=20))
def test_the_program_decides_as_version_1_does(rules: list[str], requests: list[tuple[int, int, int, int]]) -> None:
    program = bytes(Program.of(rules))
    for kind, access, major, minor in requests:
        assert run(program, access << 16 | kind, major, minor) == allowed(rules, kind, access, major, minor)


@given(rules=RULES)
def test_every_line_of_it_can_be_reached_and_is_told(rules: list[str]) -> None:
    program = Program.of(rules)
    raw = bytes(program)
    assert reachable(raw) == set(range(len(raw) // 8))
    told = list(program.lines())
    assert bytes.fromhex("".join(line[4:27] for line in told)) == raw
    assert all(line[29:].strip() for line in told)


@given(one=RULES, other=RULES)
def test_programs_that_differ_have_names_that_differ(one: list[str], other: list[str]) -> None:
    first, second = Program.of(one), Program.of(other)
    assert (first.name == second.name) == (bytes(first) == bytes(second))
    assert len(first.name) < 16 and first.name.replace("_", "").isalnum()


def test_an_empty_list_refuses_everything() -> None:
    assert bytes(Program.of([]))[-16:].hex(" ", 8) == "b700000000000000 9500000000000000"
    assert not any(run(bytes(Program.of([])), access << 16 | CHAR, 1, 3) for access in range(1, 8))


def test_it_reaches_the_kernel_with_its_instructions_right_behind_the_attr() -> None:
    raw = bytes(Program.of(["c 1:3 rw"]))
    _, attr = bpf_prog_load(15, raw, attach_type=6, name="devs_00000000").args
    _, _, memory, size = syscalls.prepare("bpf", (5, attr))
    kind, count, insns, words = struct.unpack_from("=IIQQ", memory)
    assert (kind, count * 8, size.value) == (15, len(raw), 72)
    assert ctypes.string_at(insns, len(raw)) == raw and ctypes.string_at(words) == b"MIT"
    assert memory.raw[48:64] == b"devs_00000000\0\0\0" and memory.raw[64:72] == struct.pack("=II", 0, 6)
    assert insns == ctypes.addressof(memory) + 72


# how a lab holds a container to it

V1 = Trees(v2=("pids",), v1=("cpu", "devices"))
V2 = Trees(v2=("cpu", "memory", "pids"))
LIMITS = Limits(devices=["c 1:3 rw"])


def kinds(held: Held) -> list[str]:
    return [type(step).__name__ for step in held.making("c1")]


def test_version_1_has_a_tree_for_it_and_version_2_a_program() -> None:
    one, two = hold(LIMITS, V1), hold(LIMITS, V2)
    assert "devices" in one.trees and "devices" not in hold(Limits(), V1).trees
    assert kinds(one)[-1] == "AllowDevices" and kinds(two)[-1] == "AttachDeviceProgram"
    assert [*one.setting("c1")][-1] == AllowDevices(path="/run/cgroup1/devices/c1", rules=("c 1:3 rw",))
    assert [*two.setting("c1")][-1] == AttachDeviceProgram(path="/sys/fs/cgroup/c1", rules=("c 1:3 rw",))
    assert "/run/cgroup1/devices/c1" in one.paths("c1")


def test_who_may_not_give_the_kernel_a_program_is_told_so() -> None:
    with pytest.raises(SpecError, match="a rootless lab") as refused:
        hold(LIMITS, Trees.of({"pids": 2}, (), programs=False))
    assert "BPF" in (refused.value.likely or "") and refused.value.look
    assert hold(Limits(pids=1), Trees.of({"pids": 2}, (), programs=False)).devices is None


@pytest.mark.parametrize(
    ("trees", "path", "freed"),
    [
        (V1, "/run/cgroup1/devices/c", AllowDevices(path="/run/cgroup1/devices/c", rules=("a *:* rwm",))),
        (V2, "/sys/fs/cgroup/c", DetachDeviceProgram(path="/sys/fs/cgroup/c")),
    ],
    ids=["v1", "v2"],
)
def test_changes_are_written_and_nothing_else(trees: Trees, path: str, freed: object) -> None:
    other = Limits(devices=["c 1:5 r"])
    [step] = change(LIMITS, other, trees).setting("c")
    assert (step.path, step.rules) == (path, ("c 1:5 r",))  # type: ignore[attr-defined]
    assert [*change(LIMITS, Limits(), trees).setting("c")] == [freed]
    assert [*change(LIMITS, Limits(devices=("c 1:3 rw",)), trees).setting("c")] == []


def test_version_1_cannot_hold_somebody_later_who_is_not_in_its_tree() -> None:
    with pytest.raises(SpecError, match="without rules about devices") as refused:
        change(Limits(), LIMITS, V1)
    assert "a *:* rwm" in (refused.value.look or "")
    assert [type(step) for step in change(Limits(), LIMITS, V2).setting("c")] == [AttachDeviceProgram]
