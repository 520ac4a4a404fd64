"""A machine by qemu: how it is started here, and whether its processor is real or emulated.

Acceleration is tried before it is trusted: a /dev/kvm may be there and yet start no ordinary kernel, on a machine
that is itself virtual in a way of its own. So the very kernel is booted once, with nothing to do but say so.

See: qemu(1) "-accel", "-drive"; the kernel's admin-guide/kernel-parameters.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ARCHITECTURE = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
PROGRAM = f"qemu-system-{ARCHITECTURE}"
CONSOLE = "ttyAMA0" if ARCHITECTURE == "aarch64" else "ttyS0"

EMULATION = "tcg,thread=multi,tb-size=512"
_PATIENCE = 10  # seconds in which an accelerated kernel has long spoken


def accelerator(kernel: Path) -> str:
    """The fastest ``-accel`` with which `kernel` boots here; LABKIT_EMULATE=1 saves the trial."""
    if os.environ.get("LABKIT_EMULATE") == "1":
        return EMULATION
    for name, there in (("kvm", os.access("/dev/kvm", os.R_OK | os.W_OK)), ("hvf", sys.platform == "darwin")):
        if there and _boots(kernel, name):
            return name
    return EMULATION


def processor(accel: str) -> str:
    """The ``-cpu`` that goes with it: the machine's own, or all that the emulator knows."""
    if accel != EMULATION:
        return "host"
    # A fifth level of page tables is a fifth step for each address that the emulator has to look up.
    return "max,la57=off" if ARCHITECTURE == "x86_64" else "max"


def _clock(accel: str) -> str:
    """That Linux may trust the emulated time stamp counter: else it asks a device for the time, at a great price."""
    return "tsc=reliable" if accel == EMULATION and ARCHITECTURE == "x86_64" else ""


def machine(accel: str, kernel: Path, words: str, *, cores: int = 2, memory: int = 2048) -> list[str]:
    """The command line of a machine without devices that boots `kernel`; its console is standard output."""
    return [
        PROGRAM, "-accel", accel, "-cpu", processor(accel), "-smp", str(cores), "-m", str(memory),
        *(["-M", "virt"] if ARCHITECTURE == "aarch64" else []),
        "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
        "-kernel", str(kernel), "-append", f"console={CONSOLE} panic=-1 mitigations=off {_clock(accel)} {words}",
    ]  # fmt: skip


def drive(
    path: Path, *, shared: bool = False, snapshot: bool = False, form: str = "raw", forget_freed: bool = False
) -> list[str]:
    """A virtio disk. `snapshot`: what is written to it is forgotten with the machine; `shared`: read by several."""
    options = f"if=virtio,file={path},format={form}"
    options += ",discard=unmap" if forget_freed else ""
    options += ",snapshot=on" if snapshot else ""
    options += ",readonly=on" if shared else ""
    return ["-drive", options]


def is_here() -> bool:
    return shutil.which(PROGRAM) is not None


def _boots(kernel: Path, accel: str) -> bool:
    """Whether a kernel speaks at all: without a disk it ends in a panic, in which it says that it found none."""
    command = machine(accel, kernel, "quiet", cores=1, memory=256)
    with tempfile.TemporaryFile() as said:
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=_PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            return False
        said.seek(0)
        return b"Kernel panic" in said.read()
