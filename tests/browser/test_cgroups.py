"""The tree of cgroups and the two versions side by side, as a page shows them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

LAB = """from labkit import Lab
from labkit.cgroups import Limits
from labkit.view.pictures import cgroup_tree
lab = Lab()
web = lab.run("busybox", "sleep 1000", name="web", detach=True, limits=Limits(cpu=0.5, memory="64M", pids=50))"""
TREE = "cgroup_tree(lab, usage=True)"
CHANGED = """before = lab.snapshot("cgroup")
web.limits(memory="32M")
cgroup_tree(lab, since=before)"""
ROSETTA = "web.rosetta()"
CELLS = (LAB, TREE, CHANGED, ROSETTA, 'web.rosetta("memory.high", "memory.max")')


@pytest.fixture(scope="module")
def notebook(open_notebook):
    """All cells run."""
    opened = open_notebook(*CELLS, width=1280, height=900)
    for cell in range(len(CELLS)):
        opened.run(cell)
    return opened


def test_the_tree_shows_who_is_where_how_limited_and_what_was_used(notebook):
    tree = notebook.cell(1).get_by_role("img", name="The tree of cgroups")
    expect(tree).to_be_visible()
    told = tree.text_content()
    for word in ("web", "64", "50", "host", "memory", "processes"):
        assert word in told, told
    assert notebook.lost(".lk-svg") == []


def test_what_has_changed_since_is_marked_and_nothing_else(notebook):
    """By a word that is drawn beside the line, not by its colour alone."""
    tree = notebook.cell(2).get_by_role("img", name="The tree of cgroups")
    expect(tree).to_be_visible()
    signs = [sign for sign in tree.locator("text").all_text_contents() if sign.strip() in ("+", "-", "~")]
    assert signs and set(map(str.strip, signs)) == {"~"}, signs


def test_the_files_stand_side_by_side_with_what_they_say(notebook):
    table = notebook.cell(3).get_by_role("table")
    heads = [head.strip() for head in table.get_by_role("columnheader").all_text_contents()]
    assert heads[:4] == ["version 2", "value", "version 1", "value"]
    row = table.get_by_role("row").filter(has_text="memory.limit_in_bytes").filter(has_text="memory.max")
    assert row.first.text_content().count(str(32 << 20)) >= 1, "the limit in force, after the cell before"
    assert notebook.lost("table, td, th") == []


def test_what_has_no_counterpart_says_so(notebook):
    shown = notebook.cell(4).locator(".lk-doc")
    expect(shown).to_contain_text("memory.high")
    expect(shown).to_contain_text("Nothing in version 1")
