"""JupyterLab on the recorded course, where there is no Linux to have a lab on: `labkit up --replay`.

It runs in the foreground until Ctrl-C, and is the same on Linux, macOS and Windows. (Live, `./lab up` starts it.)
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

from labkit.errors import LabError
from labkit.record import NOTEBOOKS


def command(port: int) -> list[str]:
    """The command line of JupyterLab on this checkout."""
    config = NOTEBOOKS.parent / "setup" / "jupyter" / "jupyter_server_config.py"
    server = [sys.executable, "-m", "jupyterlab", f"--config={config}", f"--ServerApp.root_dir={NOTEBOOKS.parent}"]
    quiet = "--log-level=ERROR"  # so that the address is what is seen
    return [*server, quiet, f"--ServerApp.port={port}", "--ServerApp.port_retries=50", "--ServerApp.open_browser=True"]


def main(port: int) -> int:
    """Run it. Raises LabError where there is nothing to run, or nothing to show."""
    if not (NOTEBOOKS / "traces").is_dir():
        raise LabError(f"there are no recorded lessons in {NOTEBOOKS}", look="a clone of labkit has them")
    if importlib.util.find_spec("jupyterlab") is None:
        raise LabError("JupyterLab is not installed for this Python", look=f"{sys.executable} -m pip install -e .")
    print("The lessons are shown as they were recorded; nothing is live. Ctrl-C ends JupyterLab.", flush=True)
    try:
        return subprocess.call(command(port), env=os.environ | {"LABKIT_BACKEND": "replay"})
    except KeyboardInterrupt:
        return 0
