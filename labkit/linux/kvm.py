"""A guest of four instructions: whether /dev/kvm runs one on the processor.

That the device opens says little. In a virtual machine whose hypervisor passes no virtualisation on, /dev/kvm may be
there all the same and carry out a guest's instructions one by one in software: a lone HLT then ends as it should, but
no kernel boots. So this guest is in long mode, with paging, uses a vector register, and counts to 65,536: that takes
a processor a tenth of a millisecond, and such an emulator 150.

A guest may also never come back, and nothing but SIGKILL ends the wait then. Hence a process of its own, `main`, and
a parent that kills it: `labkit.doctor.virtual`.

See: the kernel's virt/kvm/api.rst, the Intel manual, volume 3, "Initializing IA-32e Mode".
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct

from labkit.linux.constants.kvm import (
    KVM_API_VERSION,
    KVM_CREATE_VCPU,
    KVM_CREATE_VM,
    KVM_EXIT_FAIL_ENTRY,
    KVM_EXIT_HLT,
    KVM_EXIT_INTERNAL_ERROR,
    KVM_EXIT_SHUTDOWN,
    KVM_GET_API_VERSION,
    KVM_GET_SREGS,
    KVM_GET_VCPU_MMAP_SIZE,
    KVM_RUN,
    KVM_SET_REGS,
    KVM_SET_SREGS,
    KVM_SET_TSS_ADDR,
    KVM_SET_USER_MEMORY_REGION,
)

DEVICE = "/dev/kvm"
PROCESSORS = ("x86_64",)  # those for which there is a guest here
READY = "ready"  # said when everything is imported and the device is open: from now on the guest's time counts
CODE = bytes.fromhex("660fefc0 b900000100 e2fe f4")  # pxor xmm0, xmm0; mov ecx, 65536; loop to itself; hlt
_EXITS = {
    KVM_EXIT_SHUTDOWN: "it shut down with a triple fault",
    KVM_EXIT_FAIL_ENTRY: "the processor refused to enter it",
    KVM_EXIT_INTERNAL_ERROR: "KVM emulates its instructions, and does not know all of them",
}

_MEMORY = 2 << 20
_TABLES, _ENTRY, _STACK = 0x1000, 0x8000, 0x10000  # guest physical addresses
_TSS = 0xFFFBD000  # three pages that the guest does not use, for processors that emulate real mode
_SEGMENTS, _CR0 = 6, 224  # CS DS ES FS GS SS at the start of struct kvm_sregs; where its control registers begin
_PG_WP_PE = 0x80050033  # CR0: PG, AM, WP, NE, ET, MP, PE
_PAE_SSE = 0x620  # CR4: PAE, OSFXSR, OSXMMEXCPT
_LME_LMA = 0x500  # EFER


class Kernel:
    """The calls that `run` makes, of which a test has its own."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def ioctl(self, fd: int, request: int, argument: int | bytes = 0) -> tuple[int, bytes]:
        """What is returned, and a structure as the kernel left it. Raises OSError."""
        memory = ctypes.create_string_buffer(argument if isinstance(argument, bytes) else b"")
        word = memory if isinstance(argument, bytes) else ctypes.c_ulong(argument)
        value = self._libc.ioctl(fd, ctypes.c_ulong(request), word)
        if value < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return value, memory.raw[:-1]

    def shared(self, vcpu: int, size: int) -> mmap.mmap:
        """The struct kvm_run of a virtual processor."""
        return mmap.mmap(vcpu, size)


def run(kernel: Kernel, device: int) -> str:
    """Run the guest: "" if it came to its HLT, else what happened instead. Raises OSError, its text the request."""

    def ask(fd: int, name: str, request: int, argument: int | bytes = 0) -> tuple[int, bytes]:
        try:
            return kernel.ioctl(fd, request, argument)
        except OSError as error:
            raise OSError(error.errno, f"{name}: {error.strerror}") from None

    version, _ = ask(device, "KVM_GET_API_VERSION", KVM_GET_API_VERSION)
    if version != KVM_API_VERSION:
        return f"its interface is of version {version}, not {KVM_API_VERSION}"
    machine, _ = ask(device, "KVM_CREATE_VM", KVM_CREATE_VM)
    ask(machine, "KVM_SET_TSS_ADDR", KVM_SET_TSS_ADDR, _TSS)
    memory = _memory()
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    slot = struct.pack("IIQQQ", 0, 0, 0, _MEMORY, address)
    ask(machine, "KVM_SET_USER_MEMORY_REGION", KVM_SET_USER_MEMORY_REGION, slot)
    size, _ = ask(device, "KVM_GET_VCPU_MMAP_SIZE", KVM_GET_VCPU_MMAP_SIZE)
    vcpu, _ = ask(machine, "KVM_CREATE_VCPU", KVM_CREATE_VCPU)
    _, registers = ask(vcpu, "KVM_GET_SREGS", KVM_GET_SREGS, bytes(312))
    ask(vcpu, "KVM_SET_SREGS", KVM_SET_SREGS, _long_mode(registers))
    general = [0] * 16 + [_ENTRY, 0x2]  # RIP, and the bit of RFLAGS that is always set
    general[6] = _STACK
    ask(vcpu, "KVM_SET_REGS", KVM_SET_REGS, struct.pack("18Q", *general))
    state = kernel.shared(vcpu, size)
    ask(vcpu, "KVM_RUN", KVM_RUN)
    (reason,) = struct.unpack_from("I", state, 8)
    return "" if reason == KVM_EXIT_HLT else _EXITS.get(reason, f"it ended with exit reason {reason}")


def _memory() -> mmap.mmap:
    """2 MiB: three levels of page tables that map it onto itself, and the code."""
    memory = mmap.mmap(-1, _MEMORY)
    for table in (_TABLES, _TABLES + 0x1000):
        struct.pack_into("Q", memory, table, table + 0x1000 | 0x3)  # the next one: present, writable
    struct.pack_into("Q", memory, _TABLES + 0x2000, 0x83)  # and a page of 2 MiB
    memory[_ENTRY : _ENTRY + len(CODE)] = CODE
    return memory


def _long_mode(registers: bytes) -> bytes:
    """struct kvm_sregs as a boot loader leaves them to a 64-bit kernel."""
    made = bytearray(registers)
    for number in range(_SEGMENTS):
        made[24 * number : 24 * number + 24] = _segment(code=number == 0)
    control = list(struct.unpack_from("6Q", made, _CR0))  # CR0, CR2, CR3, CR4, CR8, EFER
    control[0], control[2], control[3], control[5] = _PG_WP_PE, _TABLES, _PAE_SSE, _LME_LMA
    struct.pack_into("6Q", made, _CR0, *control)
    return bytes(made)


def _segment(*, code: bool) -> bytes:
    """struct kvm_segment, flat: code of 64 bits, or data."""
    selector, kind, long = (8, 11, 1) if code else (16, 3, 0)
    return struct.pack("QIHBBBBBBBBBB", 0, 0xFFFFFFFF, selector, kind, 1, 0, 1 - long, 1, long, 1, 0, 0, 0)


def main() -> None:
    """In a process of its own: say that it begins, then what came of it; nothing more for a guest that ran."""
    device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    kernel = Kernel()
    print(READY, flush=True)
    try:
        print(run(kernel, device))
    except OSError as error:
        print(error.strerror)
