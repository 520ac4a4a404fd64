"""The hundred bytes of machine code, held against the assembler; the table, against what was put into it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from labkit.linux import syscalls
from labkit.linux.volley import LISTING, Volley

ASSEMBLERS = {"x86_64": ("x86_64-linux-gnu-as", ".intel_syntax noprefix\n"), "aarch64": ("aarch64-linux-gnu-as", "")}


@pytest.mark.parametrize("machine", ASSEMBLERS)
def test_the_bytes_are_what_an_assembler_makes_of_the_lines_beside_them(machine: str, tmp_path: Path) -> None:
    assembler, head = ASSEMBLERS[machine]
    if shutil.which(assembler) is None:
        pytest.skip(f"{assembler} is not installed (apt: binutils-{machine.replace('_', '-')}-linux-gnu)")
    lines = [line.split("|") for line in LISTING[machine].strip().splitlines()]
    source, made, binary = (tmp_path / name for name in ("volley.s", "volley.o", "volley.bin"))
    source.write_text(head + "\n".join(line[1] for line in lines) + "\n")
    subprocess.run([assembler, "-o", made, source], check=True)
    copy = shutil.which(assembler.removesuffix("as") + "objcopy")
    assert copy
    subprocess.run([copy, "-O", "binary", "-j", ".text", made, binary], check=True)
    assert binary.read_bytes() == b"".join(bytes.fromhex(line[0]) for line in lines)


@pytest.mark.skipif(platform.machine() not in LISTING, reason="no machine code for this processor")
class TestOnThisProcessor:
    """Ordinary processes, without a namespace of their own: no root is needed."""

    def test_a_newborn_makes_the_calls_in_order_and_the_table_holds_what_they_returned(self, tmp_path: Path) -> None:
        volley = Volley(4)
        put(volley, 0, "mkdirat", (-100, f"{tmp_path}/a", 0o755))
        put(volley, 1, "mkdirat", (-100, f"{tmp_path}/a/b", 0o755))
        put(volley, 2, "getpid", ())
        put(volley, 3, "exit_group", (7,))
        pid = volley.fire({"flags": 0, "exit_signal": 17})
        assert pid > 0 and status(pid) == 7
        assert (tmp_path / "a" / "b").is_dir()
        assert volley.failed() is None

    def test_a_call_may_take_what_an_earlier_one_returned(self, tmp_path: Path) -> None:
        volley = Volley(3)
        put(volley, 0, "openat", (-100, str(tmp_path), 0, 0))
        put(volley, 1, "mkdirat", (0, "below", 0o755))
        volley.refer(1, 0, 0)
        put(volley, 2, "exit_group", (0,))
        assert status(volley.fire({"flags": 0, "exit_signal": 17})) == 0
        assert (tmp_path / "below").is_dir()

    def test_the_first_error_that_matters_ends_it_and_one_that_does_not_is_passed_over(self, tmp_path: Path) -> None:
        volley = Volley(4)
        put(volley, 0, "mkdirat", (-100, str(tmp_path), 0o755), tolerated=(17,))
        put(volley, 1, "chdir", (f"{tmp_path}/nowhere",), tolerated=(17,))
        put(volley, 2, "mkdirat", (-100, f"{tmp_path}/never", 0o755))
        put(volley, 3, "exit_group", (0,))
        assert status(volley.fire({"flags": 0, "exit_signal": 17})) == 125
        assert volley.failed() == [-17, -2]
        assert not (tmp_path / "never").exists()

    def test_who_cannot_be_born_is_told_by_errno(self) -> None:
        volley = Volley(1)
        put(volley, 0, "exit_group", (0,))
        assert volley.fire({"flags": 0x200 | 0x20000, "exit_signal": 17}) == -22  # CLONE_FS and CLONE_NEWNS

    def test_an_errno_that_the_mask_cannot_hold_is_refused(self) -> None:
        with pytest.raises(ValueError, match="errno 95"):
            put(Volley(1), 0, "getpid", (), tolerated=(95,))

    def test_the_same_volley_fires_again_with_another_word(self, tmp_path: Path) -> None:
        volley = Volley(2)
        put(volley, 0, "mkdirat", (-100, f"{tmp_path}/one", 0o755))
        put(volley, 1, "exit_group", (0,))
        status(volley.fire({"flags": 0, "exit_signal": 17}))
        volley.set(0, 1, f"{tmp_path}/two".encode())
        status(volley.fire({"flags": 0, "exit_signal": 17}))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def put(volley: Volley, number: int, call: str, args: tuple[object, ...], tolerated: tuple[int, ...] = ()) -> None:
    """Let entry `number` be `call`."""
    volley.put(number, call, syscalls.prepare(call, args)[1:], tolerated)


def status(pid: int) -> int:
    """The exit status of our child."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
