"""What a student writes and what a Spec holds; no kernel is asked."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.container import arguments, names
from labkit.container.spec import PLACES
from labkit.errors import ImageError, LabError, SpecError

PATHS = st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), min_size=1)
absolute = PATHS.map(lambda parts: str(Path("/", *parts))).filter(lambda path: "/.." not in path)


@given(absolute, absolute)
def test_two_directories_never_share_a_name(one: str, other: str) -> None:
    assert (names.image_of(one) == names.image_of(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"), [("/a/b", "/a-b"), ("/a/b", "/a_b"), ("/a", "/a/"), ("/ä", "/ö"), ("/", "/-")]
)
def test_like_names_are_told_apart(one: str, other: str) -> None:
    assert (names.image_of(one) == names.image_of(other)) == (one.rstrip("/") == other.rstrip("/"))


@given(absolute)
def test_the_name_of_a_directory_serves_as_a_containers(path: str) -> None:
    image = names.image_of(path)
    name, hostname = names.name_of(None, None, taken=(), numbers=itertools.count(1), image=image)
    assert name.endswith("-1")
    assert len(hostname) <= 64
    assert "/" not in image


@given(st.text(max_size=80))
def test_a_name_is_taken_as_it_is_or_refused_with_a_reason(name: str) -> None:
    try:
        chosen, _ = names.name_of(name, None, taken=("web",), numbers=itertools.count(1), image="busybox")
    except SpecError as error:
        assert error.look
        assert "\n" not in error.message
    else:
        assert chosen == name
        assert not set(chosen) & set("./ \n\0")


def test_without_a_name_the_next_free_number_is_taken() -> None:
    numbers = itertools.count(1)
    found = [names.name_of(None, None, taken=("alpine-2",), numbers=numbers, image="alpine")[0] for _ in range(3)]
    assert found == ["alpine-1", "alpine-3", "alpine-4"]
    assert names.name_of(None, None, taken=(), numbers=numbers, image="alpine3.18")[0] == "alpine3-18-5"


@given(st.one_of(st.none(), st.text(), st.binary(), st.integers(), st.lists(st.one_of(st.text(), st.integers()))))
def test_any_command_is_words_or_an_error(argv: object) -> None:
    try:
        words = arguments.argv_of(argv)
    except SpecError as error:
        assert error.look
    else:
        assert words
        assert words[0]
        assert all(isinstance(word, str) and "\0" not in word for word in words)


@given(st.dictionaries(st.text(), st.text()))
def test_an_environment_can_be_read_back(env: dict[str, str]) -> None:
    try:
        found = dict(arguments.environment_of(env))
    except SpecError:
        assert any(not key or "=" in key or "\0" in key + value or not (key + value).isprintable()
                   for key, value in env.items())  # fmt: skip
    else:
        assert env.items() <= found.items()
        assert {"PATH", "HOME", "TERM"} <= set(found)


@pytest.mark.parametrize(
    ("stdin", "at_end", "typed"),
    [
        (None, True, b"\x04"),
        (None, False, None),
        ("", False, None),
        ("ls\n", True, b"ls\n\x04"),
        ("ls", True, b"ls\x04\x04"),
        (b"ls", False, b"ls"),
    ],
)
def test_what_is_typed_at_a_terminal_ends_as_a_file_does(
    stdin: str | bytes | None, at_end: bool, typed: bytes | None
) -> None:
    assert arguments.typed_of(stdin, at_end=at_end) == typed


ROOT = dict.fromkeys(PLACES, "directory")


@pytest.mark.parametrize(
    ("top", "missing", "put_old"),
    [
        (ROOT, (), "old"),
        ({}, PLACES, "old"),
        (ROOT | {"old": "file"}, (), "old2"),
        (ROOT | {"old": "symlink", "old2": "directory"}, (), "old3"),
        ({"proc": "directory"}, ("sys", "dev"), "old"),
    ],
)
def test_places_that_an_image_lacks_are_found(top: dict[str, str], missing: tuple[str, ...], put_old: str) -> None:
    assert arguments.places_of("x", top) == (missing, put_old)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["symlink", "file"])
def test_a_place_that_is_no_directory_is_refused(place: str, kind: str) -> None:
    with pytest.raises(ImageError, match=f"/{place} of x is a {kind}"):
        arguments.places_of("x", ROOT | {place: kind})


@given(st.one_of(st.text(), st.integers(), st.booleans(), st.floats()))
def test_a_user_is_two_numbers_that_the_kernel_takes_or_an_error(user: object) -> None:
    try:
        found = arguments.user_of(user, lambda name: (7, 8) if name == "tenant" else None)
    except LabError as error:
        assert error.look
    else:
        assert found is not None
        assert all(0 <= number < 2**32 - 1 for number in found)
