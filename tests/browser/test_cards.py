"""Exercises, faults, quizzes and the progress as a student meets them in the browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

LAB = """from labkit import Lab, learn
from labkit.namespaces.names import SetHostname
from labkit.namespaces.spawn import Spawn
lab, lesson = Lab(), learn.lesson("nb03")"""
CHECK = 'posed = lesson.check("own-name").pose(lab)\nposed'
SOLVE = 'lab.take_all([Spawn(child="sign", namespaces=("uts",)), SetHostname(who="sign", name="bakery")])'
FAULT = 'lab.reset()\nfault = lesson.fault("full-table").plant(lab)\nfault'
REPAIR = 'lesson.fault("full-table").repair(lab)\nprint(fault.check())'
QUIZ = "quiz = lesson.quiz.sit(lab)\nquiz"
CELLS = (LAB, CHECK, SOLVE, FAULT, REPAIR, QUIZ, "learn.progress.table()")


@pytest.fixture(scope="module")
def notebook(open_notebook):
    """The page, all cells but the repairs run."""
    opened = open_notebook(*CELLS)
    for cell in (0, 1):
        opened.run(cell)
    return opened


def card(notebook, cell):
    """The card of this cell."""
    shown = notebook.cell(cell).locator(".labkit-card")
    shown.wait_for()
    return shown


def test_an_exercise_gives_a_hint_until_the_kernel_is_as_it_should_be(notebook):
    shown = card(notebook, 1)
    expect(shown).to_have_accessible_name("Exercise: own-name")
    shown.get_by_role("button", name="Check").press("Enter")
    expect(shown.locator(".lp-verdict")).to_contain_text("✗ Not yet: there is no process yet")
    expect(shown.get_by_role("button", name="Check")).to_be_focused()
    notebook.run(2)
    shown.get_by_role("button", name="Check").press("Enter")
    expect(shown.locator(".lp-verdict")).to_contain_text("✓ Right:")
    expect(shown.locator("[aria-live=polite]")).to_contain_text("Right:")
    assert "null" not in shown.inner_text()


def test_a_fault_is_told_by_its_symptom_and_follows_what_a_cell_finds(notebook):
    notebook.run(3)
    shown = card(notebook, 3)
    expect(shown).to_have_accessible_name("Fault: full-table")
    expect(shown).to_contain_text("Look with:")
    shown.get_by_role("button", name="Check").click()
    expect(shown.locator(".lp-verdict")).to_contain_text("Not yet:")
    notebook.run(4)
    expect(shown.locator(".lp-verdict")).to_contain_text("✓ Right:")


def test_a_quiz_is_answered_with_the_keyboard_and_marked_by_the_kernel(notebook):
    notebook.run(5)
    shown, page = card(notebook, 5), notebook.page
    questions = shown.get_by_role("form")
    count = questions.count()
    for number in range(count):
        asked = questions.nth(number)
        expect(asked.get_by_role("group")).to_have_accessible_name(re.compile(rf"^{number + 1}\. "))
        asked.get_by_role("radio").first.focus()
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        expect(asked.locator(".lp-verdict")).to_have_text(re.compile(r"✓ Right\. |✗ Not so\. The kernel says "))
        expect(asked.get_by_role("radio").first).to_be_checked()
    expect(shown.locator(".lp-verdict").last).to_have_text(re.compile(rf"\d of {count} are right\."))


def test_the_progress_is_a_table_with_heads(notebook):
    notebook.run(6)
    shown = notebook.cell(6).get_by_role("table", name="Progress")
    expect(shown.get_by_role("columnheader", name="lesson")).to_be_visible()
    expect(shown.get_by_role("rowheader", name=re.compile("03"))).to_be_visible()
