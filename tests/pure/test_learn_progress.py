"""The progress file: through restarts, torn lines, full and read-only disks, and two writers at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.learn import progress
from labkit.learn.progress import Book


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(str(tmp_path / "deep" / "down" / "progress.jsonl"))


def test_what_is_written_is_there_after_a_restart(book: Book) -> None:
    book.add("predict", "nb03/pid", said="1")
    book.add("predict", "nb03/pid", said="2", right=False)
    again = Book(book.file)
    assert [r["said"] for r in again.of("nb03/pid")] == ["1", "2"]
    last = again.last("nb03/pid", "predict")
    assert last is not None and last["right"] is False
    assert again.last("nb03/other") is None


def test_the_place_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LABKIT_PROGRESS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert progress.path() == "/data/labkit/progress.jsonl"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert progress.path() == f"{tmp_path}/.local/share/labkit/progress.jsonl"
    monkeypatch.setenv("LABKIT_PROGRESS", str(tmp_path / "mine"))
    assert Book().file == str(tmp_path / "mine")


def test_a_torn_last_line_costs_only_itself(book: Book) -> None:
    book.add("check", "nb01/a", right=True)
    with open(book.file, "ab") as file:
        file.write(b'{"v": 1, "kind": "check", "id": "nb0')
    book.add("check", "nb01/b", right=True)
    assert [r["id"] for r in Book(book.file).records()] == ["nb01/a", "nb01/b"]


@pytest.mark.parametrize(
    "junk",
    [b"\xff\xfe\0\n", b"[]\n", b"17\n", b'{"v": 1}\n', b'{"v": 9, "id": "a/b", "kind": "quiz"}\n', b"{" * 9000 + b"\n"],
)
def test_what_cannot_be_read_is_left_out(book: Book, junk: bytes) -> None:
    book.add("check", "nb01/a", right=True)
    with open(book.file, "ab") as file:
        file.write(junk)
    book.add("check", "nb01/b", right=True)
    assert [r["id"] for r in Book(book.file).records()] == ["nb01/a", "nb01/b"]


@pytest.mark.parametrize("kind", ["full", "no directory", "a directory", "read-only"])
def test_a_disk_that_takes_nothing_costs_one_warning_and_no_answer(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    file = {
        "full": "/dev/full",
        "no directory": str(tmp_path / "file" / "progress.jsonl"),
        "a directory": str(tmp_path),
        "read-only": "/proc/labkit/progress.jsonl",
    }[kind]
    book = Book(file)
    for number in range(3):
        book.add("predict", "nb03/pid", said=str(number))
    assert [r["said"] for r in book.records()] == ["0", "1", "2"], "kept in memory"
    words = capsys.readouterr().err
    assert words.count("\n") == 1 and "progress is not kept" in words and "LABKIT_PROGRESS" in words


def test_what_waited_is_written_when_the_disk_takes_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "place"
    blocked.write_text("")
    book = Book(str(blocked / "progress.jsonl"))
    book.add("check", "nb01/a", right=True)
    blocked.unlink()
    book.add("check", "nb01/b", right=True)
    assert [r["id"] for r in Book(book.file).records()] == ["nb01/a", "nb01/b"]
    capsys.readouterr()


def test_a_pipe_without_a_reader_does_not_hang_anybody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    book = Book(str(tmp_path / "pipe"))
    book.add("check", "nb01/a", right=True)
    assert len(book.records()) <= 1
    capsys.readouterr()


ELSEWHERE = """
import sys
if sys.argv[2] == "windows":
    from tests import windows
    windows.install()
"""
WRITER = f"""{ELSEWHERE}
from labkit.learn.progress import Book
book = Book(sys.argv[1])
for number in range(100):
    book.add("quiz", f"nb01/{{sys.argv[3]}}", said="x" * 400, number=number)
"""
HOLDER = f"""{ELSEWHERE}
from labkit.learn.lock import locked
with open(sys.argv[1], "r+b") as file, locked(file.fileno(), patience=float(sys.argv[3])) as held:
    print(held, flush=True)
    sys.stdin.read()
"""
systems = pytest.mark.parametrize("system", ["unix", "windows"])


def a_python(code: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=Path(progress.__file__).parents[2],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@systems
def test_one_notebook_holds_the_lock_and_dying_gives_it_up(tmp_path: Path, system: str) -> None:
    file = tmp_path / "progress.jsonl"
    file.write_text("{}\n")
    with a_python(HOLDER, str(file), system, "30") as first:
        assert first.stdout and first.stdout.readline() == "True\n"
        with a_python(HOLDER, str(file), system, "0.1") as second:
            assert second.communicate()[0] == "False\n"
        assert file.read_text() == "{}\n"  # and whoever reads is not kept from it
        first.kill()
    with a_python(HOLDER, str(file), system, "30") as third:
        assert third.communicate()[0] == "True\n"


@systems
def test_two_notebooks_write_at_once_and_no_line_is_lost(tmp_path: Path, system: str) -> None:
    file = tmp_path / "progress.jsonl"
    writers = [a_python(WRITER, str(file), system, name) for name in "ab"]
    assert [writer.communicate(timeout=60) for writer in writers] == [("", None)] * 2
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for name in "ab":
        assert [r["number"] for r in rows if r["id"] == f"nb01/{name}"] == list(range(100))


def test_forgetting_a_lesson_begins_it_anew_and_leaves_the_others(book: Book) -> None:
    book.add("check", "nb01/a", right=True)
    book.add("check", "nb02/a", right=True)
    book.forget("nb01")
    book.add("check", "nb01/b", right=True)
    assert [r["id"] for r in book.records()] == ["nb02/a", "nb01/b"]
    book.forget()
    assert book.records() == [] and Book(book.file).records() == []


def test_a_surrogate_in_an_answer_is_written_and_read(book: Book) -> None:
    book.add("quiz", "nb01/a", said="\udc80")
    assert Book(book.file).records()[0]["said"] == "\udc80"


def test_the_table_counts_first_predictions_and_last_answers(book: Book) -> None:
    book.add("predict", "zz/p", said="1")
    book.add("predict", "zz/p", said="1", right=False)
    book.add("predict", "zz/p", said="2", right=True)
    book.add("check", "zz/c", right=False)
    book.add("check", "zz/c", right=True)
    book.add("quiz", "zz/q", right=True)
    book.add("quiz", "zz/q", right=False)
    for name in ("hint 1", "hint 2"):
        book.add("help", "zz/c", what=name)
    lines = str(progress.table(book)).splitlines()
    assert lines[0].split() == ["lesson", "predictions", "exercises", "faults", "quiz", "help"]
    assert lines[-1] == "zz      0 of 1 (1 surprise)  1 of 1     -       0 of 1 (1 to try again)  2"


def test_what_is_to_be_asked_again_has_no_current_answer_and_keeps_its_records(book: Book) -> None:
    book.add("predict", "nb01/a", said="1", right=False)
    book.add("again", "nb01/a")
    assert book.current("nb01/a", "predict") is None and book.last("nb01/a", "predict") is not None
    book.add("predict", "nb01/a", said="2")
    current = book.current("nb01/a", "predict")
    assert current is not None and current["said"] == "2"
