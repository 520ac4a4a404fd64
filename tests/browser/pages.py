"""What a student does in the browser, by name: run a cell, press a button of the player, read what it shows."""

from __future__ import annotations

import json
from typing import Any

from browser.checkout import ROOT, Checkout, wait_for
from playwright.sync_api import BrowserContext, Error, Locator, Page, expect

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SECOND = 1000.0
PLAYER = ".labkit-player:not(.labkit-card, .labkit-live)"

#: a cell has run when its prompt had a star and has none any more; a stored number may be the new one as well
_WATCH = """cell => {
  const prompt = cell.querySelector(".jp-InputPrompt");
  let begun = false;
  cell.dataset.ran = "";
  new MutationObserver(() => {
    if (prompt.textContent.includes("*")) begun = true;
    else if (begun) cell.dataset.ran = "yes";
  }).observe(prompt, { childList: true, characterData: true, subtree: true });
  cell.querySelector(".cm-content").focus();
}"""

#: told by the page itself the moment it is so: asking it again and again is what costs the time of a slow machine
_WHEN = """(root, [condition, wanted, limit]) => new Promise((done, fail) => {
  const holds = eval(condition);
  const look = () => holds(root, wanted) && (watch.disconnect(), clearTimeout(clock), done());
  const watch = new MutationObserver(look);
  const clock = setTimeout(() => (watch.disconnect(), fail(Error(root.innerText))), limit);
  watch.observe(root, { attributes: true, childList: true, characterData: true, subtree: true });
  look();
})"""
_RAN = "cell => cell.dataset.ran"
_AT = "(root, at) => root.querySelector('.lp-place b')?.textContent === at && !root.hasAttribute('aria-busy')"

#: what sticks out of the page to the right and cannot be scrolled to, or is cut off within its own box
_LOST = """(selector) => [...document.querySelectorAll(selector)].filter((node) => {
  const part = node.closest(".jp-OutputArea-output, .jp-RenderedMarkdown");
  if (!part || !node.getClientRects().length || node.closest(".lp-voice") || node.ownerSVGElement) return false;
  const style = getComputedStyle(node);
  const cut = style.overflowX === "hidden" && style.display !== "inline" && node.scrollWidth > node.clientWidth + 1;
  if (cut) return true;
  if (node.getBoundingClientRect().right <= part.getBoundingClientRect().right + 1) return false;
  for (let box = node.parentElement; box; box = box.parentElement) {
    if (box.scrollWidth > box.clientWidth && ["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
    if (box.matches(".jp-OutputArea, .jp-RenderedMarkdown")) break;
  }
  return true;
}).map((node) => `${node.tagName}.${node.className.baseVal ?? node.className}: ${node.textContent.slice(0, 50)}`)"""


def when(shown: Locator, condition: str, wanted: str, what: str, *, patience: float = 20 * SECOND) -> None:
    """Wait until `condition`, a JavaScript function of the node and of `wanted`, is true of what is `shown`."""
    try:
        shown.evaluate(_WHEN, [condition, wanted, patience])
    except Error as error:
        raise AssertionError(f"waited {patience / SECOND:.0f} s for {what}: {error}") from None


class Notebook:
    """A notebook in the browser: `name` is its path in the directory that is served."""

    def __init__(
        self, server: Checkout, context: BrowserContext, name: str, *, app: str = "lab", page: Page | None = None
    ) -> None:
        self.server, self.name, self.app = server, name, app
        self.page = page or context.new_page()
        self.page.set_default_timeout(30 * SECOND)

    def write(self, cells: tuple[str, ...]) -> None:
        """Make it a notebook of these cells."""
        (self.server.work / self.name).write_text(json.dumps(written(cells)))

    def begin_anew(self) -> None:
        """Make a lesson what a student gets, whatever an earlier test has left: JupyterLab saves by itself."""
        from labkit import copies  # imported here: tests/vm/browse.py has Playwright and no labkit

        course = ROOT / "notebooks" / self.name
        (self.server.work / self.name).write_bytes(copies.without_outputs(course.read_bytes()))

    def open(self) -> None:
        """Go to its address."""
        path = f"/lab/tree/{self.name}?reset&" if self.app == "lab" else f"/notebooks/{self.name}?"
        self.page.goto(self.server.address(f"{path}token={self.server.token}"))
        self.opened()

    def opened(self) -> None:
        """Wait until it is there."""
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        if self.app == "lab" and self.page.locator(".jp-SideBar .lm-mod-current").count():
            self.page.keyboard.press("Control+b")  # the file browser's place is worth more

    def wait_for_kernel(self) -> None:
        """The page's own indicator comes too early; the server knows."""

        def ready() -> bool:
            kernel = self.server.kernel(self.name)
            return bool(kernel and kernel["execution_state"] == "idle" and kernel["connections"] > 0)

        wait_for(ready, f"the kernel of {self.name}")

    @property
    def cells(self) -> Locator:
        """The code cells."""
        return self.page.locator(".jp-Notebook .jp-CodeCell")

    def cell(self, index: int) -> Locator:
        """One code cell."""
        return self.cells.nth(index)

    def begin(self, index: int) -> Locator:
        """Run one cell, and do not wait for its end."""
        cell = self.cell(index)
        cell.evaluate(_WATCH)
        self.page.keyboard.press("Control+Enter")
        return cell

    def run(self, index: int) -> str:
        """Run one cell, wait until it has run, return the text of its output. Raises AssertionError if it failed."""
        cell = self.begin(index)
        when(cell, _RAN, "yes", f"the end of cell {index}", patience=60 * SECOND)
        for error in cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts():
            raise AssertionError(f"cell {index} failed: {error}")
        return "\n".join(cell.locator(".jp-OutputArea-output").all_inner_texts()).strip()

    def write_cell(self, index: int, source: str) -> None:
        """Put other text into a cell."""
        self.cell(index).locator(".cm-content").focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def clear(self, index: int) -> None:
        """Take away what a cell has shown."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Escape")
        self.page.get_by_role("menuitem", name="Edit", exact=True).click()
        self.page.get_by_role("menuitem", name="Clear Cell Output", exact=True).click()

    def add_cell(self, source: str) -> int:
        """A new cell at the end; its number."""
        count = self.cells.count()
        self.cells.last.locator(".cm-content").click()
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("b")
        expect(self.cells).to_have_count(count + 1)
        self.write_cell(count, source)
        return count

    def player_of(self, cell: int) -> Player:
        """The player that this cell shows."""
        root = self.cell(cell).locator(PLAYER)
        root.wait_for()
        return Player(root)

    def player(self, index: int = 0) -> Player:
        """The player with this number on the page."""
        root = self.page.locator(PLAYER).nth(index)
        root.wait_for()
        return Player(root)

    def reload(self) -> None:
        """The browser's own button, with no thought of saving."""
        self.page.reload()
        self.opened()
        self.wait_for_kernel()

    def reopen(self) -> None:
        """Close the notebook's tab, and open the notebook again in the same page."""
        self.page.locator(".lm-TabBar-tab.lm-mod-current .lm-TabBar-tabCloseIcon").last.click()
        expect(self.page.locator(".jp-Notebook")).to_have_count(0)
        self.page.evaluate("path => jupyterapp.commands.execute('docmanager:open', { path })", self.name)
        self.opened()
        self.wait_for_kernel()

    @property
    def saved(self) -> Locator:
        """What stands in place of widgets whose kernel has gone."""
        return self.page.locator(".lk-saved")

    def restart_kernel(self) -> None:
        """The button in the tool bar, confirmed."""
        self.page.get_by_role("button", name="Restart the kernel", exact=True).click()
        self.page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
        self.page.wait_for_selector(".jp-Dialog", state="detached")
        self.page.wait_for_timeout(500)  # until then the server may still show the old kernel
        self.wait_for_kernel()

    def choose_theme(self, name: str) -> None:
        """Settings > Theme > JupyterLab Dark, say; kept by the server until another is chosen."""
        self.page.locator(".lm-MenuBar-item", has_text="Settings").click()
        entries = self.page.locator(".lm-Menu-item")
        entries.filter(has_text="Theme").first.click()
        entries.filter(has_text=f"JupyterLab {name}").first.click()
        self.page.wait_for_selector(f'body[data-jp-theme-name="JupyterLab {name}"]', state="attached")

    def lost(self, selector: str) -> list[str]:
        """What of this sticks out of the page where nobody can read it."""
        return list(self.page.evaluate(_LOST, selector))

    def close(self) -> None:
        """Close the page, and end the kernel."""
        self.page.close()
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
        when(self.root, _AT, str(position), f"step {position}")

    @property
    def total(self) -> int:
        """How many steps the plan has."""
        return int(self.root.locator(".lp-place").inner_text().split()[-1])

    def answer(self, choice: str) -> None:
        """Answer the question that is open: with this choice, or this line."""
        asked = self.root.locator(".lp-question")
        if asked.get_by_role("radio").count():
            asked.get_by_role("radio", name=choice, exact=True).check()
        else:
            asked.get_by_role("textbox").fill(choice)
        asked.get_by_role("button", name="Answer").click()
        expect(asked.locator(".lp-verdict").last).to_contain_text("Now press Next and see.")

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
