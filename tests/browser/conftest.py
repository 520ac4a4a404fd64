"""A JupyterLab on loopback, a Chromium, and notebooks opened in it as a student would."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")

from browser.pages import ARGUMENTS, Notebook  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


class Server:
    """A running JupyterLab and the directory that it serves."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.token, self.port = directory, secrets.token_hex(16), free_port()
        config = directory / ".jupyter"
        (config / "labconfig").mkdir(parents=True)
        shutil.copy(ROOT / "setup/jupyter/page_config.json", config / "labconfig")
        environment = os.environ | {
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTER_RUNTIME_DIR": str(directory / ".runtime"),
            "IPYTHONDIR": str(directory / ".ipython"),
            "PYTHONPATH": str(ROOT),
            "JUPYTER_TOKEN": self.token,  # not on the command line, which is for all to read
        }
        command = [sys.executable, "-m", "jupyterlab", f"--config={ROOT / 'setup/jupyter/jupyter_server_config.py'}"]
        command += [f"--ServerApp.root_dir={directory}", f"--ServerApp.port={self.port}", "--LabApp.default_url=/lab"]
        self.log = directory / "jupyter.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(lambda: self.ask("/api/status"), "JupyterLab to answer", self.log)

    def ask(self, path: str, *, method: str = "GET") -> Any:
        """The server's answer; None while it does not answer."""
        request = urllib.request.Request(
            self.address(path), headers={"Authorization": f"token {self.token}"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.loads(answer.read() or "{}")
        except OSError:
            return None

    def address(self, path: str) -> str:
        """A URL of this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self) -> None:
        """Let it end its kernels and itself."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str, log: Path | None = None) -> Any:
    """What `condition` returns as soon as it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    more = log.read_text(errors="replace")[-2000:] if log else ""
    raise AssertionError(f"waited {PATIENCE:.0f} s for {what}\n{more}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab in a directory of its own."""
    running = Server(tmp_path_factory.mktemp("jupyter"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, else Playwright's own."""
    path = shutil.which("chromium")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def open_notebook(server: Server, browser: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Notebook]]:
    """Write a notebook with these cells, open it in a fresh browser context, and wait for its kernel."""
    opened: list[Notebook] = []

    def open_(*cells: str, width: int = 1280, height: int = 900, dark: bool = False, app: str = "lab") -> Notebook:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale="en-US",
            permissions=["clipboard-read", "clipboard-write"],
        )
        name = f"{request.node.name}-{len(opened)}.ipynb".replace("[", "-").replace("]", "")
        notebook = Notebook(server, context, name, cells, app=app)
        opened.append(notebook)
        if dark:
            notebook.go_dark()
        notebook.wait_for_kernel()
        return notebook

    yield open_
    for notebook in opened:
        notebook.close()
