"""A fresh copy of this checkout, set up and started by its own `./lab up`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


class Checkout:
    """The copy, and the JupyterLab that runs from it. `url` is the address that `./lab up` printed.

    `work` is the directory that it serves: the student's copies of the lessons. With a `user`, a number, ./lab runs as
    that one, who has a home in `directory` and may not write the clone.
    """

    def __init__(self, directory: Path, *, user: int | None = None) -> None:
        self.directory = directory / "clone"
        self.work = directory / "home/labkit"
        self.work.parent.mkdir()
        self.user = user
        kept = directory / "home" if user else self.directory / ".lab"
        directory = self.directory
        copy_files(directory)
        copy_environment(directory)
        own = {name: value for name, value in os.environ.items() if not name.startswith(("CONDA", "LABKIT", "JUPYTER"))}
        self.environment = own | {
            "LABKIT_PROGRESS": str(kept / "progress.jsonl"),  # a new student's, and nobody else's
            "LABKIT_RUN": str(kept / "run"),
        }
        if user:
            os.chown(self.work.parent, user, user)
            self.environment |= {"HOME": str(self.work.parent), "USER": "student", "LOGNAME": "student"}
        self.log = directory / ".lab/jupyter.log"
        self.start()

    def start(self) -> None:
        """./lab up."""
        done = self.lab("up", "--no-sudo-rule", "--work", str(self.work), "--port", str(free_port()))
        self.url = done.stdout.split()[-1]
        parts = urlsplit(self.url)
        self.port, self.token = parts.port, parse_qs(parts.query)["token"][0]

    def lab(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run this copy's ./lab. Raises AssertionError with what it said if it fails."""
        done = subprocess.run(
            ["./lab", *words], cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=600, check=False, user=self.user, group=self.user,
            extra_groups=None if self.user is None else [],
        )  # fmt: skip
        assert done.returncode == 0, f"./lab {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def ask(self, path: str, *, method: str = "GET") -> Any:
        """The server's answer; None while it does not answer."""
        request = urllib.request.Request(
            self.address(path), headers={"Authorization": f"token {self.token}"}, method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is not behind a proxy
        try:
            with opener.open(request, timeout=20) as answer:
                return json.loads(answer.read() or "{}")
        except OSError:
            return None

    def address(self, path: str) -> str:
        """A URL of this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def kernel(self, notebook: str) -> dict[str, Any] | None:
        """The kernel of this notebook as the server knows it: name, execution_state, connections."""
        sessions = self.ask("/api/sessions") or []
        return next((each["kernel"] for each in sessions if each["path"].endswith(notebook)), None)

    def forget_layout(self) -> None:
        """As on a student's first visit: no layout of an earlier one, which JupyterLab would restore, late."""
        for layout in (self.directory / ".lab/jupyter/config/lab/workspaces").glob("*"):
            shutil.copyfile(ROOT / "setup/jupyter/first.jupyterlab-workspace", layout)

    def forget_answers(self) -> None:
        """As a student who has answered nothing yet."""
        Path(self.environment["LABKIT_PROGRESS"]).unlink(missing_ok=True)

    def stop(self) -> None:
        """./lab down: it ends its kernels, and they their labs."""
        self.lab("down")


class Elsewhere(Checkout):
    """A JupyterLab that somebody else has started, known by its address alone."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.port, self.token = parts.port, parse_qs(parts.query)["token"][0]


def copy_files(directory: Path) -> None:
    """The files that git knows or would take, as they are now."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)


def copy_environment(directory: Path) -> None:
    """The Python environment as `./lab up` would make it there, without asking the package index again.

    Hard links, as it is large; but what speaks of its place, or may be written to, is a file of its own.
    """
    shutil.copytree(sys.prefix, directory / ".venv", symlinks=True, copy_function=link)
    for file in (directory / ".venv").glob("lib/python*/site-packages/*labkit*.pth"):
        replace(file, str(directory))
    python = directory / ".venv/bin/python"
    stamp = f"{directory} {python}\n".encode() + (directory / "pyproject.toml").read_bytes()
    replace(directory / ".venv/.labkit", hashlib.sha256(stamp).hexdigest() + "\n")
    share = directory / ".venv/share/jupyter"
    for file in (*share.glob("lab/settings/*.json"), *share.glob("kernels/python3/kernel.json")):
        replace(file, file.read_text())


def link(source: str, target: str) -> None:
    """A hard link, or where that is not possible a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def replace(file: Path, text: str) -> None:
    """A new file in the place of a link."""
    file.unlink(missing_ok=True)
    file.write_text(text)


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` returns as soon as it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {PATIENCE:.0f} s for {what}")
