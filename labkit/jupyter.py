"""JupyterLab as the course wants it: with the course's settings, and none of those the user has elsewhere.

For the one that is live (setup/server.py, `python -m labkit.jupyter OPTION...`) and for the one that shows recordings
(labkit/up.py), on any system. Only the server itself wants more than the standard library: setup/server.py has to do
without the environment, when that has to be made anew.
"""

from __future__ import annotations

import importlib
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def state(clone: Path) -> Path:
    """Where the server of a clone keeps its state: there, or in the home of a user who may not. As in setup/lib.sh."""
    own = clone / ".lab"
    if os.access(own if own.exists() else clone, os.W_OK):
        return own
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base, "labkit", re.sub(r"[^a-zA-Z0-9_.]", "-", str(clone).removeprefix("/")))


STATE = state(ROOT)
TOKEN = STATE / "token"  # in a file of mode 0600: a command line is for all to read
COURSE = ROOT / "setup" / "jupyter"
CONFIG = STATE / "jupyter" / "config"
#: what a new student begins with, of setup/jupyter, and where JupyterLab keeps it from then on
FIRST = {
    "themes.jupyterlab-settings": "lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings",
    "first.jupyterlab-workspace": "lab/workspaces/default-37a8.jupyterlab-workspace",  # its name for `default`
}
WORK = STATE / "work"  # names the directory with the student's copies
CLASS = "LABKIT_CLASS"  #: set in the environment of a JupyterLab that was started for a class


def options(port: int, work: Path) -> list[str]:
    """What JupyterLab is told on its command line: it serves the copies in `work`, and cannot write elsewhere."""
    return [
        f"--config={COURSE / 'jupyter_server_config.py'}",
        f"--ServerApp.root_dir={work}",
        f"--NotebookNotary.data_dir={trust()}",
        f"--ServerApp.port={port}",
    ]


def trust() -> Path:
    """Where this account's signatures of notebooks are: beside the answers, for they are to outlive any clone."""
    from labkit.learn import progress

    return Path(progress.path()).parent / "trust"


def server(arguments: list[str]) -> Any:
    """A JupyterLab that has its port and does not run yet."""
    spare_the_grammar()
    return importlib.import_module("jupyterlab.labapp").LabApp.initialize_server(arguments)


def spare_the_grammar() -> None:
    """Have jsonschema do without a grammar that it compiles on import, for addresses with letters of any script (IRIs).

    Two thirds of the processor time of a start went into it, and what JupyterLab has it check are no such addresses.
    """
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # jsonschema does without what cannot be imported


def address(port: int, token: str) -> str:
    """What a student opens."""
    return f"http://127.0.0.1:{port}/lab/tree/index.md?token={token}"


def classroom(gate: str) -> dict[str, str]:
    """The variables of a JupyterLab for a class, with the gate ``on`` or ``off``; its book of answers is made empty.

    A machine on which the lesson was rehearsed would not ask: what was answered is not asked again. So a class has a
    book of its own, and each start begins a new one.
    """
    answers = STATE / "class.jsonl"
    answers.parent.mkdir(mode=0o700, exist_ok=True)
    answers.write_bytes(b"")
    return {CLASS: "1", "LABKIT_THEME": "stage", "LABKIT_GATE": gate, "LABKIT_PROGRESS": str(answers)}


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
    keep(TOKEN, secrets.token_hex(24))  # an empty token, on a full disk, would let everybody in


def keep(file: Path, text: str) -> None:
    """Put a file of mode 0600 into the state directory, whole or not at all."""
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)


def _seed_settings() -> None:
    """Give the course its style, its kernels their startup file, and a new student font sizes and a layout.

    What a student has chosen stays.
    """
    style = CONFIG / "custom" / "custom.css"  # no setting names another place
    style.parent.mkdir(parents=True, exist_ok=True)
    style.write_bytes((COURSE / "custom.css").read_bytes())
    startup = STATE / "ipython" / "profile_default" / "startup" / "first_cell.py"  # of the course's kernels alone
    startup.parent.mkdir(parents=True, exist_ok=True)
    startup.write_bytes((COURSE / "first_cell.py").read_bytes())
    for first, place in FIRST.items():
        if not (CONFIG / place).exists():
            (CONFIG / place).parent.mkdir(parents=True, exist_ok=True)
            (CONFIG / place).write_bytes((COURSE / first).read_bytes())


if __name__ == "__main__":
    from labkit.agent import delegation

    delegation.step_aside()
    server(sys.argv[1:]).start()
