"""Lesson 03 as it was recorded, from the address that `./lab up --replay` prints, to the Ctrl-C that ends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.checkout import Checkout, Elsewhere, free_port
from browser.pages import Notebook
from browser.student import PICTURES
from playwright.sync_api import expect

LESSON = "03-namespaces-pid-uts-ipc.ipynb"


@pytest.fixture
def shown(server: Checkout) -> Iterator[Elsewhere]:
    """JupyterLab on the recordings, beside the live one of the same checkout; ended as a student ends it."""
    command = ["./lab", "up", "--replay", "--port", str(free_port())]
    surroundings = server.environment | {"BROWSER": "true"}  # true(1): the one of this machine is not the test's
    with subprocess.Popen(
        command, cwd=server.directory, env=surroundings, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        said = iter(process.stdout or [])
        yield Elsewhere(next(line for line in said if line.startswith("http://")))
        os.killpg(process.pid, signal.SIGINT)  # what the terminal does
        assert list(said) == [] and process.wait(20) == 0


def test_a_recorded_lesson_is_shown_as_recorded_and_walks_both_ways(
    server: Checkout, shown: Elsewhere, context: Any
) -> None:
    server.forget_answers()
    before = {*labs(server)}  # of notebooks that other tests have closed, whose kernels are still ending
    notebook = Notebook(shown, context, LESSON)
    notebook.open()
    notebook.wait_for_kernel()
    recorded = re.compile(r"recorded on Linux 6\.\d+(\.\d+)?, \d+ \w{3} 20\d\d")
    assert recorded.search(notebook.run(0))
    notebook.run(1)
    player = notebook.player()
    expect(player.root.locator(".lp-recorded")).to_have_text(re.compile(recorded.pattern + ": not live"))
    player.press("Next")
    player.is_at(1)
    player.answer("1")
    player.press("Next")
    player.is_at(2)
    expect(player.changes).to_contain_text("process bakery")
    player.press("Back")
    player.is_at(1)
    size = "selector => getComputedStyle(document.querySelector(selector)).fontSize"
    assert notebook.page.evaluate(size, ".jp-CodeCell .cm-content") == "15px"  # the course's settings, here too
    if PICTURES:
        player.root.scroll_into_view_if_needed()
        notebook.page.screenshot(path=Path(PICTURES) / "replay.png")
    assert {*labs(server)} <= before, "a lab was opened"
    notebook.close()


def labs(server: Checkout) -> list[Path]:
    """The run directories of labs."""
    return list((server.directory / ".lab/run").glob("*"))
