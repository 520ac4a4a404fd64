"""JupyterLab as the course wants it: with the course's settings, and none of those the user has elsewhere.

For the one that is live (setup/server.py, `python -m labkit.jupyter OPTION...`) and for the one that shows recordings
(labkit/up.py), on any system. Only the server itself wants more than the standard library: setup/server.py has to do
without the environment, when that has to be made anew.
"""

from __future__ import annotations

import importlib
import os
import secrets
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".lab"
TOKEN = STATE / "token"  # in a file of mode 0600: a command line is for all to read
COURSE = ROOT / "setup" / "jupyter"
CONFIG = STATE / "jupyter" / "config"


def options(port: int) -> list[str]:
    """What JupyterLab is told on its command line."""
    return [
        f"--config={COURSE / 'jupyter_server_config.py'}",
        f"--ServerApp.root_dir={ROOT}",
        f"--ServerApp.port={port}",
    ]


def server(arguments: list[str]) -> Any:
    """A JupyterLab that has its port and does not run yet.

    Two thirds of the processor time of a start went into a grammar, compiled on import, by which jsonschema checks
    addresses with letters of any script (IRIs). What JupyterLab has it check are no such ones.
    """
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # jsonschema does without what cannot be imported
    return importlib.import_module("jupyterlab.labapp").LabApp.initialize_server(arguments)


def address(port: int, token: str) -> str:
    """What a student opens."""
    return f"http://127.0.0.1:{port}/lab/tree/notebooks/index.md?token={token}"


def surroundings() -> dict[str, str]:
    """The environment of JupyterLab; what it speaks of is there."""
    _make_token()
    _seed_settings()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))}
    path = (str(Path(sys.executable).parent), own.get("PATH", os.defpath), "/usr/sbin", "/sbin")
    return own | {
        "JUPYTER_TOKEN_FILE": str(TOKEN),
        "JUPYTER_CONFIG_DIR": str(CONFIG),
        "JUPYTER_DATA_DIR": str(STATE / "jupyter" / "data"),
        "JUPYTER_RUNTIME_DIR": str(STATE / "jupyter" / "runtime"),
        "IPYTHONDIR": str(STATE / "ipython"),
        "LABKIT_SAVED": str(STATE / "jupyter" / "widgets"),  # labkit.view.saved
        "PATH": os.pathsep.join(path),
    }


def _make_token() -> None:
    if TOKEN.exists():
        return
    STATE.mkdir(mode=0o700, exist_ok=True)
    fresh = TOKEN.with_suffix(".new")  # an empty token, on a full disk, would let everybody in
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_hex(24), encoding="ascii")
    fresh.replace(TOKEN)


def _seed_settings() -> None:
    """Give the course its style, and a new student its font sizes; leave those alone who have chosen their own."""
    style = CONFIG / "custom" / "custom.css"  # no setting names another place
    style.parent.mkdir(parents=True, exist_ok=True)
    style.write_bytes((COURSE / "custom.css").read_bytes())
    theme = CONFIG / "lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
    if not theme.exists():
        theme.parent.mkdir(parents=True, exist_ok=True)
        theme.write_bytes((COURSE / "themes.jupyterlab-settings").read_bytes())


if __name__ == "__main__":
    from labkit.agent import delegation

    delegation.step_aside()
    server(sys.argv[1:]).start()
