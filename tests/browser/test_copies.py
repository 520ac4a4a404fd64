"""What a student meets first, and what is there the next day: their copies as `./lab up` serves them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.checkout import Checkout, wait_for
from browser.pages import SECOND, Notebook
from playwright.sync_api import Page, expect

LESSON = "00-is-this-machine-ready.ipynb"
START, PICTURE = 0, 3  # code cells of it: the imports and the lab; a tree of processes
DRAWN = ".jp-OutputArea-output svg"
CONTENTS = ".jp-TableOfContents"
STUDENT = 65534


@pytest.fixture
def first(server: Checkout, context: Any) -> Iterator[Page]:
    """The page that a student opens who was never here before."""
    server.forget_answers()
    server.forget_layout()
    page = context.new_page()
    page.set_default_timeout(30 * SECOND)
    yield page
    Notebook(server, context, LESSON, page=page).close()  # and the kernel, which may have come for it


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_at_first_the_index_is_open_and_beside_it_the_contents_of_what_is_read(
    server: Checkout, first: Page, width: int, height: int
) -> None:
    first.set_viewport_size({"width": width, "height": height})
    first.goto(server.url)
    index = first.locator(".jp-MarkdownViewer")
    expect(index.get_by_role("heading", name="The inspectable machine")).to_be_visible()
    row = index.get_by_role("row", name="Is this machine ready?")
    expect(row).to_contain_text("not begun")
    expect(first.locator(".jp-FileBrowser")).to_be_hidden()
    expect(first.locator(CONTENTS)).to_be_visible()
    first.wait_for_timeout(3 * SECOND)  # JupyterLab takes links over after drawing them; no attribute tells when
    index.get_by_role("link", name="Is this machine ready?").click()
    expect(first.locator(".jp-Notebook .jp-CodeCell").first).to_be_visible()
    expect(first.locator(CONTENTS)).to_contain_text("4. An error is an answer")
    expect(first.locator(".jp-FileBrowser")).to_be_hidden()
    cell = first.locator(".jp-Notebook .jp-CodeCell").first.bounding_box()
    assert cell and cell["width"] > width / 2
    expect(first.locator(".jp-Notebook .jp-OutputArea-output")).to_have_count(0)
    assert {*first.locator(".jp-Notebook .jp-InputPrompt").all_inner_texts()} <= {"", "[ ]:"}


def test_the_index_and_the_top_of_a_lesson_show_what_is_done(server: Checkout, first: Page, context: Any) -> None:
    notebook = Notebook(server, context, LESSON)
    notebook.begin_anew()
    notebook.open()
    notebook.wait_for_kernel()
    assert notebook.run(START).startswith("Lesson 00")
    expect(notebook.cell(START).get_by_role("img", name="0 of 2 predictions done")).to_be_visible()
    for identity in ("nb00/one", "nb00/two"):  # as a cell or a card does
        notebook.run(notebook.add_cell(f"learn.progress.book.add('predict', {identity!r}, right=True)"))
    notebook.run(START)
    expect(notebook.cell(START).get_by_role("img", name="2 of 2 predictions done")).to_be_visible()
    notebook.close()  # and its kernel
    first.goto(server.url)
    row = first.locator(".jp-MarkdownViewer").get_by_role("row", name="Is this machine ready?")
    expect(row).to_contain_text("2 of 10 done; open: 2 exercises")
    (server.work / LESSON).unlink()
    server.lab("up")


def test_a_picture_that_was_drawn_here_is_one_the_next_day_and_one_that_was_mailed_is_not(
    server: Checkout, context: Any
) -> None:
    notebook = Notebook(server, context, LESSON)
    notebook.begin_anew()
    notebook.open()
    notebook.wait_for_kernel()
    for cell in (START, PICTURE):
        notebook.run(cell)
    expect(notebook.cell(PICTURE).locator(DRAWN)).to_be_visible()
    notebook.page.keyboard.press("Control+s")
    wait_for(lambda: outputs(server.work / LESSON) == {START, PICTURE}, "the notebook to be saved")
    shutil.copyfile(server.directory / "notebooks" / LESSON, server.work / "mailed.ipynb")
    notebook.close()

    server.lab("down")
    server.lab("up", "--port", str(server.port))
    again = Notebook(server, context, LESSON)
    again.open()
    expect(again.cell(PICTURE).locator(DRAWN)).to_be_visible()
    again.close()
    mailed = Notebook(server, context, "mailed.ipynb")
    mailed.open()
    expect(mailed.cell(PICTURE).locator(".jp-OutputArea-output")).to_be_visible()
    expect(mailed.page.locator(DRAWN)).to_have_count(0)
    mailed.close()
    (server.work / LESSON).unlink()
    server.lab("up")


@pytest.fixture
def somebody_elses() -> Iterator[Checkout]:
    """A clone that belongs to root, set up by root, and a student of this machine who uses it."""
    with tempfile.TemporaryDirectory(prefix="labkit-clone-") as made:
        os.chmod(made, 0o755)
        running = Checkout(Path(made), user=STUDENT)
        yield running
        running.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be root and a student")
def test_a_student_takes_a_lesson_in_a_clone_that_they_may_not_write(somebody_elses: Checkout, context: Any) -> None:
    clone = somebody_elses.directory
    before = written(clone)
    notebook = Notebook(somebody_elses, context, LESSON)
    notebook.open()
    notebook.wait_for_kernel()
    notebook.run(START)
    owner = notebook.run(notebook.add_cell("import os; print(os.getuid(), os.access(learn.__file__, os.W_OK))"))
    assert owner == f"{STUDENT} False"
    notebook.run(PICTURE)
    notebook.page.keyboard.press("Control+s")
    wait_for(lambda: PICTURE in outputs(somebody_elses.work / LESSON), "the notebook to be saved")
    notebook.close()
    assert written(clone) == before
    assert (clone / ".venv").exists() and not (clone / ".lab").exists()
    said = somebody_elses.lab("remove").stdout
    assert f"Your copies of the lessons stay in {somebody_elses.work}" in said


def test_jupyterlab_does_not_even_serve_the_clone(server: Checkout) -> None:
    assert server.ask(f"/api/contents/{LESSON}")["type"] == "notebook"
    for name in ("notebooks/" + LESSON, "lab", "README.md", "../clone/lab", ".labkit/given.json"):
        assert server.ask(f"/api/contents/{name}") is None, name


def test_another_directory_is_not_served_in_the_midst_of_a_lesson(server: Checkout, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=f"JupyterLab runs and serves {server.work}\n  look:   ./lab down, then"):
        server.lab("up", "--work", str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def outputs(notebook: Path) -> set[int]:
    """Which code cells have outputs in the file; none while JupyterLab writes it, which it does in place."""
    try:
        cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    except json.JSONDecodeError:
        return set()
    return {number for number, cell in enumerate(cells) if cell["outputs"]}


def written(clone: Path) -> dict[str, tuple[int, int]]:
    """All that is in a clone, with its time and size; of directories only that they are there."""
    found = {}
    for place, _, files in os.walk(clone):
        found[place] = (0, 0)
        for name in files:
            status = os.stat(os.path.join(place, name), follow_symlinks=False)
            found[os.path.join(place, name)] = (status.st_mtime_ns, status.st_size)
    return found
