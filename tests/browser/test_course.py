"""A student's way into the course, from the address that `./lab up` prints to lesson 03; `test_lessons` goes on."""

from __future__ import annotations

from browser.pages import SECOND, Notebook
from playwright.sync_api import expect

LESSON = "03-namespaces-pid-uts-ipc.ipynb"


def test_a_student_takes_lesson_03_with_a_restart_in_the_middle(server, context):
    server.forget_layout()
    page = context.new_page()
    page.set_default_timeout(30 * SECOND)
    page.goto(server.url)
    contents = page.locator(".jp-MarkdownViewer")
    expect(contents.get_by_role("heading", name="The inspectable machine")).to_be_visible(timeout=30 * SECOND)
    expect(page.get_by_text("Would you like to get notified about official Jupyter news?")).to_have_count(0)
    page.wait_for_timeout(3 * SECOND)  # JupyterLab takes links over after drawing them; no attribute tells when
    contents.get_by_role("link", name="Namespaces I: pid").click()

    notebook = Notebook(server, context, LESSON, app="lab", page=page)
    notebook.opened()
    notebook.wait_for_kernel()
    assert server.kernel(LESSON)["name"] == "python3"
    expect(page.get_by_role("button", name="labkit", exact=True)).to_be_visible()
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    size = "selector => getComputedStyle(document.querySelector(selector)).fontSize"
    assert page.evaluate(size, ".jp-CodeCell .cm-content") == "15px"
    assert page.evaluate(size, ".jp-MarkdownCell p") == "16px"

    for cell in (0, 1):
        notebook.run(cell)
    broken = "() => getComputedStyle(document.querySelector('.jp-OutputArea-output pre')).wordBreak"
    player = notebook.player()
    player.press("Next")
    player.is_at(1)
    player.answer("1")
    expect(player.root.locator(".lp-verdict")).to_contain_text("Now press Next and see.")
    probe = notebook.add_cell(
        "print(walk.position, sorted({f.name for f in lab.facts('processes')} - {'init', 'host'}))"
    )
    assert notebook.run(probe) == "1 ['cron']"
    assert page.evaluate(broken) == "normal"
    player.press("Next")
    player.is_at(2)
    expect(player.changes).to_contain_text("process bakery")
    expect(player.root.locator(".lp-verdict")).to_contain_text("Right.")
    assert notebook.run(probe) == "2 ['bakery', 'cron']"
    player.press("Back")
    player.is_at(1)
    assert notebook.run(probe) == "1 ['cron']"

    notebook.restart_kernel()
    expect(player.root.locator(".lp-waiting")).to_contain_text("its lab has gone")
    for cell in (0, 1):
        notebook.run(cell)
    player = notebook.player()
    player.press("Next")
    player.is_at(1)
    player.press("Next")  # the answer has survived the restart
    player.is_at(2)
    assert notebook.run(probe) == "2 ['bakery', 'cron']"
    notebook.close()


def test_the_player_walks_in_notebook_7(open_notebook):
    notebook = open_notebook(
        "from labkit import Lab\nlab = Lab()\nwalk = lab.walk(lab.plans.container('busybox'))\nwalk", app="notebooks"
    )
    notebook.run(0)
    player = notebook.player()
    player.press("Next")
    player.is_at(1)
    expect(player.changes).to_contain_text("new")
    player.press("Back")
    player.is_at(0)
