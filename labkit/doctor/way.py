"""The way into a lab: as whom it opens, and which switches of the machine stand between a user and a lab."""

from __future__ import annotations

import os
from collections.abc import Iterator

from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient
from labkit.learn.needs import Need

#: what forbids user namespaces: the file, the value that does, who put it there, and how to set it aside
SWITCHES = (
    (
        "user.max_user_namespaces", "0", "an administrator, or a guide to a hardened system, allows none",
        "sudo sysctl -w user.max_user_namespaces=15000", False,
    ),
    (
        "kernel.unprivileged_userns_clone", "0", "this Debian kernel keeps ordinary users from making any",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1", True,
    ),
    (
        "kernel.apparmor_restrict_unprivileged_userns", "1",
        "Ubuntu's AppArmor takes the rights away in what an ordinary user makes",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", True,
    ),
)  # fmt: skip


def way_in(patient: Patient) -> Iterator[Finding]:
    """Whether a lab opens, as whom, and why not as root."""
    from labkit.agent import sudo_rule

    if patient.replayed:
        yield Finding(
            about="lab", says="is not opened: the lessons are shown from their recordings", minor=True,
            likely="LABKIT_BACKEND=replay asks for it", remedy="unset LABKIT_BACKEND, then ./lab up", needs=(Need.LAB,),
        )  # fmt: skip
    elif patient.ill:
        yield Finding(
            about="lab", says=f"does not open: {patient.ill.message}", likely=patient.ill.likely or "",
            remedy=patient.ill.look or "labkit agent-command", needs=(Need.LAB,),
        )  # fmt: skip
    elif patient.way == "rootless":
        yield Finding(
            about="lab", says="opens, rootless: what needs real root is refused there", minor=True,
            likely=sudo_rule.refusal() or "LABKIT_WAY asks for it", remedy=sudo_rule.remedy(),
        )  # fmt: skip
    else:
        yield Finding(about="lab", says=f"opens, {'as root' if patient.way == 'root' else 'as root through sudo'}")


def switches(patient: Patient) -> Iterator[Finding]:
    """What the machine's administrator has said about user namespaces. Two of the three do not bind real root.

    A lab as root is not stopped by those, but the ordinary user in a lesson is.
    """
    outside = os.geteuid() != 0
    found = False
    for name, forbids, likely, remedy, for_users in SWITCHES:
        if _read(name) == forbids:
            found = True
            needs = (Need.ROOTLESS,) if for_users else (Need.USER, Need.ROOTLESS)
            stops_labs = outside and patient.lab is None
            yield Finding(about="switches", says=f"{name} is {forbids}", likely=likely, remedy=remedy,
                          needs=(*needs, Need.LAB) if stops_labs else needs)  # fmt: skip
    if not found:
        yield Finding(about="switches", says="none forbids user namespaces")


def _read(name: str) -> str:
    """A kernel switch; empty where this kernel has none of that name."""
    try:
        with open(f"/proc/sys/{name.replace('.', '/')}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
