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
SECRETS = "[hint for _, hint in posed.task.hints] + [posed.task.otherwise, posed.task.second_hint, 'who=\"sign\"']"
SOLVE = 'lab.take_all([Spawn(child="sign", namespaces=("uts",)), SetHostname(who="sign", name="bakery")])'
FAULT = 'lab.reset()\nfault = lesson.fault("full-table").plant(lab)\nfault'
REPAIR = 'lesson.fault("full-table").repair(lab)\nprint(fault.check())'
QUIZ = "quiz = lesson.quiz.sit(lab)\nquiz"
SECRET = f"print(*({SECRETS}), sep='\\n')"
ASKING = """from labkit.steps.plan import Plan
plan = Plan.of("two", ("two", [Spawn(child="cron"), Spawn(child="bakery", namespaces=("pid",))]))
walk = lab.walk(plan, predict=lesson.predict("own-pid"))
walk.gate.ask_again("nb03/own-pid")"""
MEETING = "print('before')\nwalk.run()\nprint('after', walk.position)"
CELLS = (LAB, CHECK, SOLVE, FAULT, REPAIR, QUIZ, "learn.progress.table()", SECRET, ASKING, MEETING, "print('below')")


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


def test_the_first_verdict_of_an_exercise_is_alone_and_help_comes_button_by_button(notebook):
    shown = card(notebook, 1)
    expect(shown).to_have_accessible_name("Exercise: own-name")
    expect(shown.locator(".lp-verdict")).to_have_text("✗ Not yet. ")
    secrets = notebook.run(7).splitlines()
    assert len(secrets) > 4
    page = notebook.cell(1).evaluate("cell => cell.querySelector('.jp-Cell-outputWrapper').outerHTML")
    assert [secret for secret in secrets if secret in page] == []
    for name, words in (
        ("Hint 1", "Hint 1: there is no process yet"),
        ("Hint 2", "Hint 2: the host name belongs to the uts namespace"),
        ("Model answer", 'lab.take(SetHostname(who="sign", name="bakery"))'),
    ):
        shown.get_by_role("button", name=name).press("Enter")
        expect(shown.locator(".lc-help").last).to_contain_text(words)
        expect(shown.locator("[aria-live=polite]")).to_contain_text(words)
        expect(shown.get_by_role("button", name=name)).to_have_count(0)
        assert shown.evaluate("card => card.contains(document.activeElement)"), "the focus stays on the card"
    shown.get_by_role("button", name="Copy").click()
    assert "SetHostname" in notebook.page.evaluate("navigator.clipboard.readText()")


def test_an_exercise_is_solved_asked_again_and_open_once_more_after_a_reset(notebook):
    shown = card(notebook, 1)
    notebook.run(2)
    shown.get_by_role("button", name="Check again").press("Enter")
    expect(shown.locator(".lp-verdict")).to_contain_text("✓ Right:")
    expect(shown.locator(".lc-help")).to_have_count(0)
    expect(shown.locator("[aria-live=polite]")).to_contain_text("Right:")
    expect(shown.get_by_role("button", name="Check again")).to_be_focused()
    assert "null" not in shown.inner_text()
    shown.get_by_role("button", name="Ask again").press("Enter")
    expect(shown.locator(".lp-verdict")).to_have_count(0)
    shown.get_by_role("button", name="Check").press("Enter")
    expect(shown.locator(".lp-verdict")).to_contain_text("✓ Right:")
    notebook.run(3)  # its lab.reset()
    expect(shown.locator(".lp-verdict")).to_have_count(0)
    expect(shown.locator(".lc-state")).to_have_text("✓ Solved before. The lab was reset since the last check.")


def test_a_fault_is_told_by_its_symptom_and_follows_what_a_cell_finds(notebook):
    notebook.run(3)
    shown = card(notebook, 3)
    expect(shown).to_have_accessible_name("Fault: full-table")
    expect(shown).to_contain_text("Look with:")
    expect(shown.get_by_role("button")).to_have_text(["Check"])
    shown.get_by_role("button", name="Check").click()
    expect(shown.locator(".lp-verdict")).to_have_text("✗ Not yet. ")
    notebook.run(4)
    expect(shown.locator(".lp-verdict")).to_contain_text("✓ Right:")
    notebook.write_cell(4, "lab.reset()")
    notebook.run(4)
    expect(shown.locator(".lc-state")).to_contain_text("Not planted any more: the lab was reset.")
    shown.get_by_role("button", name="Plant again").press("Enter")
    shown.get_by_role("button", name="Check").press("Enter")
    expect(shown.locator(".lp-verdict")).to_have_text("✗ Not yet. ")


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
    questions.first.get_by_role("button", name="ask again").press("Enter")
    expect(questions.first.locator(".lp-verdict")).to_have_count(0)
    expect(questions.first.get_by_role("radio").first).to_be_enabled()


def test_a_cell_that_meets_an_open_question_shows_it_and_stops_without_an_error(notebook):
    page = notebook.page
    notebook.run(8)
    text = notebook.run(9)
    shown = card(notebook, 9)
    assert "before" in text and "after" not in text
    expect(notebook.cell(9).locator("[data-mime-type*=error], [data-mime-type*=stderr]")).to_have_count(0)
    expect(shown).to_have_accessible_name("Predict: before step 2: start bakery in new namespaces: pid")
    expect(shown.locator("code.lc-line")).to_contain_text("unshare --pid")
    shown.get_by_role("radio", name="1", exact=True).focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(shown.locator(".lp-verdict")).to_contain_text("You said 1. Now run this cell again")
    assert notebook.run(9) == "before\nafter 2"


def test_run_all_stops_at_an_open_question(notebook):
    page = notebook.page
    notebook.clear(10)
    notebook.cell(8).locator(".cm-content").click()
    page.keyboard.press("Escape")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run Selected Cell and All Below").click()
    expect(card(notebook, 9).locator("form")).to_be_visible()
    page.wait_for_function("() => !document.querySelector('.jp-Notebook').innerText.includes('[*]')")
    expect(notebook.cell(10).locator(".jp-OutputArea-output")).to_have_count(0)


def test_the_progress_is_a_table_with_heads(notebook):
    notebook.run(6)
    shown = notebook.cell(6).get_by_role("table", name="Progress")
    expect(shown.get_by_role("columnheader", name="lesson")).to_be_visible()
    expect(shown.get_by_role("rowheader", name=re.compile("03"))).to_be_visible()
