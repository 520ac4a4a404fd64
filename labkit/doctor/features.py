"""What the lessons need of the kernel, each tried on the lab that is open.

Which things those are, the lessons say (`labkit.learn.needs`); how each is tried, `PROBES`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from labkit.agent import subordinate
from labkit.agent.remedies import FEW_IDS, ONE_ID
from labkit.cgroups.vocabulary import OLD
from labkit.container.lacking import Lacking
from labkit.doctor import lessons
from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient, installed, some
from labkit.errors import StepError
from labkit.learn.needs import Need

_CONTROLLER = "controller:"
_FOUND = "(not tried: no lab opens)"
_PROGRAMS = (("sh", "-c", ":"), ("sleep", "0"))


def features(patient: Patient) -> Iterator[Finding]:
    """All that some lesson needs."""
    yield from programs(patient)
    yield from tried(patient, lessons.needs())


def tried(patient: Patient, needs: Iterable[Need]) -> Iterator[Finding]:
    """These things, each with its own probe; the kinds of namespaces share a line, and so do the controllers."""
    kinds = [need for need in needs if need.word.startswith("namespace:")]
    if kinds:
        yield from namespaces(patient, kinds)
    if wanted := [need for need in needs if need.word.startswith(_CONTROLLER)]:
        yield from controllers(patient, wanted)
    for probe in dict.fromkeys(probe for need, probe in PROBES.items() if need in needs):
        yield from probe(patient)


def namespaces(patient: Patient, needs: Iterable[Need]) -> Iterator[Finding]:
    """A process born into each of these kinds; without a lab, what the kernel was built with."""
    from labkit.linux import nsfs
    from labkit.namespaces.spawn import Spawn

    wanted = {need.word.partition(":")[2]: need for need in needs}
    refused = {kind: "the kernel was built without it" for kind in wanted if kind not in nsfs.supported()}
    for kind in wanted:
        if kind not in refused and (error := patient.refuses(Spawn(child=f"in-{kind}", namespaces=(kind,)))):
            refused[kind] = error.message.rpartition(": ")[2]
    if there := ", ".join(kind for kind in nsfs.KINDS if kind in wanted and kind not in refused):
        yield Finding(about="namespaces", says=there if patient.lab else f"{there} {_FOUND}")
    for kind, why in refused.items():
        yield Finding(
            about="namespaces", says=f"no {kind} namespace: {why}", needs=(wanted[kind],),
            likely="this kernel lacks the kind, or a limit or a seccomp filter forbids it",
            remedy=f"sudo sysctl -w user.max_{kind}_namespaces=15000; grep _NS= /boot/config-$(uname -r)",
        )  # fmt: skip


def rootless(patient: Patient) -> Iterator[Finding]:
    """An ordinary user of the lab makes a user namespace and does in it what only its root may."""
    from labkit.namespaces.dumpable import SetDumpable
    from labkit.namespaces.names import SetHostname
    from labkit.namespaces.spawn import Spawn
    from labkit.namespaces.users import BecomeUser

    if not patient.lab or Lacking(patient.lab.info).one_id:
        return  # there is no ordinary user; `user_ids` says so
    user = (Spawn(child="user"), BecomeUser(who="user", uid=1000, gid=1000), SetDumpable(who="user"))
    box = (Spawn(who="user", child="box", namespaces=("user", "uts")), SetHostname(who="box", name="box"))
    if error := patient.refuses(*user, *box):
        yield Finding(
            about="rootless", says=f"an ordinary user is no root in a user namespace: {error.message}",
            likely="AppArmor, a switch of the kernel or a seccomp filter keeps ordinary users from it",
            remedy="sysctl kernel.apparmor_restrict_unprivileged_userns kernel.unprivileged_userns_clone",
            needs=(Need.ROOTLESS,),
        )  # fmt: skip
    else:
        yield Finding(about="rootless", says="an ordinary user in the lab is root in a user namespace of their own")


def user_ids(patient: Patient) -> Iterator[Finding]:
    """A rootless lab has the ids that /etc/subuid grants, or one."""
    if not patient.lab:
        return
    limits = Lacking(patient.lab.info)
    if limits.one_id:
        likely, remedy = ONE_ID
        yield Finding(about="user ids", says="one: everybody in a lab is its root", minor=True, likely=likely,
                      remedy=remedy, needs=(Need.ORDINARY_USER, Need.IDS, Need.ROOTLESS))  # fmt: skip
    elif lacking := [first for first, count in subordinate.WANTED if not limits.has_ids(first, count)]:
        likely, remedy = FEW_IDS
        ordinary = () if limits.has_ids(1000) else (Need.ORDINARY_USER,)
        yield Finding(
            about="user ids", says=f"those from {some([str(n) for n in lacking])} on are missing", minor=True,
            likely=likely, remedy=remedy, needs=(*ordinary, Need.IDS),
        )  # fmt: skip


def overlayfs(patient: Patient) -> Iterator[Finding]:
    """A lab's root is an overlay: where a lab opens, it works."""
    known = "overlay" in Path("/proc/filesystems").read_text(encoding="ascii").split()
    if patient.lab or known:
        yield Finding(about="overlayfs", says="works" if patient.lab else "is known to the kernel (not tried)")
    else:
        yield Finding(about="overlayfs", says="is unknown to the kernel", likely="its module is not loaded",
                      remedy="sudo modprobe overlay", needs=(Need.OVERLAY,))  # fmt: skip


def cgroups(patient: Patient) -> Iterator[Finding]:
    """The cgroup version, and whether a cgroup for labs was delegated to us."""
    from labkit.linux import cgroup2

    mode = cgroup2.mode()
    mine = patient.lab.info if patient.lab else {"cgroup": "", "no_cgroup": ""}
    if mine["cgroup"]:
        yield Finding(about="cgroups", says=f"{mode}; a lab has its own, as {mine['cgroup']}")
    elif mode in ("v1", "none"):
        yield Finding(
            about="cgroups", says=f"{mode}: there is no cgroup2 tree", needs=(Need.CGROUP,), minor=True,
            likely="this is a container without /sys/fs/cgroup, or a system started with cgroup v1 alone",
            remedy="sudo mount -t cgroup2 none /sys/fs/cgroup",
        )  # fmt: skip
    elif patient.lab:
        yield Finding(
            about="cgroups", says=f"{mode}; a lab has none of its own: {mine['no_cgroup']}", minor=True,
            likely="the cgroup that you are in is not yours: none was delegated", needs=(Need.CGROUP,),
            remedy="systemd-run --user --scope -p Delegate=yes ./lab up" if patient.way == "rootless"
            else "findmnt -t cgroup2",
        )  # fmt: skip
    else:
        yield Finding(about="cgroups", says=f"{mode} {_FOUND}")


def controllers(patient: Patient, needs: Iterable[Need]) -> Iterator[Finding]:
    """Those that a lab hands down to its containers, each with the version that it is of."""
    if not patient.lab or not patient.lab.info["cgroup"]:
        return  # without a cgroup there are none; `cgroups` says so
    there: dict[str, int] = patient.lab.info.get("controllers", {})
    names = {need.word.removeprefix(_CONTROLLER): need for need in needs}
    found = {name: version for name in names if (version := there.get(name) or there.get(OLD.get(name, "")))}
    if found:
        told = ", ".join(f"{name} (v{version})" for name, version in found.items())
        yield Finding(about="controllers", says=told)
    if lacking := [name for name in names if name not in found]:
        below_user = f"/user@{os.getuid()}.service/" in patient.lab.info["cgroup"]
        not_told = patient.way == "rootless" or (below_user and not patient.lab.info.get("no_controllers"))
        yield Finding(
            about="controllers", says=f"nobody counts or limits here: {', '.join(lacking)}", minor=True,
            likely="systemd was not told to delegate them to users: Delegate=cpu cpuset io memory pids"
            if not_told
            else patient.lab.info.get("no_controllers") or "the kernel has none",
            remedy="sudo systemctl edit user@.service" if not_told else "cat /proc/cgroups",
            needs=tuple(names[name] for name in lacking),
        )  # fmt: skip


def programs(patient: Patient) -> Iterator[Finding]:
    """Programs of the machine that lessons start on the lab host: each is started there."""
    if not patient.lab:
        return  # `way_in` says so
    refused = {argv[0]: error for argv in _PROGRAMS if (error := _no_start(patient, *argv))}
    if there := ", ".join(argv[0] for argv in _PROGRAMS if argv[0] not in refused):
        yield Finding(about="programs", says=f"{there}: the lab host has them")
    for name, error in refused.items():
        yield Finding(
            about="programs", says=f"{name} does not start on the lab host: {error.message}", needs=(Need.LAB,),
            likely="the machine has it on a mount that the lab host does not show",
            remedy=f"findmnt -T $(command -v {name})",
        )  # fmt: skip


def _no_start(patient: Patient, *argv: str) -> StepError | None:
    from labkit.namespaces.processes import Exec
    from labkit.namespaces.spawn import Spawn

    name = f"try-{argv[0]}"
    return patient.refuses(Spawn(child=name), Exec(who=name, argv=argv))


def pressure(patient: Patient) -> Iterator[Finding]:
    """Whether the kernel counts for how long somebody waits. See: the kernel's accounting/psi.rst."""
    try:
        Path("/proc/pressure/cpu").read_text(encoding="ascii")
        yield Finding(about="pressure", says="is counted")
    except OSError:
        yield Finding(
            about="pressure", says="is not counted", minor=True, needs=(Need.PRESSURE,),
            likely="the kernel was built without it, or waits to be told at boot", remedy="boot with psi=1",
        )  # fmt: skip


def python(patient: Patient) -> Iterator[Finding]:
    """A Python for tiny.py, which runs on the lab host, whose programs are the machine's."""
    found = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    error = _no_start(patient, "python3", "-c", "") if found else None
    if found and not error:
        says = "python3 runs on the lab host" if patient.lab else f"{found} {_FOUND}"
        yield Finding(about="python3", says=says)
        return
    yield Finding(
        about="python3", needs=(Need.PYTHON,),
        says=f"{found} does not start on the lab host: {error.message}" if error else "the machine has none of its own",
        likely="it lies on a mount that is not shown there" if found else "labkit's own comes from elsewhere (conda?)",
        remedy="findmnt -T $(command -v python3)" if found else installed("python3"),
    )  # fmt: skip


#: how each thing is tried that is not a kind of namespace; what has no probe here is told by another group
PROBES: dict[Need, Callable[[Patient], Iterator[Finding]]] = {
    Need.ROOTLESS: rootless,
    Need.ORDINARY_USER: user_ids,
    Need.IDS: user_ids,
    Need.OVERLAY: overlayfs,
    Need.CGROUP: cgroups,
    Need.PRESSURE: pressure,
    Need.PYTHON: python,
}
