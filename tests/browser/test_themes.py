"""Normal, dark and stage as they come out in the browser: read, whole, and followed by what is shown already."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

LAB = """from labkit import Lab, learn
from labkit.view import theme
from labkit.cgroups import Limits
from labkit.view.pictures import (
    capability_lights, cgroup_tree, mount_tree, namespace_map, pid_table, process_tree, uid_ruler)
lab, lesson, other = Lab(), learn.lesson("nb03"), Lab()
before = other.snapshot("cgroup")
web = other.run("busybox", "sleep 1000", name="web", detach=True, limits=Limits(cpu=0.5, memory="64M", pids=50))
walk = lab.walk(lab.plans.container("busybox", hostname="c1"))"""
QUIZ = """lab.reset()
quiz = lesson.quiz.sit(lab)
quiz.answer(1, "a")
quiz"""
SHOWN = (
    "walk", "walk.goto(9).last", "lab.snapshot('uts', 'net')", "walk.plan", "namespace_map(walk)", "pid_table(walk)",
    "mount_tree(walk)", "uid_ruler(walk)", "capability_lights(walk)", "process_tree(walk)", QUIZ,
    "learn.progress.table()", "cgroup_tree(other, since=before, usage=True)", "web.rosetta()", "other.usage()",
)  # fmt: skip
THEME = len(SHOWN) + 1

#: all letters in the page's outputs whose contrast to what lies under them is less than 4.5
FAINT = """() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((part, i) => part * a + under[i] * (1 - a));
  const light = (colour) => {
    const [r, g, b] = colour.map((p) => (p / 255 <= 0.04045 ? p / 255 / 12.92 : ((p / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const own = (node) => rgba(getComputedStyle(node).backgroundColor);
  const ground = (node) => (node ? over(own(node), ground(node.parentElement)) : [255, 255, 255]);
  const opacity = (node) => (node ? Number(getComputedStyle(node).opacity) * opacity(node.parentElement) : 1);
  const faint = [];
  for (const root of document.querySelectorAll(".labkit-player, .lk-doc")) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode.parentElement;
      if (!walker.currentNode.data.trim() || !node.offsetParent) continue;
      if (node.closest("[aria-disabled=true], style, svg, .lp-voice")) continue;
      const under = ground(node);
      const [r, g, b, a] = rgba(getComputedStyle(node).color);
      const [high, low] = [light(over([r, g, b, a * opacity(node)], under)), light(under)].sort((x, y) => y - x);
      const contrast = (high + 0.05) / (low + 0.05);
      if (contrast < 4.5) faint.push(`${walker.currentNode.data.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
    }
  }
  return faint;
}"""


@pytest.fixture(scope="module")
def notebook(open_notebook):
    """One of everything, on a screen as a hall's projector has it."""
    opened = open_notebook(LAB, *SHOWN, "theme.use('normal')", width=1024, height=768)
    for cell in range(THEME):
        opened.run(cell)
    yield opened
    opened.choose_theme("Light")


def use(notebook, name):
    """Change the theme in a cell, as a teacher would; what is shown already follows."""
    notebook.write_cell(THEME, f"theme.use({name!r})")
    notebook.run(THEME)
    expect(notebook.player().root).to_have_attribute("data-theme", name)


@pytest.mark.parametrize("name", ["normal", "dark", "stage"])
@pytest.mark.parametrize("page", ["Light", "Dark"])
def test_everything_is_read_and_nothing_is_lost_at_1024_by_768(notebook, name, page):
    if not notebook.page.locator(f'body[data-jp-theme-name="JupyterLab {page}"]').count():
        notebook.choose_theme(page)
    use(notebook, name)
    assert notebook.page.evaluate(FAINT) == []
    assert notebook.lost(".labkit-player *, .lk-doc *, .lk-svg") == []
    if name == "stage":
        size = "node => getComputedStyle(node).fontSize"
        assert notebook.player().root.evaluate(size) == "22px"
        assert notebook.cell(1).locator(".cm-content").evaluate(size) == "22px"
        tops = notebook.player().root.locator(".lp-button").evaluate_all("all => all.map(b => b.offsetTop)")
        assert len(set(tops)) == 1, "the five buttons stand in one row"


def test_dark_takes_jupyterlabs_own_theme_along_and_normal_brings_back_the_one_from_before(notebook):
    chosen = notebook.page.locator("body")
    notebook.choose_theme("Light")
    use(notebook, "dark")
    expect(chosen).to_have_attribute("data-jp-theme-name", "JupyterLab Dark")
    use(notebook, "normal")
    expect(chosen).to_have_attribute("data-jp-theme-name", "JupyterLab Light")
    notebook.choose_theme("Dark")  # somebody's own choice stays
    use(notebook, "dark")
    use(notebook, "stage")
    expect(chosen).to_have_attribute("data-jp-theme-name", "JupyterLab Dark")


def test_flags_are_not_broken_and_no_letter_is_smaller_than_12_px_at_1024_by_768(notebook):
    use(notebook, "normal")
    lines = "words => words.map(word => [word.textContent, word.getClientRects().length])"
    words = notebook.page.locator(".lk-word, .lp-constant").evaluate_all(lines)
    assert "CLONE_NEWNS|" in dict(words)
    assert [word for word, count in words if count > 1] == []
    crossed = "nodes => nodes.filter(n => getComputedStyle(n).textDecorationLine.includes('through')).length"
    assert notebook.page.locator(".labkit-player *, .lk-doc *").evaluate_all(crossed) == 0
    tree = notebook.page.get_by_role("img", name="Mount namespaces")
    sizes = """svg => [...svg.querySelectorAll("text")].map(
      (text) => parseFloat(getComputedStyle(text).fontSize) * svg.clientWidth / svg.viewBox.baseVal.width)"""
    assert min(tree.evaluate(sizes)) >= 12


@pytest.mark.parametrize("name", ["normal", "stage"])
def test_the_list_of_steps_and_the_counts_of_changes_are_there_to_be_seen(notebook, name):
    use(notebook, name)
    player = notebook.player()
    player.press("Go to")
    steps = player.root.locator(".lp-list-of-steps")
    expect(steps.get_by_role("button")).to_have_count(player.total + 1)
    assert steps.evaluate("node => node.scrollWidth - node.clientWidth") == 0
    steps.get_by_role("button", name="the root of this mount namespace").click()
    tallies = player.root.locator(".lp-tally")
    expect(tallies).to_have_count(3)  # new, gone and changed
    expect(tallies.last).to_be_visible()  # JupyterLab may be about to lay the cell out anew
    assert notebook.lost(".lp-head *, .lp-head") == []
    edge = "node => node.closest('.lp-column').getBoundingClientRect().right - node.getBoundingClientRect().right"
    assert min(tallies.evaluate_all(f"all => all.map({edge})")) > 0


def test_pictures_have_a_name_and_a_description_for_the_ear(notebook):
    pictures = notebook.page.get_by_role("img").and_(notebook.page.locator("svg.lk-svg"))
    assert pictures.count() == 7
    for picture in pictures.all():
        assert picture.get_attribute("aria-label")
        assert picture.locator("> desc").text_content()
