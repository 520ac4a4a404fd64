"""Whether virtual machines on this machine run on its processor, or have to be emulated.

See: kvm(4), the kernel's virt/kvm/api.rst.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient

_DEVICE = "/dev/kvm"


def nested(patient: Patient) -> Iterator[Finding]:
    """/dev/kvm opened; if it does not, at which stage it fails. No lesson so far starts a virtual machine."""
    flags = re.search(r"\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    inside = "hypervisor" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    try:
        os.close(os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except PermissionError:
        yield _slow(f"{_DEVICE} is not yours to open", "it is for the group kvm", "sudo usermod -aG kvm $USER")
    except OSError:
        if flags:
            yield _slow(f"there is no {_DEVICE}, though the processor could", "the module is not loaded",
                        f"sudo modprobe kvm_{'intel' if flags[0] == 'vmx' else 'amd'}")  # fmt: skip
        elif inside:
            yield _slow("this is a virtual machine, and no other can run on the processor in it",
                        "its hypervisor does not pass the processor's virtualisation on",
                        "VBoxManage modifyvm NAME --nested-hw-virt on; virsh edit NAME: host-passthrough")  # fmt: skip
        else:
            yield _slow(f"there is no {_DEVICE}", "virtualisation is switched off in the firmware, or not built in",
                        "switch on VT-x, AMD-V or SVM in the firmware's settings")  # fmt: skip
    else:
        yield Finding(about="virtual", says=f"{_DEVICE} opens: virtual machines run on the processor")


def _slow(says: str, likely: str, remedy: str) -> Finding:
    return Finding(about="virtual", says=f"{says}; ./lab vm would be slow", likely=likely, remedy=remedy, minor=True)
