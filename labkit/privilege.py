"""How the agent is started: directly by root, through the sudo rule, or rootless.

`./lab up` installs the rule (setup/privilege.sh). It permits one command without arguments, whose code
is root's own copy; a copy that differs from this checkout is of no use, because both ends of the wire
have to speak the same.

See: sudoers(5), user_namespaces(7).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
LIBEXEC = Path("/usr/local/libexec/labkit")
PYTHON = ("/usr/bin/python3", "-I", "-S")


def agent_command() -> tuple[str, ...]:
    """The argv that starts the agent on this machine, for this user."""
    if os.geteuid() != 0 and sudo_refusal() is None:
        return ("sudo", "-n", str(LIBEXEC / "agent"))
    return (*PYTHON, str(PACKAGE / "agent" / "__main__.py"))


def sudo_refusal() -> str | None:
    """Why the sudo rule does not serve, in words for the student; None when it does."""
    remedy = "./lab up --sudo-rule installs it"
    if os.environ.get("LABKIT_SUDO") == "0":
        return "LABKIT_SUDO=0 forbids the use of the sudo rule"
    if not os.access(LIBEXEC / "agent", os.X_OK):
        return f"there is no sudo rule for the agent; {remedy}"
    if not _same_code():
        return f"the agent that the sudo rule starts is of another version; {remedy} anew"
    try:
        asked = subprocess.run(["sudo", "-n", "-l", LIBEXEC / "agent"], capture_output=True, check=False)
    except OSError:
        return "sudo is not installed"
    return None if asked.returncode == 0 else f"the sudo rule is not for this user; {remedy}"


def _same_code() -> bool:
    """True when root's copy of the agent equals this checkout's, file by file."""
    files = [PACKAGE / "__init__.py", *(PACKAGE / "linux").rglob("*.py"), *(PACKAGE / "agent").rglob("*.py")]
    try:
        return all(
            (LIBEXEC / "lib/labkit" / file.relative_to(PACKAGE)).read_bytes() == file.read_bytes() for file in files
        )
    except OSError:
        return False
