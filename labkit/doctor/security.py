"""Who else has a say in what a process may do: AppArmor, SELinux, a seccomp filter.

They are told of only where they are in the way: a lab that opens has got past them.

See: apparmor(7), selinux(8), seccomp(2), proc(5) "/proc/pid/attr/current".
"""

from __future__ import annotations

from collections.abc import Iterator

from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient
from labkit.learn.needs import Need


def modules(patient: Patient) -> Iterator[Finding]:
    """Each that confines this very process."""
    there = list(_confining())
    if not there:
        yield Finding(about="security", says="no module or filter confines this process")
    for says, likely, remedy in there:
        if patient.lab:
            yield Finding(about="security", says=f"{says}; a lab opens all the same")
        else:
            yield Finding(about="security", says=says, likely=likely, remedy=remedy, needs=(Need.LAB,),
                          minor=patient.replayed)  # fmt: skip


def _confining() -> Iterator[tuple[str, str, str]]:
    """What it is, the likely cause, the remedy."""
    label = _read("/proc/self/attr/current").strip("\0")
    enforcing = _read("/sys/fs/selinux/enforce")
    if enforcing:
        domain = label.split(":")[2] if label.count(":") >= 2 else label
        if enforcing == "1" and not domain.startswith(("unconfined", "kernel_t", "initrc_t")):
            yield (
                f"SELinux enforces the domain {domain} on this process",
                "this is a container, or a service with a policy of its own",
                "podman run --security-opt label=disable …; sudo ausearch -m avc -ts recent shows what was refused",
            )
    elif label and label != "unconfined" and "(unconfined)" not in label:
        yield (
            f"AppArmor confines this process, as {label}", "this is a container with its engine's profile",
            "docker run --security-opt apparmor=unconfined …; sudo aa-status lists the profiles",
        )  # fmt: skip
    status = dict(line.split(":\t", 1) for line in _read("/proc/self/status").splitlines() if ":\t" in line)
    if status.get("Seccomp") == "2":
        yield (
            "a seccomp filter is on this process", "this is a container: its engine refuses calls to all in it",
            "docker run --security-opt seccomp=unconfined --privileged …; or use the machine itself, or: vagrant up",
        )  # fmt: skip


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
