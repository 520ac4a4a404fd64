"""Every lesson, taken in the browser from its first cell to its last."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser.checkout import Checkout
from browser.student import ANSWERS, Student
from playwright.sync_api import expect

LESSONS = [pytest.param(lesson, marks=pytest.mark.xdist_group(lesson["file"])) for lesson in ANSWERS]


@pytest.mark.parametrize("thorough", [False, pytest.param(True, marks=pytest.mark.long)], ids=["", "thorough"])
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson["file"][:2])
def test_a_student_takes_the_lesson_from_the_first_cell_to_the_last(
    server: Checkout, open_notebook: Any, lesson: dict[str, Any], thorough: bool
) -> None:
    server.forget_answers()
    notebook = open_notebook(lesson=lesson["file"])
    student = Student(notebook, lesson, thorough=thorough)
    student.take()
    assert student.players
    for card in notebook.page.locator(".labkit-card:not(:has(form))").all():
        expect(card).to_contain_text(re.compile("✓ (Right:|Solved before|Repaired before)"))
    errors = notebook.page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.stderr']")
    expect(errors).to_have_count(0)
    assert notebook.lost(".jp-OutputArea-output *, .jp-RenderedMarkdown *") == []
    assert notebook.page.locator(".jp-WindowedPanel-outer").evaluate("node => node.scrollWidth - node.clientWidth") == 0
    ready = notebook.add_cell("learn.progress.table()")
    notebook.run(ready)
    row = notebook.cell(ready).get_by_role("row", name=re.compile(lesson["file"][:2]))
    rights = [right for _, right in lesson["said"]]
    expect(row).to_contain_text(f"{sum(rights)} of {len(rights)}")
    notebook.close()
