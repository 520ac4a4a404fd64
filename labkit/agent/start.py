"""Starting the agent: directly as root, through one sudo rule, or rootless.

The agent needs root over *its* namespaces. A notebook that runs as root starts it; one that does not
asks ``sudo -n`` for the one command that ``./lab up`` may have allowed (a root-owned copy of the agent,
no arguments); and where there is neither, the agent makes itself root of a user namespace.

``LABKIT_WAY=root|sudo|rootless`` chooses one and makes its failure an error.

See: sudoers(5), user_namespaces(7).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from labkit.errors import AgentError

SUDO_AGENT = "/usr/local/libexec/labkit/agent"
_ENTRY = Path(__file__).with_name("__main__.py")


def ways() -> list[str]:
    """The ways in that can be tried here, best first."""
    if sys.platform != "linux":
        return []
    if os.geteuid() == 0:
        return ["root"]
    found = []
    if os.access(SUDO_AGENT, os.X_OK):
        rule = subprocess.run(["sudo", "-n", "-l", SUDO_AGENT], capture_output=True, check=False)
        if rule.returncode == 0:
            found.append("sudo")
    return [*found, "rootless"]


def choose() -> str:
    """The way in to be used. Raises AgentError where there is none, or not the one that LABKIT_WAY asks for."""
    possible = ways()
    wanted = os.environ.get("LABKIT_WAY", "")
    if wanted and wanted not in possible:
        remedy = {
            "sudo": "run ./lab up --sudo-rule once, as a user who may use sudo",
            "root": "start Jupyter as root, or leave LABKIT_WAY unset",
        }.get(wanted, "leave LABKIT_WAY unset")
        raise AgentError(f"LABKIT_WAY={wanted}: this way into the lab is not open here", look=remedy)
    if not possible:
        raise AgentError(
            f"labkit takes steps on a Linux kernel, and this is {sys.platform}",
            look="LABKIT_BACKEND=replay shows the recorded course anywhere; the VM runs it live",
        )
    return wanted or possible[0]


def spawn(way: str, control: socket.socket) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start the agent with `control` as its standard input; returns the process and the file of its last words."""
    command = {
        "root": [sys.executable, "-I", "-S", str(_ENTRY)],
        "rootless": [sys.executable, "-I", "-S", str(_ENTRY)],
        "sudo": ["sudo", "-n", SUDO_AGENT],
    }[way]
    words = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it, with the agent
    process = subprocess.Popen(
        command, stdin=control.fileno(), stdout=subprocess.DEVNULL, stderr=words, start_new_session=True, close_fds=True
    )
    return process, words
