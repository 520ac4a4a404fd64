"""The student's copies of the lessons: what comes, what stays, and that nothing of the student's is ever lost."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import cli, copies
from labkit.copies import Page, copy
from labkit.errors import LabError

NAME = "03-pids.ipynb"
NOBODY = 65534


def notebook(source: str, *, output: str = "", count: int | None = None, **metadata: object) -> bytes:
    """A notebook of one cell."""
    outputs = [{"output_type": "stream", "name": "stdout", "text": [output]}] if output else []
    cell = {"cell_type": "code", "id": "a", "metadata": metadata, "source": [source], "outputs": outputs}
    return json.dumps({"cells": [cell | {"execution_count": count}], "metadata": {}, "nbformat": 4}).encode()


def version(number: int) -> Page:
    """A version of the one lesson of a small course."""
    return Page(NAME, copies.without_outputs(notebook(f"print({number})", output=f"{number}\n", count=7)))


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != copies.OWN)


def edit(file: Path, change: Callable[[Any], object]) -> bytes:
    """Change a notebook's only cell, as JupyterLab would save it; returns the new content."""
    nb = json.loads(file.read_bytes())
    change(nb["cells"][0])
    nb["metadata"]["language_info"] = {"name": "python", "version": "3.13"}
    file.write_text(json.dumps(nb, indent=1))
    return file.read_bytes()


def runs(cell: Any) -> None:
    """The student runs it."""
    cell |= {"outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n"}], "execution_count": 1}


def changes(cell: Any) -> None:
    """The student writes something."""
    cell["source"] = [*cell["source"], "\nmine"]


# What comes


def test_the_lessons_come_as_nobody_has_run_them_yet(tmp_path: Path) -> None:
    copied = copy(tmp_path / "deep/work")
    assert str(copied) == f"your copies of the lessons are in {tmp_path / 'deep/work'}"
    sources = sorted(copies.NOTEBOOKS.glob("*.ipynb"))
    assert names(copied.directory) == [*(path.name for path in sources), "index.md", "tiny.py"]
    for path in sources:
        ours, theirs = (json.loads(each.read_bytes())["cells"] for each in (path, copied.directory / path.name))
        code = [cell for cell in theirs if cell["cell_type"] == "code"]
        assert len(code) > 5
        assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
        assert [cell["source"] for cell in theirs] == [cell["source"] for cell in ours]


def test_again_nothing_is_written(tmp_path: Path) -> None:
    copy(tmp_path)
    before = {path: path.stat() for path in (tmp_path, *tmp_path.rglob("*")) if path.name != "lock"}
    copied = copy(tmp_path)
    assert (str(copied), copied.brought) == ("", ())
    for path, was in before.items():
        now = path.stat()
        assert (now.st_ino, now.st_mtime_ns) == (was.st_ino, was.st_mtime_ns), path


def test_a_new_version_takes_the_place_of_one_that_was_only_opened(tmp_path: Path) -> None:
    copy(tmp_path, [version(1)])
    edit(tmp_path / NAME, lambda cell: cell["metadata"].update(trusted=True, scrolled=False, jupyter={}))
    copied = copy(tmp_path, [version(2)])
    assert str(copied) == f"new from the course: {NAME}"
    assert names(tmp_path) == [NAME] and (tmp_path / NAME).read_bytes() == version(2).text


@pytest.mark.parametrize("work", [runs, changes, lambda cell: cell["metadata"].update(tags=["mine"])])
def test_what_the_student_did_stays_and_the_new_version_is_laid_beside_it_once(
    tmp_path: Path, work: Callable[[Any], object]
) -> None:
    copy(tmp_path, [version(1)])
    mine = edit(tmp_path / NAME, work)
    assert str(copy(tmp_path, [version(1)])) == ""
    said = "what you changed stays as it is, and the course's new version is in 03-pids.new.ipynb"
    assert str(copy(tmp_path, [version(2)])) == said
    assert (tmp_path / NAME).read_bytes() == mine
    assert (tmp_path / "03-pids.new.ipynb").read_bytes() == version(2).text
    assert str(copy(tmp_path, [version(2)])) == ""
    (tmp_path / "03-pids.new.ipynb").unlink()  # read, and not wanted
    assert str(copy(tmp_path, [version(2)])) == "" and names(tmp_path) == [NAME]


def test_a_third_version_takes_the_place_of_the_second_unless_that_was_used(tmp_path: Path) -> None:
    copy(tmp_path, [version(1)])
    edit(tmp_path / NAME, changes)
    copy(tmp_path, [version(2)])
    copy(tmp_path, [version(3)])
    assert names(tmp_path) == [NAME, "03-pids.new.ipynb"]
    assert (tmp_path / "03-pids.new.ipynb").read_bytes() == version(3).text
    edit(tmp_path / "03-pids.new.ipynb", runs)
    assert copy(tmp_path, [version(4)]).beside == ("03-pids.new-2.ipynb",)


def test_several_are_told_in_one_line(tmp_path: Path) -> None:
    course = [[Page(f"0{n}-x.ipynb", version(v).text) for n in (1, 2, 3)] for v in (1, 2)]
    copy(tmp_path, course[0])
    for name in ("01-x.ipynb", "02-x.ipynb"):
        edit(tmp_path / name, changes)
    assert str(copy(tmp_path, course[1])) == (
        "new from the course: 03-x.ipynb; what you changed stays as it is, "
        "and the course's new version is in 01-x.new.ipynb, 02-x.new.ipynb"
    )


def test_a_lesson_that_was_deleted_comes_again(tmp_path: Path) -> None:
    copy(tmp_path, [version(1)])
    edit(tmp_path / NAME, changes)
    (tmp_path / NAME).unlink()
    copy(tmp_path, [version(1)])
    assert (tmp_path / NAME).read_bytes() == version(1).text


def test_what_the_course_has_no_more_goes_unless_it_was_used(tmp_path: Path) -> None:
    old = Page("02-old.ipynb", version(1).text)
    copy(tmp_path, [version(1), old])
    assert copy(tmp_path, [version(1)]).removed == ("02-old.ipynb",)
    copy(tmp_path, [version(1), old])
    edit(tmp_path / "02-old.ipynb", runs)
    assert str(copy(tmp_path, [version(1)])) == "" and names(tmp_path) == ["02-old.ipynb", NAME]


def test_files_of_the_students_own_are_none_of_the_courses_business(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("not even a notebook")
    (tmp_path / "notes.ipynb").write_text("[]")
    assert copy(tmp_path, [version(1)]).beside == ("03-pids.new.ipynb",)
    assert (tmp_path / NAME).read_text() == "not even a notebook" and (tmp_path / "notes.ipynb").read_text() == "[]"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine.ipynb").write_bytes(version(1).text)
    (tmp_path / "work").mkdir()
    for name in (NAME, "03-pids.new.ipynb"):
        (tmp_path / "work" / name).symlink_to("../mine.ipynb")
    copied = copy(tmp_path / "work", [version(1)])
    copied = copy(tmp_path / "work", [version(2)])
    assert copied.beside == ("03-pids.new-2.ipynb",)
    assert (tmp_path / "mine.ipynb").read_bytes() == version(1).text
    assert (tmp_path / "work" / NAME).is_symlink()


DAMAGED = [b"", b"[", b"[]", b'{"version": 1}', b'{"version": 1, "files": []}', b'{"version": 1, "files": {"a": 1}}']


@pytest.mark.parametrize("damage", DAMAGED)
def test_without_its_record_it_takes_what_differs_for_the_students(tmp_path: Path, damage: bytes) -> None:
    copy(tmp_path, [version(1)])
    (tmp_path / copies.RECORD).write_bytes(damage)
    assert copy(tmp_path, [version(2)]).beside == ("03-pids.new.ipynb",)
    assert (tmp_path / NAME).read_bytes() == version(1).text
    assert str(copy(tmp_path, [version(2)])) == ""


# Nothing is lost

ACTS = st.lists(st.sampled_from(["run", "change", "delete", "delete new", "rename new", "course"]), max_size=12)


@settings(deadline=None, max_examples=60)  # a busy machine is no failure
@given(ACTS)
def test_what_the_student_wrote_is_there_whatever_comes(acts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as made:
        directory, number, wrote = Path(made), 1, set()
        copy(directory, [version(number)])
        mine, new = directory / NAME, directory / "03-pids.new.ipynb"
        for act in acts:
            match act:
                case "run" | "change":
                    wrote.discard(mine.read_bytes())
                    wrote.add(edit(mine, runs if act == "run" else changes))
                case "delete":
                    wrote.discard(mine.read_bytes())
                    mine.unlink()
                case "delete new":
                    new.unlink(missing_ok=True)
                case "rename new" if new.exists():
                    wrote.discard(mine.read_bytes())
                    new.replace(mine)
                case "course":
                    number += 1
            copy(directory, [version(number)])
            there = {path.read_bytes() for path in directory.glob("*.ipynb")}
            assert wrote <= there and mine.exists()
            assert str(copy(directory, [version(number)])) == ""


@pytest.mark.parametrize("at", range(6))
def test_after_a_kill_at_any_rename_the_next_run_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    course = [[Page(f"0{n}-x.ipynb", version(v).text) for n in (1, 2, 3)] for v in (1, 2)]
    copy(tmp_path, course[0])
    mine = edit(tmp_path / "02-x.ipynb", changes)
    real, left = os.replace, [None] * at

    def killed(*paths: Any, **more: Any) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        real(*paths, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        try:
            copy(tmp_path, course[1])
        except KeyboardInterrupt:
            assert at < 4
        else:
            assert at >= 4, "one beside, the record, two that are replaced"
    copy(tmp_path, course[1])
    assert names(tmp_path) == ["01-x.ipynb", "02-x.ipynb", "02-x.new.ipynb", "03-x.ipynb"]
    assert (tmp_path / "02-x.ipynb").read_bytes() == mine
    for name in ("01-x.ipynb", "02-x.new.ipynb", "03-x.ipynb"):
        assert (tmp_path / name).read_bytes() == version(2).text
    assert sorted(path.name for path in (tmp_path / copies.OWN).iterdir()) == ["given.json", "lock"]


def test_two_at_once_take_turns(tmp_path: Path) -> None:
    code = "import sys; from labkit.cli import main; sys.exit(main(['copy', sys.argv[1]]))"
    both = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / "work"], stdout=subprocess.PIPE, text=True,
                         env=os.environ | {"JUPYTER_DATA_DIR": str(tmp_path / "data")})
        for _ in range(2)
    ]  # fmt: skip
    said = sorted(one.communicate(timeout=60)[0].partition(" ")[0] for one in both)
    assert said == ["nothing", "your"] and [one.returncode for one in both] == [0, 0]


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_they_come_where_nothing_of_linux_is(tmp_path: Path, platform: str) -> None:
    code = (
        "import subprocess, sys; from pathlib import Path; import elsewhere; elsewhere.pretend(sys.argv[1]);"
        "from labkit import copies; print([len(copies.copy(Path(sys.argv[2])).brought) for _ in 'ab'])"
    )
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning:labkit", "-c", code, platform,
         tmp_path / "work"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("[10, 0]\n", "")


# What cannot be


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("mine")
    for directory in (tmp_path / "work", tmp_path / "work/deeper"):
        with pytest.raises(LabError, match="work is in the way of your copies: no directory") as said:
            copy(directory, [version(1)])
        assert "--work DIR" in str(said.value)
    assert (tmp_path / "work").read_text() == "mine"


def test_where_labkit_was_installed_without_its_lessons_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(copies, "NOTEBOOKS", tmp_path)
    assert cli.main(["copy", str(tmp_path / "work")]) == 1
    assert "there are no lessons in" in capsys.readouterr().err and not (tmp_path / "work").exists()


def test_the_clone_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(copies.NOTEBOOKS.iterdir())
    assert cli.main(["copy", str(copies.NOTEBOOKS)]) == 1
    assert "is in the clone, which is to stay as it is" in capsys.readouterr().err
    assert sorted(copies.NOTEBOOKS.iterdir()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another account's directory")
def test_another_accounts_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    os.chown(tmp_path / "work", NOBODY, NOBODY)
    with pytest.raises(LabError, match="belongs to the account with uid 65534"):
        copy(tmp_path / "work", [version(1)])
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / copies.OWN).symlink_to(tmp_path / "work")
    with pytest.raises(LabError, match="is a link, not a directory"):
        copy(tmp_path / "ours", [version(1)])
    assert not list((tmp_path / "work").glob("*.ipynb"))


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "there is no room left for your copies in"),
        (errno.EDQUOT, "there is no room left for your copies in"),
        (errno.EROFS, "may not be read or written: Read-only file system"),
        (errno.EACCES, "may not be read or written: Permission denied"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_what_the_system_refuses_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(source: Any, target: Any) -> None:
        raise OSError(number, os.strerror(number), str(source))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(LabError, match=says) as said:
        copy(tmp_path, [version(1)])
    assert "./lab up --work DIR, or labkit copy DIR" in str(said.value)
    monkeypatch.undo()
    assert copy(tmp_path, [version(1)]).brought == (NAME,)


def test_the_default_is_beside_a_clone_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert copies.default() == tmp_path / "labkit"
    (tmp_path / "labkit/labkit").mkdir(parents=True)
    (tmp_path / "labkit/labkit/__init__.py").touch()
    assert copies.default() == tmp_path / "labkit-work"
