"""Calls made ready for many: what can be, what cannot, and that a name goes where its hole was."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from labkit.agent import wire
from labkit.agent.prepared import Prepared
from labkit.linux.bpf_calls import bpf_prog_detach
from labkit.linux.calls import Fd, Intent, Ret, close, mkdir, open_, openat2
from labkit.linux.volley import LISTING

pytestmark = pytest.mark.skipif(platform.machine() not in LISTING, reason="no machine code for this processor")

HOLE = "\0name\0"
BIRTH = Intent("clone3", ({"flags": 0, "exit_signal": 17},), "child")
END = Intent("exit_group", (0,))


def packed(*intents: Intent) -> list[list[Any]]:
    return [wire.pack_call(*intent) for intent in intents]


def launched(kind: Prepared, name: str) -> tuple[Sequence[Any], int]:
    """Rows and exit status of one child, whose streams are /dev/null."""
    null = os.open("/dev/null", os.O_RDWR)
    try:
        rows, pid = kind.launch(name, [null] * 3)
    finally:
        os.close(null)
    return rows, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if pid else -1


def test_each_has_its_own_name_in_the_calls_of_parent_and_child(tmp_path: Path) -> None:
    place = f"{tmp_path}/{HOLE}"
    kind = Prepared(packed(mkdir(place), BIRTH), packed(mkdir(f"{place}/in"), END), HOLE)
    for name in ("one", "another"):
        rows, status = launched(kind, name)
        assert (rows[0][:2], rows[1][3], status) == ([0, 0], None, 0)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "another", "another/in", "one", "one/in",
    ]  # fmt: skip


def test_a_structure_is_filled_in_with_what_an_earlier_call_returned() -> None:
    """There is no field for that but in calls that want root: the descriptor stands where a mode is expected."""
    odd = openat2(-100, "/dev/null", flags=0, mode=Ret(0))
    kind = Prepared(packed(open_("/dev/null"), odd._replace(tolerate=(22,)), BIRTH), packed(END), HOLE)
    rows, _ = launched(kind, "a")
    os.close(rows[0][0])
    assert rows[1][:2] == [-1, 22], "openat2(2) takes no mode without O_CREAT: it has seen the number"


def test_a_call_of_the_child_that_fails_is_told_with_those_before_it(tmp_path: Path) -> None:
    kind = Prepared(packed(BIRTH), packed(mkdir(f"{tmp_path}/{HOLE}"), mkdir("/proc/x"), END), HOLE)
    rows, status = launched(kind, "a")
    assert rows[0][3] == [[0, 0, 0, None], [-1, 2, 0, None]] and status == 125


def test_nobody_is_born_after_a_call_that_failed(tmp_path: Path) -> None:
    kind = Prepared(packed(mkdir(str(tmp_path)), BIRTH), packed(END), HOLE)
    assert launched(kind, "a") == ([[-1, 17, 0, None]], -1)


@pytest.mark.parametrize(
    ("then", "error"),
    [
        (Intent("openat", (-100, "/", 0, 0), "kept"), ValueError),
        (close(Fd("tree")), KeyError),
        (mkdir("a\0b"), ValueError),
        (close(Ret(0))._replace(tolerate=(95,)), ValueError),
        (bpf_prog_detach(Ret(0), 6), ValueError),
    ],
    ids=["a descriptor with a name", "a descriptor of before", "NUL", "an errno past the mask", "a late structure"],
)
def test_what_cannot_be_made_ready_is_refused(then: Intent, error: type[Exception]) -> None:
    with pytest.raises(error):
        Prepared(packed(BIRTH), packed(then), HOLE)
