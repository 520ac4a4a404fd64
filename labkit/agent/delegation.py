"""Where labs have their cgroups of version 2, and how controllers get there.

A controller reaches a cgroup only if all above it hand it down, and who hands controllers down may hold no processes
itself. systemd marks the cgroup that it leaves to a service or a scope ("delegates"): below that one we may do as we
like. So Jupyter, which is born in it, steps aside into a leaf, and its labs are made beside that leaf.

See: cgroups(7) "no internal processes", the kernel's cgroup-v2.rst "Delegation", systemd.resource-control(5)
"Delegate=", xattr(7).
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys

from labkit.linux import cgroup2

_LEAF = "jupyter"
_PATIENCE = 10  # seconds for systemd to answer
_GIVEN = "LABKIT_SCOPE"  # in the environment of who was born in a cgroup that we had systemd make
_MARKS = ("user.delegate", "trusted.delegate")  # systemd's, on a cgroup that it leaves to others


def home() -> str:
    """The cgroup2 directory below which labs are made. Raises LookupError.

    The one that we are in; but the one above, where that is delegated and keeps its processes in leaves as ours is.
    """
    own = cgroup2.own()
    above = os.path.dirname(own)
    return above if _delegated(above) and not _members(above) else own


def step_aside() -> str:
    """Move everybody out of our delegated cgroup into a leaf of it; returns where we are, or "" if nothing was done.

    For whoever starts Jupyter, before it does. Where nothing is delegated, or not to us, nothing is done.
    """
    try:
        own = cgroup2.own()
        if os.environ.pop(_GIVEN, ""):  # not every systemd of a user marks what it gives
            os.setxattr(own, _MARKS[0], b"1")
        if not _delegated(own):
            return ""
        leaf = f"{own}/{_LEAF}"
        os.makedirs(leaf, exist_ok=True)
        while pids := _members(own).split():
            for pid in pids:
                _move(pid, leaf)
    except (LookupError, OSError):
        return ""
    return leaf


def scope() -> list[str]:
    """What a command is to be preceded by, so that systemd gives it a delegated cgroup: nothing where that is no gain.

    Of version 2 only: a login has a cgroup, but who lives in it is in the way of handing controllers down.
    """
    try:
        own = cgroup2.own()
        if cgroup2.mode() != "v2" or _delegated(own) or home() != own:
            return []
        whose = ["--user"] if os.geteuid() else []
        words = [
            "systemd-run",
            *whose,
            "--scope",
            "--quiet",
            "--collect",
            "--property=Delegate=yes",
            f"--setenv={_GIVEN}=yes",
            "--",
        ]
        subprocess.run([*words, "true"], check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE)
    except (LookupError, OSError, subprocess.SubprocessError):  # no systemd, or none for this user
        return []
    return words


def enter() -> None:
    """Go on in a delegated cgroup where systemd gives one, as JupyterLab does: the same command once more, in there."""
    if _GIVEN in os.environ:
        step_aside()
    elif words := scope():
        os.execvp(words[0], [*words, sys.executable, *sys.orig_argv[1:]])


def _move(pid: str, cgroup: str) -> None:
    try:
        with open(f"{cgroup}/cgroup.procs", "w", encoding="ascii", buffering=1) as file:
            file.write(pid)
    except OSError as error:
        if error.errno != errno.ESRCH:  # it has ended meanwhile
            raise


def _delegated(path: str) -> bool:
    for mark in _MARKS:
        try:
            if os.getxattr(path, mark) == b"1":
                return True
        except OSError:
            continue
    return False


def _members(path: str) -> str:
    try:
        with open(f"{path}/cgroup.procs", encoding="ascii") as file:
            return file.read()
    except OSError:
        return "?"


def check_domain(path: str) -> None:
    """Raise LookupError if no process can be born in the new cgroup `path`, and remove it: threads live beside it."""
    with open(f"{path}/cgroup.type", encoding="ascii") as file:
        kind = file.read().strip()
    if kind == "domain invalid":
        os.rmdir(path)
        raise LookupError(f"{os.path.dirname(path)} is divided among threads, and a cgroup in it takes no processes")


def hand_down(path: str) -> str:
    """Hand all controllers down from cgroup `path`, as far as that is permitted; returns what stands in the way.

    The top of the tree is the machine's: what it hands down is its administrator's business. And who lives in `path` is
    in the way, as all do who have logged in, and were given no cgroup to divide.
    """
    refused = ""
    if not os.path.exists(f"{path}/cgroup.type"):  # only the top has none
        return f"{path} is the top of the machine's tree, and hands down what its administrator has said"
    with open(f"{path}/cgroup.controllers", encoding="ascii") as file:
        there = file.read().split()
    with open(f"{path}/cgroup.subtree_control", encoding="ascii") as file:
        handed = file.read().split()
    lacking = [controller for controller in there if controller not in handed]
    if lacking and _members(path):  # the threaded ones it could, to cgroups that then are for threads alone: EOPNOTSUPP
        return f"{path} hands nothing down, as processes live in it"
    for controller in lacking:
        try:
            with open(f"{path}/cgroup.subtree_control", "w", encoding="ascii", buffering=1) as file:
                file.write(f"+{controller}")
        except OSError as error:
            refused = f"{path} does not hand {controller} down: {error.strerror}"
    return refused


if __name__ == "__main__":  # for a shell, as `enter` for Python: prints what the command is to be preceded by
    if _GIVEN in os.environ:
        step_aside()
    else:
        print(*scope(), sep="\n", end="")
