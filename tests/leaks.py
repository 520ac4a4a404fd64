"""What a lab could leave on a machine, seen from outside: the net under every kernel test.

Only what this test process and its descendants could have made is looked at, because other workers run labs
of their own at the same time: our descendants, the mounts of our own mount namespace, the links and rules of
our own network namespace, cgroups and directories by the paths that are ours, and the namespaces that
belong to none of the processes that were there before.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

from labkit.linux import cgroup2


@dataclass(frozen=True)
class Machine:
    """The state of this machine as far as a lab of this process could have changed it."""

    processes: frozenset[str]
    mounts: tuple[str, ...]
    links: frozenset[str]
    rules: str
    cgroups: frozenset[str]
    directories: frozenset[str]
    descriptors: frozenset[str]

    @classmethod
    def now(cls, run: Path) -> Machine:
        """Look."""
        return cls(
            processes=frozenset(_descendants(os.getpid())),
            mounts=tuple(_mounts()),
            links=frozenset(name for _, name in socket.if_nameindex()),
            rules=_rules(),
            cgroups=frozenset(_cgroups(run)),
            directories=frozenset(str(path) for path in run.glob("*")),
            descriptors=frozenset(_namespaces_held()),
        )


def differences(before: Machine, after: Machine) -> list[str]:
    """One line for each thing that is not as it was."""
    found = []
    for name in (field.name for field in fields(Machine)):
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if isinstance(old, str):
            found.append(f"{name}: {old!r} became {new!r}")
        else:
            found += [f"{name}: {thing} is new" for thing in new if thing not in old]
            found += [f"{name}: {thing} is gone" for thing in old if thing not in new and name in ("mounts", "links")]
    return found


def _descendants(pid: int) -> list[str]:
    """All processes below `pid`, and the labs' that have lost their parent, as "pid name"."""
    found = []
    for task in _list(f"/proc/{pid}/task"):
        for child in _read(f"/proc/{pid}/task/{task}/children").split():
            name = _read(f"/proc/{child}/comm").strip()
            if name:
                found += [f"{child} {name}", *_descendants(int(child))]
    return found


def _mounts() -> list[str]:
    """Target, type and source of each mount; the ids change with every remount, and say nothing."""
    rows = (line.partition(" - ") for line in _read("/proc/self/mountinfo").splitlines())
    return sorted(f"{head.split()[4]} {tail}" for head, _, tail in rows)


def _rules() -> str:
    if not shutil.which("nft"):
        return ""
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=False).stdout


def _cgroups(run: Path) -> list[str]:
    """The cgroups below ours that a lab of this process has named: they carry the pid of its supervisor."""
    try:
        own = Path(cgroup2.own())
    except LookupError:
        return []
    here = []
    for path in own.glob("labkit-*"):
        supervisor = path.name.rpartition("-")[2]
        if supervisor.isdigit() and (_is_ours(int(supervisor)) or not Path(f"/proc/{supervisor}").exists()):
            here.append(str(path))
    return here


def _is_ours(pid: int) -> bool:
    """Whether `pid` is one of our descendants."""
    while pid > 1:
        if pid == os.getpid():
            return True
        status = _read(f"/proc/{pid}/stat")
        pid = int(status.rpartition(")")[2].split()[1]) if status else 0
    return False


def _namespaces_held() -> list[str]:
    """Descriptors of namespaces that this very process keeps open."""
    links = (_link(f"/proc/self/fd/{fd}") for fd in _list("/proc/self/fd"))
    return [link for link in links if ":[" in link and link.split(":")[0] not in ("pipe", "socket", "anon_inode")]


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
