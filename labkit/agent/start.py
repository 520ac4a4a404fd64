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
from pathlib import Path
from typing import IO

from labkit.agent import sudo_rule
from labkit.errors import AgentError

_ENTRY = Path(__file__).with_name("__main__.py")


def ways() -> list[str]:
    """The ways in that can be tried here, best first."""
    if sys.platform != "linux":
        return []
    if os.geteuid() == 0:
        return ["root"]
    return ["rootless"] if sudo_rule.refusal() else ["sudo", "rootless"]


def choose() -> str:
    """The way in to be used. Raises AgentError where there is none, or not the one that LABKIT_WAY asks for."""
    possible = ways()
    wanted = os.environ.get("LABKIT_WAY", "")
    if not possible:
        raise AgentError(
            f"labkit takes steps on a Linux kernel, and this is {sys.platform}",
            look="LABKIT_BACKEND=replay shows the recorded course anywhere; the VM runs it live",
        )
    if wanted and wanted not in possible:
        likely, look = {
            "sudo": ("root needs no sudo" if os.geteuid() == 0 else sudo_rule.refusal(), sudo_rule.remedy()),
            "root": ("this notebook does not run as root", "start Jupyter as root, or leave LABKIT_WAY unset"),
            "rootless": ("this notebook runs as root already", "start Jupyter as a user, or leave LABKIT_WAY unset"),
        }.get(wanted, (f"the ways in are {', '.join(possible)}", "leave LABKIT_WAY unset"))
        raise AgentError(f"LABKIT_WAY={wanted}: this way into the lab is not open here", likely=likely, look=look)
    return wanted or possible[0]


def command(way: str) -> tuple[str, ...]:
    """The command line of the agent."""
    return sudo_rule.COMMAND if way == "sudo" else (sys.executable, "-I", "-S", str(_ENTRY))


def spawn(way: str, control: socket.socket) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start the agent with `control` as its standard input; returns the process and the file of its last words."""
    # A memfd, for a full disk may be what the words are about. The caller closes it, with the agent.
    words = open(os.memfd_create("labkit-last-words"), "w+b", buffering=0)  # noqa: SIM115
    try:
        process = subprocess.Popen(
            command(way), stdin=control.fileno(), stdout=subprocess.DEVNULL, stderr=words, start_new_session=True
        )
    except BaseException:
        words.close()
        raise
    return process, words
