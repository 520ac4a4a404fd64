"""The guest that says whether /dev/kvm is of use, on a made-up kernel; and the parent that does not wait for ever."""

from __future__ import annotations

import ctypes
import errno
import struct
import sys
import time
from typing import Any

import pytest

from labkit.linux.constants import kvm as requests

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="KVM is a part of Linux")

from labkit.doctor import virtual  # noqa: E402
from labkit.linux import kvm  # noqa: E402

NAMES = {
    value: name
    for name, value in vars(requests).items()
    if name.startswith("KVM_") and not name.startswith(("KVM_EXIT", "KVM_API"))
}


class Made:
    """A kernel whose guest ends for `reason`; it notes what it was asked, and refuses one request."""

    def __init__(self, reason: int = requests.KVM_EXIT_HLT, refuses: str = "") -> None:
        self.reason, self.refuses = reason, refuses
        self.asked: dict[str, Any] = {}

    def ioctl(self, fd: int, request: int, argument: int | bytes = 0) -> tuple[int, bytes]:
        name = NAMES[request]
        if name == self.refuses:
            raise OSError(errno.EINVAL, "Invalid argument")
        self.asked[name] = argument
        answers = {"KVM_GET_API_VERSION": 12, "KVM_GET_VCPU_MMAP_SIZE": 64}
        if name == "KVM_RUN":  # what a processor would read, as long as it is there
            _, _, _, size, address = struct.unpack("IIQQQ", self.asked["KVM_SET_USER_MEMORY_REGION"])
            self.memory = ctypes.string_at(address, size)
        return answers.get(name, fd + 1), argument if isinstance(argument, bytes) else b""

    def shared(self, vcpu: int, size: int) -> bytearray:
        state = bytearray(size)
        struct.pack_into("I", state, 8, self.reason)
        return state


def test_a_guest_that_came_to_its_end_says_nothing() -> None:
    made = Made()
    assert kvm.run(made, 3) == ""  # type: ignore[arg-type]
    assert list(made.asked)[-1] == "KVM_RUN" and set(made.asked) == set(NAMES.values())


def test_the_guest_is_in_long_mode_on_its_own_pages_at_its_code() -> None:
    made = Made()
    kvm.run(made, 3)  # type: ignore[arg-type]
    start = struct.unpack("18Q", made.asked["KVM_SET_REGS"])[16]
    cr0, _, cr3, cr4, _, efer = struct.unpack_from("6Q", made.asked["KVM_SET_SREGS"], 224)
    assert cr0 >> 31 & cr0 & 1 and cr4 & 0x220 == 0x220 and efer == 0x500, "paging, PAE and SSE, long mode"
    table = cr3
    for shift in (39, 30):
        (entry,) = struct.unpack_from("Q", made.memory, table + 8 * (start >> shift & 511))
        assert entry & 0x83 == 0x3, "present, writable, a table"
        table = entry & ~0xFFF
    (page,) = struct.unpack_from("Q", made.memory, table + 8 * (start >> 21 & 511))
    assert page & 0x83 == 0x83, "present, writable, a page of 2 MiB"
    place = (page & ~0x1FFFFF) + (start & 0x1FFFFF)
    assert made.memory[place:].startswith(kvm.CODE) and kvm.CODE.endswith(b"\xf4"), "and it ends with HLT"


@pytest.mark.parametrize(
    ("reason", "told"), [(17, "emulates"), (8, "triple fault"), (9, "refused to enter"), (6, "exit reason 6")]
)
def test_any_other_end_is_named(reason: int, told: str) -> None:
    assert told in kvm.run(Made(reason), 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(NAMES.values()))
def test_a_request_that_is_refused_is_named(name: str) -> None:
    with pytest.raises(OSError, match=f"{name}: Invalid argument"):
        kvm.run(Made(refuses=name), 3)  # type: ignore[arg-type]


def test_an_interface_of_another_version_is_named() -> None:
    class Old(Made):
        def ioctl(self, fd: int, request: int, argument: int | bytes = 0) -> tuple[int, bytes]:
            return 11, b""

    assert kvm.run(Old(), 3) == "its interface is of version 11, not 12"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("print('ready', flush=True); print('')", ""),
        ("print('ready', flush=True); print('a reason')", "a reason"),
        ("print('ready', flush=True); import time; time.sleep(60)", "it did not come back within 50 ms"),
        ("print('ready', flush=True); import os; os.abort()", "it did not come back"),
        ("raise OSError('no such device')", "its trial has not begun: OSError: no such device"),
    ],
)
def test_the_trial_has_a_hard_bound(program: str, told: str) -> None:
    began = time.monotonic()
    assert virtual.trial(program).startswith(told)
    assert time.monotonic() - began < 10, "and not for the 60 s of a guest that hangs"


@pytest.mark.parametrize(
    ("machine", "outcome", "mark", "says"),
    [
        ("x86_64", "", "ok", "a guest ran on /dev/kvm"),
        ("x86_64", "a reason", "note", "/dev/kvm opens, but no guest runs: a reason; ./lab vm would be slow"),
        ("aarch64", "", "ok", "/dev/kvm opens; that a guest runs is not tried on aarch64"),
    ],
)
def test_only_a_guest_that_ran_makes_the_device_usable(
    monkeypatch: pytest.MonkeyPatch, machine: str, outcome: str, mark: str, says: str
) -> None:
    monkeypatch.setattr(virtual, "trial", lambda: outcome)
    monkeypatch.setattr("platform.machine", lambda: machine)
    [finding] = virtual.opened()
    assert finding.mark == mark and finding.says.startswith(says)
