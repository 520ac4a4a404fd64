"""Why a lab could not be set up, and what to do: the errno of one call turned into advice."""

from __future__ import annotations

import errno

_UNSHARE = (
    "this machine does not let ordinary users make user namespaces",
    "sysctl user.max_user_namespaces kernel.apparmor_restrict_unprivileged_userns; or ./lab up --sudo-rule",
)
_LACKS = ("this kernel lacks a namespace kind", "labkit doctor; grep _NS= /boot/config-$(uname -r)")
_GRANT = "usermod --add-subuids 1000000-1196606 --add-subgids 1000000-1196606 YOU as root, then a new lab"
#: why a rootless lab has a single user id, and what gives it more
ONE_ID = (
    "it is rootless, and /etc/subuid grants you nothing, or newuidmap is not installed",
    f"sudo apt install uidmap; {_GRANT}",
)
#: why it has not all that the lessons want (`labkit.agent.subordinate`)
FEW_IDS = ("it is rootless, and has only the ids that /etc/subuid and /etc/subgid grant you", _GRANT)
_BY_CALL: dict[tuple[str, int], tuple[str, str]] = {
    ("unshare", errno.EPERM): _UNSHARE,
    ("unshare", errno.ENOSPC): _UNSHARE,
    ("unshare", errno.EINVAL): _LACKS,
    # AppArmor lets the namespace be made, and takes the capabilities away in it
    ("/proc/self/uid_map", errno.EPERM): _UNSHARE,
    ("/proc/self/setgroups", errno.EACCES): _UNSHARE,
    ("mount", errno.EACCES): _UNSHARE,
    ("clone3", errno.EPERM): (
        "this process may not make namespaces (a container without CAP_SYS_ADMIN?)",
        "labkit doctor",
    ),
    ("clone3", errno.EINVAL): _LACKS,
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
    errno.ENOSPC: ("the run directory is full: no room, or no inodes", "df -h {place}; df -i {place}"),
    errno.EDQUOT: ("your share of the run directory is used up", "quota; df -h {place}"),
    errno.EROFS: ("the run directory is read-only", "findmnt -T {place}"),
    errno.EACCES: ("the run directory is somebody else's, or others may write there", "ls -ld {subject}"),
}


def remedy(way: str, op: str, number: int, text: str, subject: str) -> tuple[str | None, str]:
    """Likely cause and next look for a refusal. `text` begins with the call that failed, `subject` is on what."""
    call = text.partition(":")[0]
    if op == "attach" and number in (errno.ENOENT, errno.ENOTDIR):
        return "there is no such directory", f"ls -ld {subject}"
    if found := _BY_CALL.get((call, number)) or _BY_CALL.get((subject, number)):
        return found
    if number in _BY_ERRNO:
        from labkit.agent import journal  # here, since the advice above is also given where there is no Linux

        likely, look = _BY_ERRNO[number]
        return likely, look.format(subject=subject, place=journal.place())
    return None, f"labkit doctor (the way in was: {way})"
