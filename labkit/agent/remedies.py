"""Why a lab could not be set up, and what to do: the errno of one call turned into advice."""

from __future__ import annotations

import errno

_UNSHARE = (
    "this machine does not let ordinary users make user namespaces",
    "sysctl user.max_user_namespaces kernel.apparmor_restrict_unprivileged_userns; or ./lab up --sudo-rule",
)
_BY_CALL: dict[tuple[str, int], tuple[str, str]] = {
    ("unshare", errno.EPERM): _UNSHARE,
    ("unshare", errno.ENOSPC): _UNSHARE,
    ("unshare", errno.EINVAL): (
        "this kernel lacks a namespace kind",
        "labkit doctor; grep _NS= /boot/config-$(uname -r)",
    ),
    ("clone3", errno.EPERM): (
        "this process may not make namespaces (a container without CAP_SYS_ADMIN?)",
        "labkit doctor",
    ),
    ("clone3", errno.EINVAL): (
        "this kernel lacks a namespace kind",
        "labkit doctor; grep _NS= /boot/config-$(uname -r)",
    ),
    ("clone3", errno.ENOSYS): (
        "this kernel is older than 5.3, or a seccomp filter hides clone3",
        "uname -r; labkit doctor",
    ),
    ("clone3", errno.ENOSPC): (
        "a limit on namespaces is reached",
        "sysctl user.max_pid_namespaces user.max_mnt_namespaces",
    ),
    ("mount", errno.EPERM): (
        "a new /proc or /sys may not be mounted here (as in an unprivileged container, where parts of them are hidden)",
        "run labkit in the VM or on the machine itself, or give the outer container an unmasked /proc",
    ),
}
_BY_ERRNO: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the run directory is full", "df -h /run; labkit doctor --fix"),
    errno.EROFS: ("the run directory is read-only", "findmnt -T /run/labkit"),
    errno.EACCES: ("the run directory belongs to somebody else", "ls -ld /run/labkit $XDG_RUNTIME_DIR"),
}


def remedy(way: str, op: str, number: int, subject: str) -> tuple[str | None, str]:
    """Likely cause and next look for a refusal. `subject` is the call or the path that failed."""
    call = subject.split(":")[0]
    if op == "attach" and number in (errno.ENOENT, errno.ENOTDIR):
        return "there is no such directory", f"ls -ld {subject}"
    found = _BY_CALL.get((call, number)) or _BY_ERRNO.get(number)
    return found or (None, f"labkit doctor (the way in was: {way})")
