"""The step player in a real browser, on a real lab. One page for all tests, each from a fresh walk."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

LAB = """from labkit import Lab, learn
from labkit.learn import Predict
from labkit.namespaces.names import SetHostname
from labkit.namespaces.spawn import Spawn
from labkit.steps.plan import Plan
lab = Lab()"""
WALK = """walk = lab.walk(lab.plans.container("busybox", hostname="c1"))
walk"""
FAILING = """named = [SetHostname(who="c1", name="x" * length) for length in (64, 65)]
walk = lab.walk(Plan.of("a plan that fails", ("half-way", [Spawn(child="c1", namespaces=("uts",)), *named])))
walk"""
ASKING = """from labkit.steps.fact import Uts
name = lambda taken: next(f.hostname for f in taken.after.of_type(Uts) if f.ns == "uts#1")
asks = Predict(id="t/name", before=SetHostname, ask="What will the lab host be called?", choices=("lab", "radio"),
               answer=name, why="radio shares its uts namespace.")
plan = Plan.of("a name", ("shared", [Spawn(child="radio"), SetHostname(who="radio", name="radio")]))
walk = lab.walk(plan, predict=[asks])
walk"""
HOSTNAME = "print(next(f.hostname for f in lab.facts('uts') if f.ns == 'uts#1'))"
CELLS = (LAB, WALK, FAILING, ASKING, "print(walk.position)", HOSTNAME, "import time; time.sleep(3)")


@pytest.fixture(scope="module")
def notebook(open_notebook):
    """The page."""
    opened = open_notebook(*CELLS)
    opened.run(0)
    return opened


def start(notebook, cell):
    """A fresh walk; its player."""
    for shown in (1, 2, 3):
        notebook.clear(shown)
    notebook.run(cell)
    player = notebook.player()
    player.is_at(0)
    return player


@pytest.fixture
def walk(notebook):
    """The player of a container's steps."""
    return start(notebook, 1)


def test_next_takes_a_step_and_shows_the_three_things_side_by_side(walk):
    walk.press("Next")
    walk.is_at(1)
    walk.press("Next")
    walk.is_at(2)
    columns = [walk.root.locator(f".lp-{name}") for name in ("calls", "shell", "changes")]
    expect(columns[0]).to_contain_text("CLONE_NEWUTS")
    expect(columns[0]).to_contain_text("= ")
    expect(columns[0].locator(".lp-time").first).to_have_text(re.compile(r"[\d.]+ [µm]s"))
    expect(columns[1]).to_contain_text("unshare")
    expect(columns[2]).to_contain_text("new")
    expect(columns[2].get_by_role("img", name="new").first).to_be_visible()
    boxes = [column.bounding_box() for column in columns]
    assert len({round(box["y"]) for box in boxes}) == 1
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]


def test_back_goes_back_and_says_how(walk, notebook):
    for position in (1, 2, 3):
        walk.press("Next")
        walk.is_at(position)
    walk.press("Back")
    walk.is_at(2)
    expect(walk.root.locator(".lp-back-note")).to_contain_text(re.compile("undone by|rebuilt to 2"))
    assert notebook.run(4) == "2"


def test_go_to_run_all_and_reset(walk, notebook):
    walk.press("Go to")
    walk.root.get_by_role("spinbutton", name="step number").fill("7")
    walk.page.keyboard.press("Enter")
    walk.is_at(7)
    walk.press("Run all")
    walk.is_at(walk.total)
    expect(walk.button("Next")).to_have_attribute("aria-disabled", "true")
    walk.press("Reset")
    walk.is_at(0)
    assert notebook.run(4) == "0"


def test_a_search_along_path_is_grey_and_a_second_explanation_is_folded(walk, notebook):
    walk.press("Run all")
    walk.is_at(walk.total)
    tried = walk.root.locator(".lp-expected .lp-result")
    expect(tried).not_to_have_count(0)
    expect(tried.first).to_contain_text("ENOENT No such file or directory, as expected")
    expect(walk.root.locator(".lp-bad")).to_have_count(0)
    grey = tried.first.evaluate("node => getComputedStyle(node).color")
    assert grey == walk.root.locator(".lp-time").first.evaluate("node => getComputedStyle(node).color")
    number = notebook.add_cell("lab.walk(Plan.of('forks', ('two', [Spawn(child=n) for n in ('till', 'oven')])))")
    notebook.run(number)
    player = notebook.player_of(number)
    player.press("Next")
    player.is_at(1)
    expect(player.root.locator("p.lp-why")).to_contain_text("Without a flag clone(2) makes no namespace")
    player.press("Next")
    player.is_at(2)
    folded = player.root.locator("details.lp-why")
    expect(folded.locator("summary")).to_have_text("Start a process: a fork. ")
    expect(folded).not_to_have_attribute("open", "")
    folded.locator("summary").click()
    expect(folded).to_contain_text("Without a flag clone(2) makes no namespace")


def test_no_click_is_lost_however_fast_they_come(walk, notebook):
    for _ in range(5):
        walk.press("Next")
    walk.press("Back")
    walk.is_at(4)
    assert notebook.run(4) == "4"


def test_the_whole_walk_with_the_keyboard_alone(walk, notebook):
    page = notebook.page
    walk.root.focus()
    for key, position in (("n", 1), ("ArrowRight", 2), ("b", 1), ("ArrowLeft", 0), ("r", walk.total), ("0", 0)):
        page.keyboard.press(key)
        walk.is_at(position)
    page.keyboard.press("g")
    expect(walk.root.get_by_role("spinbutton")).to_be_focused()
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    walk.is_at(3)
    page.keyboard.press("m")
    expect(walk.root.locator(".lp-manual pre")).to_be_visible()
    expect(walk.root.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(walk.root.locator(".lp-manual")).to_be_hidden()
    page.keyboard.press("c")
    assert page.evaluate("navigator.clipboard.readText()") in walk.root.locator(".lp-shell code").inner_text()
    reached = set()
    for _ in range(40):  # with Tab to every control, and out at the other end
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.closest('.labkit-player') && document.activeElement.innerText")
        )
    assert {"Copied ✓", None} < reached
    assert any(text and text.startswith("Run all") for text in reached)


def test_the_manual_page_is_one_click_away(walk):
    walk.press("Next")
    walk.is_at(1)
    walk.root.locator(".lp-pages button").first.click()
    expect(walk.root.locator(".lp-manual pre")).to_contain_text("DESCRIPTION")
    walk.root.get_by_role("button", name="Close").click()
    walk.root.locator(".lp-calls .lp-name").first.click()
    expect(walk.root.locator(".lp-manual .lp-title")).to_contain_text("(2)")


def test_what_a_screen_reader_is_told(walk):
    walk.press("Next")
    walk.is_at(1)
    expect(walk.root).to_have_accessible_name("step player: container c1")
    expect(walk.root.get_by_role("toolbar", name="step player")).to_be_visible()
    for name in ("Back: take the last step back", "Next: take the next step", "Reset: start again in a fresh lab host"):
        expect(walk.root.get_by_role("button", name=name)).to_be_visible()
    for name in ("System calls", "Shell", "What changed"):
        expect(walk.root.get_by_role("region", name=name, exact=True)).to_be_visible()
    expect(walk.root.get_by_role("heading", level=4)).to_have_text("make the cgroup c1")
    expect(walk.root.locator("[aria-live=polite]")).to_have_text(re.compile(r"1 of \d+ steps taken\..*1 system call, "))
    unnamed = "nodes => nodes.filter(n => !(n.innerText.trim() || n.ariaLabel || n.title)).length"
    assert walk.root.locator("button, input").evaluate_all(unnamed) == 0


def test_an_error_is_part_of_the_lesson_and_back_repairs_it(notebook):
    player = start(notebook, 2)
    player.press("Run all")
    expect(player.root.locator(".lp-error")).to_contain_text("The kernel said no")
    expect(player.root.locator(".lp-error")).to_contain_text("EINVAL: Invalid argument")
    for term in ("Likely", "Look"):
        expect(player.root.locator(".lp-error dt").get_by_text(term)).to_be_visible()
    player.is_at(2)
    player.press("Back")
    expect(player.root.locator(".lp-error")).to_have_count(0)
    player.is_at(2)


def test_next_waits_for_a_prediction_and_then_tells_how_it_was(notebook):
    player = start(notebook, 3)
    player.press("Next")
    player.is_at(1)
    asked = player.root.get_by_role("group", name="Predict What will the lab host be called?")
    expect(asked).to_be_visible()
    expect(player.title).to_have_text("set the hostname to radio")  # the step in question, not the one before
    expect(player.root.locator(".lp-step > .lp-columns .lp-calls")).to_contain_text('sethostname("radio", 5)')
    expect(player.root.locator(".lp-step > .lp-columns .lp-changes")).to_contain_text(
        "Not shown until you have answered"
    )
    expect(player.root.locator(".lp-why")).to_have_count(0)
    expect(player.root.locator(".lp-before summary")).to_contain_text("start radio")
    for press in (lambda: player.press("Next"), lambda: player.press("Run all"), lambda: player.root.press("n")):
        player.root.focus()
        press()
        expect(asked.get_by_role("radio").first).to_be_focused()
        expect(player.root.locator("form.lp-waits")).to_contain_text("Answer first")
        expect(player.root.locator("[aria-live=polite]")).to_contain_text("Answer first")
        expect(player.root.get_by_role("alert")).to_be_hidden()
        player.is_at(1)
    notebook.page.keyboard.press("Space")
    notebook.page.keyboard.press("Enter")
    expect(player.root.locator(".lp-verdict")).to_contain_text("Now press Next and see.")
    assert notebook.run(5) == "lab"
    player.press("Next")
    player.is_at(2)
    expect(player.root.locator(".lp-verdict")).to_contain_text("Not so. You said lab; the kernel: radio.")
    expect(player.changes).to_contain_text("radio")
    assert notebook.run(5) == "radio"
    player.press("Back")
    player.is_at(1)
    assert notebook.run(5) == "lab"
    player.press("Reset")
    player.is_at(0)
    said = player.root.get_by_role("region", name="predictions so far")
    expect(said).to_contain_text("Not so. You said lab; the kernel: radio.")
    said.get_by_role("button", name="ask again").press("Enter")
    expect(said).to_be_hidden()


def test_presses_that_come_faster_than_the_kernel_meet_the_question_as_well(notebook):
    player = start(notebook, 3)
    for _ in range(3):
        player.press("Next")
    player.is_at(1)
    expect(player.root.locator("form.lp-waits")).to_be_visible()
    expect(player.root.get_by_role("alert")).to_be_hidden()
    player.answer("radio")
    player.press("Run all")
    player.is_at(2)
    expect(player.root.locator(".lp-question .lp-verdict")).to_contain_text("Right. You said radio")
    player.root.get_by_role("button", name="ask again").click()
    player.is_at(1)
    expect(player.root.get_by_role("group", name="Predict What will")).to_be_visible()


def test_while_a_cell_runs_the_player_says_what_it_waits_for(walk, notebook):
    notebook.begin(6)
    walk.press("Next")
    expect(walk.root).to_have_attribute("aria-busy", "")
    expect(walk.root.locator(".lp-waiting")).to_have_text(re.compile("Waiting for the kernel"))
    walk.is_at(1)


def test_a_cell_that_moves_the_walk_moves_the_player(walk, notebook):
    notebook.write_cell(4, "print(walk.goto(5).position)")
    assert notebook.run(4) == "5"
    walk.is_at(5)
    notebook.write_cell(4, "print(walk.position)")


def test_a_restarted_kernel_leaves_a_picture_and_the_cell_starts_again(walk, notebook):
    walk.press("Next")
    walk.is_at(1)
    notebook.restart_kernel()
    expect(walk.root.locator(".lp-waiting")).to_contain_text("its lab has gone")
    expect(walk.button("Next")).to_have_attribute("aria-disabled", "true")
    notebook.run(0)
    player = start(notebook, 1)
    player.press("Next")
    player.is_at(1)
