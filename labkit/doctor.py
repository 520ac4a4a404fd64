"""What this machine can do for the lessons, on one page: `labkit doctor`.

Most of it is tried, not looked up: a lab is opened, and a process born into each kind of namespace; what
the kernel says then is what a lesson would hear. Nothing is changed, unless `--fix` is given, and then
only what a dead supervisor left is buried.

A check is a function that yields findings. To make the doctor know more, write one and add it to `CHECKS`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit.agent import journal, sudo_rule
from labkit.agent.client import Client
from labkit.agent.remedies import ONE_ID
from labkit.errors import AgentError, LabError, errno_text
from labkit.image import rootfs
from labkit.image.finding import Images
from labkit.linux import cgroup2, nsfs
from labkit.linux.calls import clone3
from labkit.steps.backends.base import Part
from labkit.steps.backends.live import Live

KERNEL = (6, 1)
_MANUAL = (Path("/usr/share/man"), Path("/usr/local/share/man"))
_PAGES = ("man2/clone.2", "man7/namespaces.7", "man8/ip.8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the page. With a `remedy` (a command) it is a problem; `minor` ones do not stop a lesson."""

    about: str
    says: str
    likely: str = ""
    remedy: str = ""
    minor: bool = False

    @property
    def mark(self) -> str:
        return ("note" if self.minor else "WRONG") if self.remedy else "ok"

    def __str__(self) -> str:
        lines = [f"  {self.mark:<6} {self.about:<11} {self.says}"]
        lines += [f"{'':20} likely: {self.likely}"] if self.likely else []
        lines += [f"{'':20} do:     {self.remedy}"] if self.remedy else []
        return "\n".join(lines)


class Patient:
    """The machine under examination, with a lab open on it if one can be had; `ill` says why not."""

    def __init__(self) -> None:
        self.lab: Live | None = None
        self.ill: AgentError | None = None
        try:
            self.lab = Live(Images(), Client(bury=False))
        except AgentError as error:
            self.ill = error

    def close(self) -> None:
        if self.lab:
            self.lab.close()


def kernel(patient: Patient) -> Iterator[Finding]:
    """Linux, and new enough."""
    name = os.uname()
    version = tuple(int(part) for part in re.findall(r"\d+", name.release)[:2])
    says = f"{name.sysname} {name.release} on {name.machine}"
    old = "" if version >= KERNEL else "labkit is made for Linux {}.{} and newer".format(*KERNEL)
    yield Finding(about="kernel", says=says, likely=old, remedy="uname -r; vagrant up" if old else "")


def way_in(patient: Patient) -> Iterator[Finding]:
    """Whether a lab opens, as whom, and why not as root."""
    if patient.ill:
        yield Finding(
            about="lab", says=f"does not open: {patient.ill.message}",
            likely=patient.ill.likely or "", remedy=patient.ill.look or "labkit agent-command",
        )  # fmt: skip
    elif patient.lab:
        way = patient.lab.client.way
        if way == "rootless":
            yield Finding(
                about="lab", says="opens, rootless: what needs real root is refused there", minor=True,
                likely=sudo_rule.refusal() or "LABKIT_WAY asks for it", remedy=sudo_rule.REMEDY,
            )  # fmt: skip
        else:
            yield Finding(about="lab", says=f"opens, {'as root' if way == 'root' else 'as root through sudo'}")


def user_ids(patient: Patient) -> Iterator[Finding]:
    """A rootless lab has the ids that /etc/subuid grants, or one."""
    if patient.lab and patient.lab.info["ids"] == 1:
        likely, remedy = ONE_ID
        yield Finding(about="user ids", says="one: everybody in a lab is its root", minor=True, likely=likely,
                      remedy=remedy)  # fmt: skip


def namespaces(patient: Patient) -> Iterator[Finding]:
    """A process born into each of the eight kinds; without a lab, what the kernel claims to have."""
    built = nsfs.supported()
    refused = {kind: "the kernel was built without it" for kind in nsfs.KINDS if kind not in built}
    if patient.lab:
        for kind in built:
            rows = patient.lab.take(Part("host", (clone3(kind, nsfs.KINDS[kind].flag),), (kind,)))
            if rows[-1][1]:
                refused[kind] = errno_text(rows[-1][1])
    kinds = ", ".join(kind for kind in nsfs.KINDS if kind not in refused)
    yield Finding(about="namespaces", says=f"{kinds}{'' if patient.lab else ' (not tried: no lab opens)'}")
    for kind, why in refused.items():
        yield Finding(
            about="namespaces", says=f"no {kind} namespace: {why}",
            likely="this kernel lacks the kind, or a limit or filter forbids it",
            remedy=f"sysctl user.max_{kind}_namespaces; grep _NS= /boot/config-$(uname -r)",
        )  # fmt: skip


def overlayfs(patient: Patient) -> Iterator[Finding]:
    """A lab's root is an overlay: where a lab opens, it works."""
    known = "overlay" in Path("/proc/filesystems").read_text().split()
    if patient.lab or known:
        yield Finding(about="overlayfs", says="works" if patient.lab else "is known to the kernel (not tried)")
    else:
        yield Finding(about="overlayfs", says="is unknown to the kernel", likely="its module is not loaded",
                      remedy="sudo modprobe overlay")  # fmt: skip


def cgroups(patient: Patient) -> Iterator[Finding]:
    """The cgroup mode, and whether a lab gets a cgroup of its own."""
    mode = cgroup2.mode()
    if patient.lab and patient.lab.info["cgroup"]:
        yield Finding(about="cgroups", says=f"{mode}; a lab has its own, as {patient.lab.info['cgroup']}")
    elif patient.lab:
        yield Finding(
            about="cgroups", says=f"{mode}; a lab has none of its own: {patient.lab.info['no_cgroup']}", minor=True,
            likely="the cgroup that you are in is not yours: none was delegated", remedy="systemd-run --user --scope "
            "-p Delegate=yes ./lab up" if patient.lab.client.way == "rootless" else "findmnt -t cgroup2",
        )  # fmt: skip
    else:
        yield Finding(about="cgroups", says=mode)


def images(patient: Patient) -> Iterator[Finding]:
    """The lab's own images."""
    for name in rootfs.names():
        try:
            path = rootfs.image_path(name)
        except LabError as error:
            yield Finding(about="images", says=error.message, likely=error.likely or "", remedy=error.look or "")
        else:
            current = rootfs.is_current(name)
            yield Finding(
                about="images", says=f"{name}, in {path}" if current else f"{name} is not of this checkout's make",
                likely="" if current else "its build script or busybox was renewed since",
                remedy="" if current else f"labkit image build {name}", minor=True,
            )  # fmt: skip


def manual(patient: Patient) -> Iterator[Finding]:
    """The pages that the step player opens."""
    missing = [page for page in _PAGES if not any(found for place in _MANUAL for found in place.glob(f"{page}*"))]
    names = ", ".join("{1}({2})".format(*page.replace(".", "/").split("/")) for page in missing)
    yield Finding(
        about="manual", says=f"{names} missing" if missing else "installed", minor=True,
        likely="minimal systems and container images leave the manual out" if missing else "",
        remedy="sudo apt install man-db manpages manpages-dev" if missing else "",
    )  # fmt: skip


def leftovers(patient: Patient) -> Iterator[Finding]:
    """What dead supervisors have left, by their journals. The machine's place is looked at by everybody."""
    places = dict.fromkeys((journal.place(), "/run/labkit"))
    found = False
    for place in places:
        for lab in journal.all_labs(place) if os.path.isdir(place) else ():
            owner = lab.owner()
            if owner is None:
                found = True
                yield Finding(about="left", says=f"{lab.directory} has no journal", likely="labkit did not make it",
                              remedy=f"ls -la {lab.directory}", minor=True)  # fmt: skip
            elif not journal.lives(owner):
                found = True
                mine = place == journal.place()
                yield Finding(about="left", says=f"{lab.directory}, of process {owner['pid']}, which is dead",
                              likely="it was killed, or the machine restarted", minor=not mine,
                              remedy="labkit doctor --fix" if mine else "sudo ./lab doctor --fix")  # fmt: skip
    if not found:
        yield Finding(about="left", says="nothing by dead labs")


CHECKS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (
    kernel,
    way_in,
    user_ids,
    namespaces,
    overlayfs,
    cgroups,
    images,
    manual,
    leftovers,
)


def examine() -> list[Finding]:
    """All findings, in the order of `CHECKS`; a lab is open meanwhile."""
    patient = Patient()
    try:
        return [finding for check in CHECKS for finding in check(patient)]
    finally:
        patient.close()


def bury() -> list[str]:
    """Bury what dead supervisors of this user left; touches nothing else. What was done, a sentence each."""
    return journal.bury_dead(journal.place()) if os.path.isdir(journal.place()) else []


def main(*, fix: bool = False, as_json: bool = False) -> int:
    """Print the page; the exit status is 1 where something stops the lessons."""
    fixed = bury() if fix else []
    findings = examine()
    wrong = sum(finding.mark == "WRONG" for finding in findings)
    if as_json:
        rows = [{**asdict(finding), "mark": finding.mark} for finding in findings]
        print(json.dumps({"version": 1, "ok": not wrong, "fixed": fixed, "findings": rows}, indent=1))
        return 1 if wrong else 0
    for sentence in fixed or (["nothing to bury"] if fix else []):
        print(f"labkit: {sentence}")
    print("\n".join(str(finding) for finding in findings))
    print(f"\n{'This machine can do the lessons.' if not wrong else f'{wrong} of these stop the lessons.'}")
    return 1 if wrong else 0
