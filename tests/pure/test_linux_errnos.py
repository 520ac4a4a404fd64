"""The error numbers are Linux's own, on whatever system labkit runs."""

from __future__ import annotations

import errno
import os

from labkit.errors import errno_meaning, errno_name, errno_text
from labkit.linux.constants import errnos


def test_the_numbers_and_meanings_are_those_of_this_linux() -> None:
    ours = {name: value for name, value in vars(errnos).items() if name.startswith("E")}
    assert ours == {name: value for name, value in vars(errno).items() if name.startswith("E")}
    assert {number: os.strerror(number) for number in errnos.MEANINGS} == errnos.MEANINGS
    assert set(errnos.MEANINGS) == {*errno.errorcode}


def test_a_number_that_nobody_knows_is_shown_as_it_is() -> None:
    assert (errno_name(9999), errno_meaning(9999)) == ("errno 9999", "Unknown error 9999")
    assert (errno_text(39), errno_text(0)) == ("ENOTEMPTY (Directory not empty)", "not sent to the kernel")
