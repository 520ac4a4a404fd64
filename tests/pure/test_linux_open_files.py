"""Files that are read again and again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from labkit.linux.open_files import OpenFiles

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the calls are Linux's")


def files(directory: Path, **texts: str) -> list[tuple[str, str]]:
    for name, text in texts.items():
        (directory / name).write_text(text)
    return [(name, str(directory / name)) for name in texts]


def test_what_they_say_now(tmp_path: Path) -> None:
    with OpenFiles(files(tmp_path, one="1\n", two="2\n")) as opened:
        assert opened.texts() == {"one": "1\n", "two": "2\n"}
        (tmp_path / "one").write_text("11\n")
        (tmp_path / "two").write_text("")
        assert opened.texts() == {"one": "11\n", "two": ""}
        assert opened.texts("one", "three") == {"one": "11\n"}
        assert os.pread(opened.descriptor("one"), 10, 0) == b"11\n"
        assert opened.descriptor("three") == -1


def test_one_that_is_not_there_is_left_out_and_another_error_is_not(tmp_path: Path) -> None:
    there = files(tmp_path, one="1\n")
    with OpenFiles([*there, ("two", str(tmp_path / "no such"))]) as opened:
        assert opened.texts() == {"one": "1\n"}
    before = os.listdir("/proc/self/fd")
    with pytest.raises(NotADirectoryError):
        OpenFiles([*there, ("two", f"{there[0][1]}/below")])
    assert os.listdir("/proc/self/fd") == before


def test_two_trees_may_each_tell_a_part_of_one_file(tmp_path: Path) -> None:
    [(_, first), (_, second)] = files(tmp_path, first="usage_usec 1\n", second="nr_periods 2\n")
    with OpenFiles([("cpu.stat", first), ("cpu.stat", second)]) as opened:
        assert opened.texts() == {"cpu.stat": "usage_usec 1\nnr_periods 2\n"}


@pytest.mark.parametrize("size", [8191, 8192, 8193, 100_000])
def test_a_long_one_is_read_whole(tmp_path: Path, size: int) -> None:
    with OpenFiles(files(tmp_path, long="x" * size)) as opened:
        assert len(opened.texts()["long"]) == size


def test_closing_twice_closes_nobody_elses_files(tmp_path: Path) -> None:
    opened = OpenFiles(files(tmp_path, one="1\n"))
    opened.close()
    with open(tmp_path / "one", encoding="ascii") as other:
        opened.close()
        assert other.read() == "1\n"
    assert opened.texts() == {}
