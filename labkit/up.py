"""JupyterLab on the recorded course, where there is no Linux to have a lab on: `labkit up --replay`.

It runs in the foreground until Ctrl-C, and is the same on Linux, macOS and Windows. (Live, `./lab up` starts it.)
"""

from __future__ import annotations

import importlib.util
import os
import sys

from labkit import jupyter, served
from labkit.errors import LabError
from labkit.record import NOTEBOOKS

_OPTIONS = (
    "--Application.log_level=ERROR",  # so that the address is what is seen
    f"--LabServerApp.app_settings_dir={jupyter.COURSE}",  # without bash nobody has copied them into the environment
    "--ServerApp.port_retries=50",
    "--ServerApp.open_browser=True",
    "--ServerApp.answer_yes=True",  # Ctrl-C is meant
)


def main(port: int, work: str = "", gate: str = "") -> int:
    """Run it, in this process, on the copies in the directory `work`, or in the one that was served last.

    With `gate`, ``on`` or ``off``, it is for a class. Raises LabError where there is nothing to run, or to show.
    """
    if not (NOTEBOOKS / "traces").is_dir():
        raise LabError(f"there are no recorded lessons in {NOTEBOOKS}", look="a clone of labkit has them")
    if importlib.util.find_spec("jupyterlab") is None:
        raise LabError("JupyterLab is not installed for this Python", look=f"{sys.executable} -m pip install -e .")
    directory = served.bring(work)
    become(jupyter.surroundings() | (jupyter.classroom(gate) if gate else {}) | {"LABKIT_BACKEND": "replay"})
    server = jupyter.server([*jupyter.options(port, directory), *_OPTIONS])
    print("The lessons are shown as they were recorded; nothing is live. Ctrl-C ends JupyterLab.")
    print(jupyter.address(server.port, server.identity_provider.token), flush=True)
    server.start()
    return 0


def become(environment: dict[str, str]) -> None:
    """Let this process, and the kernels that it will start, have this environment and no other."""
    os.environ.clear()
    os.environ.update(environment)
