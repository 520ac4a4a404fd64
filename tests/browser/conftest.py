"""A Chromium, and notebooks opened in it as a student would, from the address that `./lab up` prints."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")

from browser.checkout import Checkout  # noqa: E402
from browser.pages import ARGUMENTS, SECOND, Notebook  # noqa: E402

playwright.expect.set_options(timeout=20 * SECOND)  # patience for a busy machine; nothing is measured here


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n 2 --dist loadgroup` each worker has a checkout and a browser: a page's tests stay with one of them."""
    for item in items:
        if "browser" in item.path.parts and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


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
def context(browser: Any) -> Iterator[Any]:
    """One student's browser: what JupyterLab loads is loaded once."""
    made = browser.new_context(
        locale="en-US", reduced_motion="reduce", permissions=["clipboard-read", "clipboard-write"]
    )
    yield made
    made.close()


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
        notebook.open()
        notebook.wait_for_kernel()
        return notebook

    yield open_
    for notebook in opened:
        notebook.close()
