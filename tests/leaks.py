"""What a lab could leave on a machine, seen from outside: the net under every kernel test.

Other workers run labs of their own at the same time, so only what this test process could have made is looked
at: processes that descend from it, that are in its cgroup or below (who loses its parent stays there), or that
carry its run directory in their environment; the mounts of its mount namespace, the links and rules of its
network namespace; the cgroups below its own, which no other test is in; its run directory.

A namespace lives by a process in it, a descriptor of it, a mount of it, or a socket that was born in it. So the
namespaces that could be left are those of the processes above, of the threads and of the descriptors of this very
process (a notebook, too, must not be moved or keep one by accident); mounts are looked at anyway.

See: namespaces(7) "Namespace lifetime", cgroups(7), ioctl_ns(2).
"""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import own_cgroups

from labkit.agent import delegation
from labkit.linux import cgroup2
from labkit.linux.constants.ioctls import SIOCGSKNS


@dataclass(frozen=True)
class Machine:
    """The state of this machine as far as a lab of this process could have changed it."""

    processes: frozenset[str]
    namespaces: frozenset[str]
    descriptors: tuple[str, ...]
    mounts: tuple[str, ...]
    links: frozenset[str]
    rules: str
    cgroups: frozenset[str]
    directories: frozenset[str]

    @classmethod
    def now(cls, run: Path) -> Machine:
        """Look."""
        processes = _processes(run)
        return cls(
            processes=frozenset(f"{pid} {name}, {_state(pid)}" for pid, name in processes.items()),
            namespaces=frozenset(_namespaces(processes)),
            descriptors=tuple(sorted(_descriptors())),
            mounts=tuple(_mounts()),
            links=frozenset(name for _, name in socket.if_nameindex()),
            rules=_rules(),
            cgroups=frozenset(_cgroups()),
            directories=frozenset(_below(run)),
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
            rest = list(old)
            for thing in new:
                if thing in rest:
                    rest.remove(thing)
                else:
                    found.append(f"{name}: {thing} is new")
            found += [f"{name}: {thing} is gone" for thing in rest if thing in LASTING]
    return found


def settle(before: Machine, run: Path) -> list[str]:
    """What differs from `before` once the asynchronous part of dying is over (some 20 ms, for network namespaces)."""
    deadline = time.monotonic() + 5
    while (left := differences(before, Machine.now(run))) and time.monotonic() < deadline:
        gc.collect()  # what only a cycle, or the frame of a failure, holds open is not a leak
        time.sleep(0.02)
    return left


def _processes(run: Path) -> dict[int, str]:
    """Our descendants, and those that have lost their parents since: pid to name."""
    found = dict.fromkeys(_descendants(os.getpid()))
    if in_own_cgroup():
        found |= dict.fromkeys(pid for pid in cgroup2.procs(delegation.home()) if pid != os.getpid())
    mark = b"LABKIT_RUN=" + os.fsencode(run)
    for name in _list("/proc"):
        if name.isdecimal() and int(name) != os.getpid() and int(name) not in found:
            try:
                if mark in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                    found[int(name)] = None
            except OSError:
                continue
    return {pid: comm for pid in found if (comm := _read(f"/proc/{pid}/comm").strip())}


def in_own_cgroup() -> bool:
    """Whether conftest could give this process a cgroup of its own."""
    return f"{own_cgroups.NAME}/jupyter" in _read("/proc/self/cgroup")


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _children(pid: int) -> list[int]:
    tasks = _list(f"/proc/{pid}/task")
    return [int(child) for task in tasks for child in _read(f"/proc/{pid}/task/{task}/children").split()]


def _state(pid: int) -> str:
    """``zombie`` for who only waits to be waited for; all else counts as running."""
    return "zombie" if ") Z" in _read(f"/proc/{pid}/stat") else "running"


def _namespaces(processes: dict[int, str]) -> Iterator[str]:
    """``net:[4026531840]`` for each namespace that a process of ours, or a thread of this one, is in."""
    for place in [f"/proc/{pid}" for pid in processes] + [f"/proc/self/task/{tid}" for tid in _list("/proc/self/task")]:
        yield from (link for kind in _list(f"{place}/ns") if (link := _link(f"{place}/ns/{kind}")))


def _descriptors() -> Iterator[str]:
    """What this process holds open of a lab: namespaces, sockets born in another one, files of mounts not its own."""
    mine = {line.split()[0] for line in _read("/proc/self/mountinfo").splitlines()}
    for fd in _list("/proc/self/fd"):
        link = _link(f"/proc/self/fd/{fd}")
        if link.startswith("socket:") and _born_elsewhere(int(fd)):
            yield f"{link} of another network namespace"
        elif link.partition(":[")[0] in os.listdir("/proc/self/ns"):
            yield link
        elif link.startswith("/") and not link.startswith("/memfd:"):
            info = dict(line.split(":", 1) for line in _read(f"/proc/self/fdinfo/{fd}").splitlines() if ":" in line)
            if info and info["mnt_id"].strip() not in mine:
                yield f"{link} of a mount that is not to be seen here"


def _born_elsewhere(fd: int) -> bool:
    try:
        there = fcntl.ioctl(fd, SIOCGSKNS)
    except OSError:  # closed meanwhile, or not ours to ask
        return False
    try:
        return os.fstat(there).st_ino != os.stat("/proc/self/ns/net").st_ino
    finally:
        os.close(there)


def _mounts() -> list[str]:
    """Target, type and source of each mount; the ids change with every remount, and say nothing."""
    rows = (line.partition(" - ") for line in _read("/proc/self/mountinfo").splitlines())
    return sorted(f"{head.split()[4]} {tail}" for head, _, tail in rows)


def _rules() -> str:
    if not shutil.which("nft"):
        return ""
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=False).stdout


def _cgroups() -> list[str]:
    """Our own cgroups and those below them, in all trees."""
    return own_cgroups.directories()


def _below(run: Path) -> Iterator[str]:
    """All files and directories below `run`. (pathlib's rglob stumbles over what goes while it looks.)"""
    for directory, directories, files in os.walk(run):
        yield from (os.path.join(directory, name) for name in (*directories, *files))


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


#: what was there when the tests began, and should be when they end; what others have mounted since comes and goes
LASTING = frozenset(_mounts()) | {name for _, name in socket.if_nameindex()}
