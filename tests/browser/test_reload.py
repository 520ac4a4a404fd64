"""A page that is loaded again, a tab that is opened again, a kernel that has gone: what widgets show then."""

from __future__ import annotations

import json
import re

import pytest
from browser.checkout import ROOT
from browser.pages import SECOND
from playwright.sync_api import expect

LESSON = "03-namespaces-pid-uts-ipc.ipynb"
AGAIN = "Run the cell again to go on."
START = f"""import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from fake_watches import Pretended
from labkit import Lab, learn
from labkit.cgroups.limits import Limits
from labkit.view.panel import Panel
from labkit.view.pictures import namespace_map
lab = Lab()
web = Pretended("web", past=90, cpu=0.6, limits=Limits(cpu=0.25, memory="64M"))"""
ASK = 'learn.lesson("nb03").quiz.sit(lab)'
GO = 'lab.walk(lab.plans.container("busybox", hostname="c1")).goto(2)'
TYPE = 'lab.run("busybox", "sleep 1000", name="box", detach=True).shell()'
PICTURE, QUIZ, WALK, PANEL, SHELL = range(1, 6)
CELLS = (START, "namespace_map(lab)", ASK, GO, "Panel(web)", TYPE)


@pytest.fixture(scope="module")
def lesson(open_notebook):
    """A notebook of the course with its first player."""
    opened = open_notebook(lesson=LESSON)
    for cell in (0, 1):
        opened.run(cell)
    return opened


@pytest.fixture(scope="module")
def mixed(open_notebook):
    """A picture and a widget of each kind."""
    opened = open_notebook(*CELLS)
    for cell in range(len(CELLS)):
        opened.run(cell)
    expect(opened.cell(SHELL).locator(".labkit-terminal")).to_contain_text("/ #")
    opened.cell(PANEL).locator(".labkit-live").scroll_into_view_if_needed()
    expect(opened.cell(PANEL).locator("tbody td").first).to_have_text("25 %")
    return opened


def saves_itself(notebook):
    """Wait until page and file are the same, not so long that JupyterLab's own clock may have saved it."""
    dirty = "() => !jupyterapp.shell.currentWidget.context.model.dirty"
    notebook.page.wait_for_function(dirty, timeout=5 * SECOND)


def test_a_course_notebook_goes_on_after_a_reload_and_in_a_reopened_tab_and_is_readable_the_next_day(lesson, server):
    player = lesson.player()
    player.press("Next")
    player.is_at(1)
    saves_itself(lesson)
    lesson.reload()
    player = lesson.player()
    player.is_at(1)
    player.press("Back")
    player.is_at(0)
    lesson.reopen()
    player = lesson.player()
    player.is_at(0)
    player.press("Next")
    player.is_at(1)
    lesson.page.wait_for_timeout(SECOND)  # labkit.view.saved writes when half a second has passed
    server.lab("down")
    server.start()
    lesson.open()
    lesson.wait_for_kernel()
    expect(lesson.saved).to_contain_text("two ways to start a process: 1 of 3 steps taken")
    for part in (AGAIN, "✓ 1  start cron", "· 2  start bakery", "clone3(", "+ process cron"):
        expect(lesson.saved).to_contain_text(part)
    expect(lesson.page.get_by_text("Error displaying widget")).to_have_count(0)
    for cell in (0, 1):
        lesson.run(cell)
    lesson.player().is_at(0)
    expect(lesson.saved).to_have_count(0)


def test_saves_that_meet_each_other_ask_nothing(mixed):
    """JupyterLab takes a file that it saved a moment ago for one that somebody else has changed."""
    mixed.page.evaluate("""async () => {
      const { context } = window.jupyterapp.shell.currentWidget;
      const saves = [];
      for (let number = 0; number < 5; number += 1) {
        context.model.sharedModel.setMetadata("test", number);
        saves.push(context.save());
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await Promise.race([Promise.all(saves), new Promise((resolve) => setTimeout(resolve, 10000))]);
    }""")
    expect(mixed.page.locator(".jp-Dialog")).to_have_count(0)


@pytest.mark.parametrize(
    ("cell", "control"), [(WALK, ".lp-do-next"), (QUIZ, "input[type=radio]"), (PANEL, "input[type=range]")]
)
def test_control_s_saves_with_the_focus_in_a_widget_which_keeps_it(mixed, cell, control):
    focused = mixed.cell(cell).locator(control).first
    focused.focus()
    expect(focused).to_be_focused()
    with mixed.page.expect_request(lambda asked: asked.method == "POST" and "/checkpoints" in asked.url):
        mixed.page.keyboard.press("Control+s")  # what saves itself makes no checkpoint
    expect(focused).to_be_focused()


def test_keys_without_control_stay_in_the_widget(mixed):
    cells = mixed.cells.count()
    for cell, control in ((WALK, ".lp-do-next"), (QUIZ, "input[type=radio]"), (PANEL, "input[type=range]")):
        mixed.cell(cell).locator(control).first.focus()
        for key in ("a", "b", "d", "d", "x"):  # to JupyterLab: a cell more above, below, deleted, cut
            if (cell, key) != (WALK, "b"):
                mixed.page.keyboard.press(key)
    assert mixed.cells.count() == cells


def test_what_is_left_of_each_widget_when_its_kernel_has_gone(mixed):
    mixed.write_cell(0, "web.watches[-1].happens('ended')")  # a busy machine may kill a kernel before it has drawn
    mixed.run(0)
    expect(mixed.cell(PANEL).locator(".lv-state")).to_contain_text("It has ended")
    mixed.write_cell(0, "'after the figure'")
    mixed.run(0)
    mixed.restart_kernel()
    for cell in (WALK, QUIZ, PANEL, SHELL):
        expect(mixed.cell(cell)).to_contain_text("its lab has gone")
    mixed.write_cell(0, "'a new kernel'")
    mixed.run(0)  # then the old one has really ended
    mixed.reload()
    for cell, words in (
        (WALK, ("container c1: 2 of ", "✓ 2  start c1")),
        (QUIZ, ("Quiz: 7 questions", "○ 8")),
        (PANEL, ("live panel of web", "CPU 25 %", "oom: dd")),
        (SHELL, ("Terminal in box", "/ #")),
    ):
        left = mixed.cell(cell).locator(".lk-saved")
        for part in (*words, AGAIN):
            expect(left).to_contain_text(part)
    figure = mixed.cell(PANEL).get_by_role("img")
    expect(figure).to_have_count(1)
    assert figure.evaluate("image => image.naturalWidth") > 500
    expect(mixed.cell(PICTURE).get_by_role("img", name="Which process is in which namespace")).to_be_visible()
    expect(mixed.cell(PICTURE).locator("pre")).to_have_count(0)


def test_where_jupyterlab_trusts_nothing_the_same_can_be_read(mixed, server, context, open_notebook):
    mixed.page.keyboard.press("Control+s")
    file = server.work / mixed.name
    stored = json.loads(file.read_text())
    stored["cells"][0]["source"] = "# somebody else's"  # nobody has signed this
    (server.work / "foreign.ipynb").write_text(json.dumps(stored))
    foreign = open_notebook(lesson="foreign.ipynb")
    expect(foreign.page.locator(".lk-svg")).to_have_count(0)
    picture = foreign.cell(PICTURE).locator(".jp-OutputArea-output")
    expect(picture).to_have_text(
        re.compile(r"^\s*Which process is in which namespace\s+process  uts .*└─ host", re.DOTALL)
    )
    expect(foreign.cell(WALK)).to_contain_text("✓ 2  start c1")
    expect(foreign.cell(QUIZ)).to_contain_text("○ 8")
