"""The copies that the course's own JupyterLab serves: which directory they are in, brought up to date and trusted.

JupyterLab shows pictures only of notebooks that this account signed. A signature is a keyed digest of the whole
notebook, in a database of the account; JupyterLab adds one whenever it saves a notebook all of whose outputs were made
here. So a notebook that came by mail or by git stays untrusted, and a fresh copy is signed here.

See: nbformat.sign; jupyter_server "Security in notebook documents".
"""

from __future__ import annotations

import importlib
from pathlib import Path

from labkit import copies, jupyter


def bring(directory: str = "") -> Path:
    """Bring the copies up to date, and say what is new; without a directory those that were served last.

    Returns where they are. Raises LabError.
    """
    copied = copies.copy(Path(directory).absolute() if directory else last() or copies.default())
    sign(copied, jupyter.trust())
    if last() != copied.directory:
        jupyter.keep(jupyter.WORK, f"{copied.directory}\n")
    if str(copied):
        print(copied, flush=True)
    return copied.directory


def last() -> Path | None:
    """The directory that was served last; None before the first time."""
    try:
        return Path(jupyter.WORK.read_text(encoding="utf-8").rstrip("\n"))
    except FileNotFoundError:
        return None


def sign(copied: copies.Copied, trust: Path | None = None) -> None:
    """Sign what was put there; with the key in `trust`, or that of the servers which this account usually starts."""
    notebooks = [copied.directory / name for name in (*copied.brought, *copied.beside) if name.endswith(".ipynb")]
    if not notebooks:
        return
    jupyter.spare_the_grammar()
    nbformat = importlib.import_module("nbformat")
    notary = importlib.import_module("nbformat.sign")
    try:
        if trust:
            trust.mkdir(mode=0o700, parents=True, exist_ok=True)
        with notary.NotebookNotary(**({"data_dir": str(trust)} if trust else {})) as signer:
            for path in notebooks:
                signer.sign(nbformat.read(path, as_version=4))
    except OSError as error:  # they have no outputs yet, so that nothing is lost but the mark "trusted"
        print(f"note: your copies could not be signed: {error}")
