"""What is made of measured numbers, and how delays are drawn. Without a lab."""

from __future__ import annotations

import pytest

from labkit.learn.measuring import Delays, about
from labkit.linux.machine import disk
from labkit.view.pictures import delay_strip


@pytest.mark.parametrize(
    ("number", "within", "said"),
    [(3.0, 0.1, "3 (within 10%)"), (3.29, 0.1, "3 (within 10%)"), (3.4, 0.1, "3.40"), (2.6, 0.15, "3 (within 15%)")],
)
def test_a_number_is_told_as_wanted_only_where_it_is_that(number: float, within: float, said: str) -> None:
    assert about(number, 3, within) == said


def test_a_tail_is_what_one_of_twenty_exceeds() -> None:
    punctual, late = Delays((0.001,) * 100), Delays((0.001,) * 90 + (0.1,) * 10)
    assert (punctual.quickest, punctual.tail) == (0.001, 0.001)
    assert (late.quickest, late.tail) == (0.001, 0.1)
    assert str(late) == "100 pieces of work, and how long each took"


def test_what_is_no_disk_has_no_number() -> None:
    assert disk({"image": 0}) == {"image": ""}


def test_each_piece_of_work_is_a_stroke() -> None:
    picture = delay_strip({"a < b": (0.001, 0.002), "late": (0.001, 0.09, 3.0)})
    assert picture.text == "a < b: 2 pieces of work\nlate: 3 pieces of work"
    assert picture.svg.count('width="1.5"') == 5 and "<b" not in picture.svg.replace("<br", "")
    assert "90.0 ms" in picture.svg and "a &lt; b" in picture.svg
    assert [word for word in ("1 ms", "1 s", "10 s") if word in picture.svg] == ["1 ms", "1 s", "10 s"]


def test_a_picture_of_nothing_is_empty() -> None:
    assert delay_strip({}).text == ""
