"""Which ids a rootless lab has, by what the machine grants its user."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from labkit.agent.subordinate import WANTED, grants, layout

SYSTEM, FIRST, SECOND = WANTED


@pytest.mark.parametrize(
    ("granted", "extents"),
    [
        ([], []),
        ([(100000, 65536)], [(1, 100000, 65535)]),
        ([(100000, 1000)], [(1, 100000, 1000)]),
        ([(7, 0)], []),
        ([(300000, 131071)], [(1, 300000, 65535), (100000, 365535, 65536)]),
        ([(300000, 196607)], [(1, 300000, 65535), (100000, 365535, 65536), (200000, 431071, 65536)]),
        (
            [(100000, 65536), (1000000, 196607)],
            [(1, 100000, 65535), (100000, 1000000, 65536), (200000, 1065536, 65536)],
        ),
        ([(100, 10), (200, 20), (300, 15)], [(1, 200, 20)]),
    ],
)
def test_each_range_goes_whole_into_one_grant(granted: list[tuple[int, int]], extents: list[tuple[int, ...]]) -> None:
    assert layout(1000, granted) == [(0, 1000, 1), *extents]


def test_no_id_is_given_away_twice() -> None:
    extents = layout(5, [(0, 70000), (70000, 140000)])
    for side in (0, 1):
        taken = sorted((extent[side], extent[side] + extent[2]) for extent in extents[1:])
        assert all(end <= begin for (_, end), (begin, _) in pairwise(taken))
    assert [(first, count) for first, _, count in extents[1:]] == [SYSTEM, FIRST, SECOND]


def test_grants_are_read_by_number_too_and_what_is_no_grant_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "subuid"
    file.write_text(f"# a comment\nsomebody:1:2\n{os.getuid()}:100000:65536\n\n{os.getuid()}:300000:5\n")
    assert grants(str(file)) == [(100000, 65536), (300000, 5)]
    assert grants(str(tmp_path / "none")) == []
