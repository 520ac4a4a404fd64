"""Whether virtual machines on this machine run on its processor, or have to be emulated: a guest is run.

See: kvm(4), the kernel's virt/kvm/api.rst.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient
from labkit.linux import kvm

_PARENT = Path(__file__).resolve().parents[2]  # of the package
_TRIAL = "import sys; sys.path.insert(0, sys.argv[1]); from labkit.linux import kvm; kvm.main()"
_START = 5.0  # seconds for Python to start
_GUEST = 0.05


def nested(patient: Patient) -> Iterator[Finding]:
    """A guest run on /dev/kvm; or at which stage that fails. No lesson so far starts a virtual machine."""
    flags = re.search(r"\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    inside = "hypervisor" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    try:
        os.close(os.open(kvm.DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except PermissionError:
        yield _slow(f"{kvm.DEVICE} is not yours to open", "it is for the group kvm", "sudo usermod -aG kvm $USER")
    except OSError:
        if flags:
            yield _slow(f"there is no {kvm.DEVICE}, though the processor could", "the module is not loaded",
                        f"sudo modprobe kvm_{'intel' if flags[0] == 'vmx' else 'amd'}")  # fmt: skip
        elif inside:
            yield _slow("this is a virtual machine, and no other can run on the processor in it",
                        "its hypervisor does not pass the processor's virtualisation on",
                        "VBoxManage modifyvm NAME --nested-hw-virt on; virsh edit NAME: host-passthrough")  # fmt: skip
        else:
            yield _slow(f"there is no {kvm.DEVICE}", "virtualisation is switched off in the firmware, or not built in",
                        "switch on VT-x, AMD-V or SVM in the firmware's settings")  # fmt: skip
    else:
        yield from opened()


def opened() -> Iterator[Finding]:
    """What /dev/kvm, which opens, is good for."""
    processor = platform.machine()
    if processor not in kvm.PROCESSORS:
        yield Finding(about="virtual", says=f"{kvm.DEVICE} opens; that a guest runs is not tried on {processor}")
    elif wrong := trial():
        yield _slow(f"{kvm.DEVICE} opens, but no guest runs: {wrong}",
                    "this is a virtual machine whose hypervisor does not pass the processor's virtualisation on",
                    "switch on nested virtualisation in the hypervisor; or LABKIT_EMULATE=1 ./lab vm")  # fmt: skip
    else:
        yield Finding(about="virtual", says=f"a guest ran on {kvm.DEVICE}: virtual machines run on the processor")


def trial(program: str = _TRIAL) -> str:
    """Run the guest of `labkit.linux.kvm` in a process of its own: "" if it ran in time, else what happened.

    `program` is what that process runs, in Python. It has `_START` seconds to begin and the guest `_GUEST`; then it
    is killed.
    """
    command = [sys.executable, "-I", "-S", "-c", program, str(_PARENT)]
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        return f"its trial has not begun: {sys.executable}: {error.strerror}"
    assert child.stdout is not None and child.stderr is not None
    with child.stdout, child.stderr:
        try:
            if (first := _line(child.stdout.fileno(), _START)) != kvm.READY:
                child.kill()
                words = child.stderr.read().decode(errors="replace").strip().splitlines()
                return f"its trial has not begun: {first or (words or ['nothing said'])[-1]}"
            told = _line(child.stdout.fileno(), _GUEST)
            return f"it did not come back within {_GUEST * 1000:.0f} ms" if told is None else told
        finally:
            child.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # the kernel may hold on to what hangs in a call
                child.wait(1)


def _line(fd: int, seconds: float) -> str | None:
    """The next line of a pipe, without its newline; None if none comes within that time, or at the end of the pipe."""
    deadline, text = time.monotonic() + seconds, b""
    ready = select.poll()
    ready.register(fd, select.POLLIN)
    while not text.endswith(b"\n"):
        if not ready.poll(1000 * max(0.0, deadline - time.monotonic())):
            return None
        more = os.read(fd, 1)  # no more than the line: the next one has a time of its own
        if not more:
            return None
        text += more
    return text.decode(errors="replace").rstrip("\n")


def _slow(says: str, likely: str, remedy: str) -> Finding:
    return Finding(about="virtual", says=f"{says}; ./lab vm would be slow", likely=likely, remedy=remedy, minor=True)
