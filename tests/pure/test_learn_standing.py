"""How far a student is: at the top of a lesson, and in the index page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labkit import copies, learn
from labkit.learn.progress import Book
from labkit.learn.standing import Part, Standing, standing, standings
from labkit.view import tables


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    """A new student's; this Python's own is the same file."""
    monkeypatch.setenv("LABKIT_PROGRESS", str(tmp_path / "progress.jsonl"))
    return Book(str(tmp_path / "progress.jsonl"))


def take(book: Book, *, right: bool = True) -> None:
    """Answer all that lesson 03 asks."""
    lesson = learn.lesson("nb03")
    asked = {"predict": lesson.predictions, "check": lesson.checks, "fault": lesson.faults, "quiz": lesson.quiz.own}
    for kind, items in asked.items():
        for item in items:
            book.add(kind, item.id, right=right)


def test_a_new_student_has_all_before_them(book: Book) -> None:
    text = "lesson 03, not begun: 4 predictions, 2 exercises, 1 fault, 5 quiz questions"
    assert str(learn.lesson("nb03").progress) == text
    assert [each.done for each in standings(book)] == [0] * 8


def test_a_wrong_prediction_is_made_and_a_wrong_exercise_is_open(book: Book) -> None:
    take(book, right=False)
    text = "lesson 03, done: 4 predictions; open: 2 exercises, 1 fault, 5 quiz questions"
    assert str(standing("nb03", book)) == text == str(learn.lesson("nb03").progress)
    take(book)
    assert str(standing("nb03", book)).endswith("5 quiz questions; open: nothing")
    assert standing("nb04", book).done == 0


def test_as_a_picture_it_has_a_dot_for_each_thing_and_words_for_a_screen_reader() -> None:
    shown = tables.standing_html(Standing("nb03", (Part("predict", 1, 3), Part("fault", 0, 1))))
    assert "●○○" in shown and 'aria-label="1 of 3 predictions done"' in shown
    assert 'aria-label="0 of 1 fault done"' in shown and "✓" not in shown
    assert tables.standing_html(Standing("nb03", (Part("fault", 1, 1),))).rstrip().endswith("✓</div>")


def rows(page: bytes) -> dict[str, str]:
    """The last cell of each lesson's row."""
    return dict(re.findall(r"^\| (\d\d) \|.*<!--yours-->(.*)<!--/yours--> \|$", page.decode(), re.MULTILINE))


def test_the_index_page_has_the_progress_of_every_lesson(book: Book) -> None:
    assert rows(copies.index().text) == {f"0{number}": "not begun" for number in range(8)}
    take(book, right=False)
    assert rows(copies.index().text)["03"] == "4 of 12 done; open: 2 exercises, 1 fault, 5 quiz questions"
    take(book)
    assert rows(copies.index().text)["03"] == "✓ all 12 done"
    assert rows(copies.index().text)["04"] == "not begun"


def test_it_is_made_anew_without_a_word_when_the_progress_changes(book: Book, tmp_path: Path) -> None:
    copies.copy(tmp_path / "work")
    page = tmp_path / "work/index.md"
    take(book)
    copies.refresh(tmp_path / "work")
    assert rows(page.read_bytes())["03"] == "✓ all 12 done"
    book.forget()
    assert str(copies.copy(tmp_path / "work")) == ""
    assert rows(page.read_bytes())["03"] == "not begun"
    before = page.stat()
    copies.refresh(tmp_path / "work")
    assert page.stat().st_mtime_ns == before.st_mtime_ns and page.stat().st_ino == before.st_ino


def test_a_page_that_the_student_has_changed_stays(book: Book, tmp_path: Path) -> None:
    copies.copy(tmp_path / "work")
    page = tmp_path / "work/index.md"
    page.write_text(page.read_text() + "my own line\n")
    mine = page.read_bytes()
    take(book)
    copies.refresh(tmp_path / "work")
    assert str(copies.copy(tmp_path / "work")) == "" and page.read_bytes() == mine
    page.unlink()
    copies.refresh(tmp_path / "work")
    assert not page.exists()


def test_what_the_page_names_is_beside_it(book: Book, tmp_path: Path) -> None:
    copies.copy(tmp_path)
    links = re.findall(r"\]\(([^)]+)\)", (tmp_path / "index.md").read_text())
    assert len(links) == 9
    for link in links:
        assert (tmp_path / link).is_file(), link
