"""What a student does in the browser, by name: run a cell, press a button of the player, read what it shows."""

from __future__ import annotations

import json
from typing import Any

from browser.checkout import Checkout, wait_for
from playwright.sync_api import BrowserContext, Locator, expect

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SECOND = 1000.0


class Notebook:
    """A notebook in the browser: `name` is its path from the checkout's root."""

    def __init__(self, server: Checkout, context: BrowserContext, name: str, *, app: str) -> None:
        self.server, self.context, self.name, self.app = server, context, name, app
        self.page = context.new_page()
        self.page.set_default_timeout(30 * SECOND)

    def write(self, cells: tuple[str, ...]) -> None:
        """Make it a notebook of these cells."""
        (self.server.directory / self.name).write_text(json.dumps(written(cells)))

    def open(self) -> None:
        """Go to its address."""
        path = f"/lab/tree/{self.name}?reset&" if self.app == "lab" else f"/notebooks/{self.name}?"
        self.page.goto(self.server.address(f"{path}token={self.server.token}"))
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        if self.app == "lab" and self.page.locator(".jp-SideBar .lm-mod-current").count():
            self.page.keyboard.press("Control+b")  # the file browser's place is worth more

    def wait_for_kernel(self) -> None:
        """The page's own indicator comes too early; the server knows."""

        def ready() -> bool:
            kernel = self.server.kernel(self.name)
            return bool(kernel and kernel["execution_state"] == "idle" and kernel["connections"] > 0)

        wait_for(ready, f"the kernel of {self.name}")

    def cell(self, index: int) -> Locator:
        """One code cell."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(index)

    def run(self, index: int) -> str:
        """Run one cell, wait until it has run, return the text of its output."""
        cell = self.cell(index)
        before = cell.locator(".jp-InputPrompt").inner_text()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_function(
            "([cell, before]) => { const now = cell.querySelector('.jp-InputPrompt').innerText;"
            " return now !== before && /\\[\\d+\\]/.test(now) }",
            arg=[cell.element_handle(), before],
        )
        return "\n".join(cell.locator(".jp-OutputArea-output").all_inner_texts())

    def player(self, index: int = 0) -> Player:
        """The player with this number on the page."""
        root = self.page.locator(".labkit-player").nth(index)
        root.wait_for()
        return Player(root)

    def restart_kernel(self) -> None:
        """Kernel > Restart, confirmed."""
        self.page.get_by_role("menuitem", name="Kernel", exact=True).click()
        self.page.get_by_role("menuitem", name="Restart Kernel…", exact=True).click()
        self.page.locator(".jp-Dialog").get_by_role("button", name="Restart", exact=False).click()
        self.page.wait_for_selector(".jp-Dialog", state="detached")
        self.page.wait_for_timeout(500)  # until then the server may still show the old kernel
        self.wait_for_kernel()

    def go_dark(self) -> None:
        """Settings > Theme > JupyterLab Dark."""
        self.page.get_by_role("menuitem", name="Settings", exact=True).click()
        self.page.get_by_role("menuitem", name="Theme", exact=True).click()
        self.page.get_by_role("menuitem", name="JupyterLab Dark", exact=True).click()
        self.page.wait_for_selector('body[data-jp-theme-light="false"]')

    def close(self) -> None:
        """Close the page, and end the kernel."""
        self.context.close()
        for session in self.server.ask("/api/sessions") or []:
            if session["path"].endswith(self.name):
                self.server.ask(f"/api/sessions/{session['id']}", method="DELETE")


class Player:
    """A step player on the page."""

    def __init__(self, root: Locator) -> None:
        self.root, self.page = root, root.page

    def button(self, name: str) -> Locator:
        """One of the buttons: Next, Back, Go to, Run all, Reset."""
        return self.root.get_by_role("button", name=f"{name}:")

    def press(self, name: str) -> None:
        """Click a button."""
        self.button(name).click()

    def is_at(self, position: int) -> None:
        """Wait until so many steps have been taken and nothing is under way."""
        expect(self.root.locator(".lp-place b")).to_have_text(str(position))
        expect(self.root).not_to_have_attribute("aria-busy", "")

    @property
    def title(self) -> Locator:
        """The title of the step that is shown."""
        return self.root.locator("h4")

    @property
    def changes(self) -> Locator:
        """The column with the difference."""
        return self.root.locator(".lp-changes")

    def milliseconds(self) -> float:
        """From the last press to its new state on the screen, as the player measured it."""
        return float(self.root.get_attribute("data-ms") or "nan")


def written(cells: tuple[str, ...]) -> dict[str, Any]:
    """A notebook file with these code cells."""
    made = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        for n, source in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
