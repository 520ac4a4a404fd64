"""Does the sudo rule serve here? If not, why, in words for the student.

`./lab up` installs the rule (setup/privilege.sh). It permits one command without arguments, whose code
is root's own copy, so that who may start it cannot edit it. A copy that differs from this checkout
is of no use: both ends of the wire have to speak the same.

See: sudoers(5).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

LIBEXEC = Path("/usr/local/libexec/labkit")
COMMAND = ("sudo", "-n", str(LIBEXEC / "agent"))
REMEDY = "./lab up --sudo-rule"
_PACKAGE = Path(__file__).resolve().parents[1]


def refusal() -> str | None:
    """Why the agent cannot be started through sudo; None when it can (about 10 ms). `remedy` helps."""
    if not _has_account():
        return f"sudo serves only users with an account, and uid {os.getuid()} has none"
    if not os.access(LIBEXEC / "agent", os.X_OK):
        return "there is no sudo rule for the agent"
    if not _same_code():
        return "the agent that the sudo rule starts is of another version"
    try:
        asked = subprocess.run(["sudo", "-n", "-l", COMMAND[-1]], capture_output=True, check=False)
    except OSError:
        return "sudo is not installed"
    return None if asked.returncode == 0 else "the sudo rule is not for this user"


def remedy() -> str:
    """What to do so that the rule serves."""
    return REMEDY if _has_account() else f"give uid {os.getuid()} a line in /etc/passwd, then {REMEDY}"


def _has_account() -> bool:
    import pwd

    try:
        return bool(pwd.getpwuid(os.getuid()))
    except KeyError:
        return False


def _same_code() -> bool:
    """True when root's copy of the agent equals this checkout's, file by file."""
    files = [_PACKAGE / "__init__.py", *(_PACKAGE / "linux").rglob("*.py"), *(_PACKAGE / "agent").rglob("*.py")]
    try:
        return all(
            (LIBEXEC / "lib/labkit" / file.relative_to(_PACKAGE)).read_bytes() == file.read_bytes() for file in files
        )
    except OSError:
        return False
