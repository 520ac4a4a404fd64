"""Names and capability sets: what is let in, what is refused and with which words."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.linux import capabilities, names


@pytest.mark.parametrize("name", ["a", "c1", "9", "web-1", "A_b.c-d", "x" * 63])
def test_good_names(name: str) -> None:
    assert names.valid_name(name) == name


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("", "empty"),
        ("x" * 64, "64 characters"),
        ("x" * 300, "300 characters"),
        ("../x", "begins with '.'"),
        (".", "begins with '.'"),
        ("-x", "begins with '-'"),
        ("a/b", "contains '/'"),
        ("a\nb", r"contains '\\n'"),
        ("a\n", r"contains '\\n'"),
        ("a\0b", "contains"),
        ("a b", "contains ' '"),
        ("é", "must begin with a letter or a digit"),
        ("a²", "contains '²'"),
        ("a\udcff", "contains"),
    ],
)
def test_bad_names_are_refused_with_the_cause(name: str, cause: str) -> None:
    with pytest.raises(ValueError, match=cause) as caught:
        names.valid_name(name)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["c1", "a.b.c", "web_1", "x" * 63, "a" * 31 + "." + "b" * 32])
def test_good_hostnames(name: str) -> None:
    assert names.valid_hostname(name) == name


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("", "cannot be empty"),
        ("x" * 65, "65 bytes; the kernel keeps 64"),
        ("x" * 64, "label of 64 bytes"),
        ("é" * 33, "66 bytes"),
        ("a..b", "empty label"),
        ("a.", "empty label"),
        ("-a", "begins or ends with '-'"),
        ("a b", "contains ' '"),
        ("a\nb", "contains"),
        ("é", "contains 'é'"),
        ("\udcff", "contains"),
    ],
)
def test_bad_hostnames_are_refused_with_the_cause(name: str, cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        names.valid_hostname(name)


@given(st.text(max_size=80))
def test_a_valid_name_is_one_path_component_and_a_hostname(name: str) -> None:
    try:
        names.valid_name(name)
    except ValueError:
        return
    assert os.path.basename(name) == name not in (".", "..", "")
    assert name.isascii()
    assert name.isprintable()


def test_allocate_takes_the_smallest_free_number(tmp_path: Path) -> None:
    assert [names.allocate(str(tmp_path), "lab") for _ in range(3)] == ["lab-1", "lab-2", "lab-3"]
    (tmp_path / "lab-2").rmdir()
    assert names.allocate(str(tmp_path), "lab", taken={"lab-4"}) == "lab-2"
    assert names.allocate(str(tmp_path), "lab", taken={"lab-4"}) == "lab-5"
    assert (tmp_path / "lab-5").stat().st_mode & 0o777 == 0o700


def test_allocate_gives_no_name_twice(tmp_path: Path) -> None:
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.extend(names.allocate(str(tmp_path), "lab") for _ in range(20)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(f"lab-{n}" for n in range(1, 161))


def test_allocate_passes_over_whatever_stands_there(tmp_path: Path) -> None:
    (tmp_path / "lab-1").symlink_to("/nowhere")
    (tmp_path / "lab-2").write_text("")
    assert names.allocate(str(tmp_path), "lab") == "lab-3"
    with pytest.raises(FileExistsError, match="lab-1 to lab-3 are taken"):
        names.allocate(str(tmp_path), "lab", attempts=3)
    with pytest.raises(FileNotFoundError):
        names.allocate(str(tmp_path / "missing"), "lab")
    with pytest.raises(ValueError, match="begins with"):
        names.allocate(str(tmp_path), "../lab")


def test_docker_leaves_fourteen_capabilities() -> None:
    assert len(capabilities.DOCKER_DEFAULT) == 14
    assert capabilities.mask(capabilities.DOCKER_DEFAULT) == 0xA80425FB
    assert capabilities.decode_set(0xA80425FB) == capabilities.DOCKER_DEFAULT


def test_there_are_forty_one_capabilities_without_a_gap() -> None:
    assert list(capabilities.NAMES) == list(range(41))
    assert capabilities.NAMES[0] == "CAP_CHOWN"
    assert capabilities.NAMES[40] == "CAP_CHECKPOINT_RESTORE"


@given(st.integers(0, 2**64 - 1))
def test_no_capability_is_lost(value: int) -> None:
    assert capabilities.mask(capabilities.decode_set(value)) == value


@pytest.mark.parametrize(("name", "number"), [("CAP_KILL", 5), ("kill", 5), ("cap_sys_admin", 21), ("CAP_41", 41)])
def test_a_capability_by_any_of_its_names(name: str, number: int) -> None:
    assert capabilities.number(name) == number


@pytest.mark.parametrize("name", ["", "CAP_", "ALL", "CAP_64", "CAP_-1", "CAP_²"])
def test_no_such_capability(name: str) -> None:
    with pytest.raises(ValueError, match="no capability"):
        capabilities.mask([name])


def test_the_sets_of_a_process() -> None:
    status = {"CapInh": "0", "CapPrm": "20", "CapEff": "20", "CapBnd": "1ffffffffff", "CapAmb": "0", "Name": "x"}
    sets = capabilities.of_status(status)
    assert list(sets) == ["inheritable", "permitted", "effective", "bounding", "ambient"]
    assert capabilities.decode_set(sets["effective"]) == ("CAP_KILL",)
    assert sets["bounding"] == (1 << 41) - 1
