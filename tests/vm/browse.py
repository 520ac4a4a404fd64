"""A student's browser on the host, and a lesson in the VM: `python tests/vm/browse.py ADDRESS PICTURE`.

Opens the address that `vagrant up` printed, runs the first section of lesson 03 and asks the lesson's Python for the
kernel's version. Prints that; exits with an error when anything of it is not as on any other machine.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from browser import checkout, pages
from playwright.sync_api import expect, sync_playwright

LESSON = "03-namespaces-pid-uts-ipc.ipynb"
SLOWER = 10  # a processor in software has no hurry


def main(address: str, picture: str) -> None:
    """Be that student."""
    checkout.PATIENCE *= SLOWER
    pages.SECOND *= SLOWER
    expect.set_options(timeout=60 * pages.SECOND)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=pages.ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address, timeout=60 * pages.SECOND)
        expect(page.locator("body")).to_contain_text("labkit")
        notebook = pages.Notebook(checkout.Elsewhere(address), browser.contexts[0], LESSON, page=page)
        notebook.open()
        notebook.wait_for_kernel()
        for index in (0, 1):  # the imports, the plan
            notebook.run(index)
        notebook.run(notebook.add_cell("walk.next(); walk.answer('b')"))  # before its second step the lesson asks
        shown = notebook.run(2)
        assert "CLONE_NEWPID" in shown and "+ process bakery" in shown, shown
        said = notebook.run(notebook.add_cell("import os; print(os.uname().release)"))
        page.screenshot(path=picture)
        browser.close()
    assert said != os.uname().release, f"{said} is the host's own kernel"
    print(f"lesson 03 ran in the browser; its kernel is Linux {said}, the host's {os.uname().release}")


if __name__ == "__main__":
    main(*sys.argv[1:])
