"""A terminal in the notebook: typed into, flooded, resized, ended, and left with the keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from labkit.view import xterm

pytestmark = pytest.mark.skipif(not xterm.installed(), reason=f"the package {xterm.PACKAGE} is not installed here")

START = """from labkit import Lab
lab = Lab()
box = lab.run("busybox", "sleep 1000", name="box", detach=True)"""
SHELL = "shell = box.shell()\nshell"


class Screen:
    """The terminal of a page, read as a screen reader does, from its accessibility tree."""

    def __init__(self, notebook, index=0):
        self.page = notebook.page
        self.root = self.page.locator(".labkit-terminal").nth(index)
        self.root.locator(".xterm-accessibility-tree").wait_for(state="attached")
        self.shows("/ #")

    def type(self, text):
        self.root.locator("textarea.xterm-helper-textarea").focus()
        self.page.keyboard.type(text)

    def shows(self, text):
        expect(self.root.locator(".xterm-accessibility-tree")).to_contain_text(text)

    def run(self, command, answer):
        self.type(f"{command}\n")
        self.shows(answer)


@pytest.fixture
def opened(open_notebook):
    """A notebook with a shell in a container."""
    notebook = open_notebook(START, SHELL, "1 + 1", "lab.close()")
    notebook.run(0)
    notebook.run(1)
    return notebook, Screen(notebook)


def test_a_shell_answers_and_knows_its_size(opened):
    notebook, screen = opened
    screen.run("hostname; echo $((6*7))", "42")
    screen.run("stty size | tr ' ' x", "x")
    width = notebook.page.evaluate("document.querySelector('.lt-screen').clientWidth")
    notebook.page.set_viewport_size({"width": 800, "height": 800})
    notebook.page.wait_for_function(f"document.querySelector('.lt-screen').clientWidth < {width} - 200")
    screen.run("clear; echo columns: $(stty size | cut -d' ' -f2 | sed 's/../&./')", "columns: ")
    notebook.page.wait_for_timeout(200)
    screen.run("test $(stty size | cut -d' ' -f2) -lt 90 && echo nar''row", "narrow")


def test_the_cell_run_again_shows_the_same_shell_with_what_was_on_it(opened):
    notebook, screen = opened
    screen.run("kept=tulip; echo first-$kept", "first-tulip")
    notebook.run(1)
    again = Screen(notebook)
    again.shows("first-tulip")
    again.run("echo still-$kept", "still-tulip")


def test_a_flood_is_slowed_down_loses_nothing_and_hears_ctrl_c(opened):
    notebook, screen = opened
    screen.type("yes flood\n")
    screen.shows("flood")
    notebook.page.wait_for_timeout(1000)
    assert notebook.run(2) == "2"  # the kernel is free
    screen.root.locator("textarea.xterm-helper-textarea").focus()
    notebook.page.keyboard.press("Control+c")
    screen.run("echo after-$((1+1))", "after-2")
    screen.run("seq 1 20000 | md5sum; seq 1 20000; echo whole", "whole")


def test_the_end_of_the_shell_is_told_and_the_next_run_starts_another(opened):
    notebook, screen = opened
    screen.type("exit\n")
    expect(screen.root.get_by_text("The shell has ended.").first).to_be_visible()
    notebook.run(1)
    Screen(notebook).run("echo new-$((2+2))", "new-4")


def test_a_closed_lab_ends_the_terminal(opened):
    notebook, screen = opened
    notebook.run(3)
    expect(screen.root.get_by_text("The shell has ended.").first).to_be_visible()


def test_the_keyboard_gets_in_and_out_again(opened):
    notebook, screen = opened
    page = notebook.page
    screen.type("echo in")
    screen.shows("echo in")
    expect(page.get_by_role("textbox", name="terminal in box")).to_be_focused()
    page.keyboard.press("Shift+Escape")
    expect(screen.root).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy command")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("navigator.clipboard.readText()").startswith("sudo nsenter --target ")
