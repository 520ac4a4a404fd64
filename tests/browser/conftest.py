"""A Chromium, and notebooks opened in it as a student would, from the address that `./lab up` prints."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")

from browser.checkout import ROOT, Checkout  # noqa: E402
from browser.pages import ARGUMENTS, SECOND, Notebook  # noqa: E402
from ringreport import plugin  # noqa: E402

#: where the browser's context is found when a test has failed
OPEN = pytest.StashKey[Any]()

playwright.expect.set_options(timeout=20 * SECOND)  # patience for a busy machine; nothing is measured here


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n 2 --dist loadgroup` each worker has a checkout and a browser: a page's tests stay with one of them."""
    for item in items:
        if "browser" in item.path.parts and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        if "browser" in item.path.parts and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(240))  # the first of a worker makes a checkout, a lesson has 50 cells


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A fresh checkout with its JupyterLab running."""
    running = Checkout(tmp_path_factory.mktemp("checkout"))
    yield running
    running.stop()
    left = list((running.directory / ".lab/run").glob("*"))
    assert not left, f"labs left behind: {left}"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, else Playwright's own."""
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def context(browser: Any, pytestconfig: pytest.Config) -> Iterator[Any]:
    """One student's browser: what JupyterLab loads is loaded once."""
    made = browser.new_context(
        locale="en-US", reduced_motion="reduce", permissions=["clipboard-read", "clipboard-write"]
    )
    pytestconfig.stash[OPEN] = made
    yield made
    del pytestconfig.stash[OPEN]
    made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With ``--report DIR``: a screenshot of each page that is open when a test fails."""
    report = yield
    directory, context = plugin.place(item.config), item.config.stash.get(OPEN, None)
    if report.failed and directory and context:
        name = re.sub(r"\W+", "-", item.nodeid.partition("browser/")[2])[:120]
        (directory / "screenshots").mkdir(parents=True, exist_ok=True)
        for number, page in enumerate(context.pages):
            path = directory / "screenshots" / f"{name}-{report.when}-{number}.png"
            try:
                page.screenshot(path=path, timeout=10 * SECOND)
            except playwright.Error as error:  # it hangs, or has crashed: that is worth knowing, too
                path.with_suffix(".txt").write_text(f"{page.url}: {error}\n")
    return report


@pytest.fixture(scope="module")
def open_notebook(server: Checkout, context: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Notebook]]:
    """Open a notebook, of these cells or of the course, in a page of its own, and wait for its kernel.

    `app` is ``lab`` or ``notebooks``, which is Notebook 7.
    """
    opened: list[Notebook] = []

    def open_(*cells: str, lesson: str = "", width: int = 1280, height: int = 900, app: str = "lab") -> Notebook:
        name = lesson or f"{request.module.__name__.rpartition('.')[2]}-{len(opened)}.ipynb"
        notebook = Notebook(server, context, name, app=app)
        opened.append(notebook)
        notebook.page.set_viewport_size({"width": width, "height": height})
        if not lesson:
            notebook.write(cells)
        elif (ROOT / "notebooks" / lesson).exists():
            notebook.begin_anew()
        notebook.open()
        notebook.wait_for_kernel()
        return notebook

    yield open_
    for notebook in opened:
        notebook.close()
