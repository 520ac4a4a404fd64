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
from labkit.image.accounts import Account, Files

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


PASSWD = b"""\
# users
root:x:0:0:root:/root:/bin/sh
:x:1:1::/nameless:/bin/sh
short:x:2
tenant:x:1000:100:a tenant:/home/tenant:/bin/sh
second:x:1000:7::/home/second:/bin/sh
tenant:x:2000:2000::/home/later:/bin/sh
bare:x:5:6
homeless:x:8:9::
odd:x:-1:0::/:
odd:x:\xc2\xb2:0::/:
caf\xe9:x:12:13::/home/caf\xe9:
vt\x0broot:x:14:15::/vt:
+nis::::::
77:x:78:79::/home/seven:
"""
GROUP = b"""\
root:x:0:
wheel:x:10:root,tenant
tty:x:5:second,tenant
twice:x:10:tenant
odd:x:many:tenant
tenants:x:100:ten,tenants
"""
FILES = Files(PASSWD, GROUP)


@pytest.mark.parametrize(
    ("user", "account"),
    [
        (None, Account(0, 0, (10,), "/root")),
        ("root", Account(0, 0, (10,), "/root")),
        ("tenant", Account(1000, 100, (10, 5), "/home/tenant")),
        (1000, Account(1000, 100, (10, 5), "/home/tenant")),
        ("01000", Account(1000, 100, (10, 5), "/home/tenant")),
        ("tenant:tty", Account(1000, 5, (), "/home/tenant")),
        ("1000:1000", Account(1000, 1000, (), "/home/tenant")),
        ("4242", Account(4242, 0, (), "/")),
        ("4242:wheel", Account(4242, 10, (), "/")),
        ("bare", Account(5, 6, (), "/")),
        ("homeless", Account(8, 9, (), "/")),
        ("caf\udce9", Account(12, 13, (), "/home/caf\udce9")),
        ("77", Account(77, 0, (), "/")),
    ],
)
def test_an_account_is_what_the_images_files_say(user: str | int | None, account: Account) -> None:
    """As engines do: the first entry counts, a number is a uid, and without an entry it is of group 0, at home in /."""
    assert arguments.account_of(user, "x", FILES) == account


@pytest.mark.parametrize(
    ("user", "match"),
    [
        ("short", "no user 'short' in /etc/passwd of x"),
        ("odd", "no user 'odd'"),
        ("+nis", "no user"),
        ("vt", "no user"),
        ("tenant:odd", "no group 'odd' in /etc/group of x"),
        ("# users", "no user"),
        ("9" * 5000, "no user"),
    ],
)
def test_what_is_no_entry_is_passed_over(user: str, match: str) -> None:
    with pytest.raises(SpecError, match=match):
        arguments.account_of(user, "x", FILES)


def test_a_file_that_could_not_be_read_is_the_reason() -> None:
    with pytest.raises(SpecError) as caught:
        arguments.account_of("tenant", "x", Files(b"", b"", "/etc/passwd: Permission denied"))
    assert caught.value.likely == "/etc/passwd: Permission denied"
    assert arguments.account_of(None, "x", Files(b"", b"", "refused")) == Account(0, 0, (), "/")


def test_a_home_that_no_environment_can_hold_is_refused() -> None:
    with pytest.raises(SpecError, match="the home directory of 'a' in /etc/passwd of x contains NUL"):
        arguments.account_of("a", "x", Files(b"a:x:1:1::/a\0b:\n", b""))


@given(st.one_of(st.text(), st.integers(), st.booleans(), st.floats(), st.binary()), st.binary(), st.binary())
def test_a_user_has_numbers_that_the_kernel_takes_or_is_an_error(user: object, passwd: bytes, group: bytes) -> None:
    try:
        found = arguments.account_of(user, "x", Files(PASSWD + passwd, GROUP + group))
    except LabError as error:
        assert error.look
    else:
        assert all(0 <= number < 2**32 - 1 for number in (found.uid, found.gid, *found.groups))
