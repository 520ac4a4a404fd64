"""From a click on Next or Back to the new state on the screen, in a real JupyterLab in a real Chromium.

The player measures itself: from the press to the frame after the one in which the new state was drawn. So
the way through the browser, the server, the notebook's kernel, the agent and back is all in it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Timing
from benchmarks.report import Goal, Part, timings

if TYPE_CHECKING:
    from browser.pages import Notebook, Player

BOUND = 100
PRESSES = 110  # of each button, whatever --rounds says: a p95 of less means nothing
CELL = """from labkit import Lab
lab = Lab()
walk = lab.walk(lab.plans.container("busybox", hostname="c1"))
walk"""
TESTS = Path(__file__).resolve().parents[1] / "tests"


def player(scratch: Path, rounds: int) -> Part:
    """Over all steps of a container and back again, until each button was pressed often enough."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        goal = Goal(
            "step player, from click to screen", BOUND, "ms", None, "Playwright is not here: ./lab test browser"
        )
        return Part("the step player", (), [goal])
    seconds: dict[str, list[float]] = {"Next": [], "Back": []}
    with opened(scratch, CELL) as notebook:
        shown = notebook.player()
        while len(seconds["Next"]) < max(PRESSES, rounds):
            for name, positions in (("Next", range(1, shown.total + 1)), ("Back", range(shown.total - 1, -1, -1))):
                for position in positions:
                    seconds[name].append(pressed(shown, name, position))
    measured = {name: Timing(tuple(times)) for name, times in seconds.items()}
    goals = [
        Goal(
            f"step player, {name}: from click to screen",
            BOUND,
            "ms",
            1000 * timing.median,
            f"p95 {1000 * timing.p95:.0f}",
        )
        for name, timing in measured.items()
    ]
    return Part(f"the step player: {len(seconds['Next'])} presses of each button", timings(measured), goals)


@contextmanager
def opened(scratch: Path, cell: str) -> Iterator[Notebook]:
    """A notebook whose first cell has run, on a page of a checkout of its own."""
    sys.path.insert(0, str(TESTS))
    from browser.checkout import Checkout
    from browser.pages import ARGUMENTS, Notebook
    from playwright.sync_api import sync_playwright

    server = Checkout(scratch / "checkout")
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            notebook = Notebook(server, browser.new_context(reduced_motion="reduce"), "bench.ipynb")
            notebook.write((cell,))
            notebook.open()
            notebook.wait_for_kernel()
            notebook.run(0)
            yield notebook
            browser.close()
    finally:
        server.stop()


def pressed(shown: Player, name: str, position: int) -> float:
    """Press, wait until the walk is there and the player has measured it; seconds."""
    shown.root.evaluate("root => delete root.dataset.ms")
    shown.press(name)
    shown.is_at(position)
    shown.root.and_(shown.page.locator("[data-ms]")).wait_for()
    return shown.milliseconds() / 1000
