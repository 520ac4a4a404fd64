"""The mount table, on lines from many machines and on lines that a hostile mount would make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.linux import mountinfo
from labkit.linux.mountinfo import covering, parse, unescape

MANUAL = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"


def test_the_line_of_the_manual() -> None:
    (mount,) = parse(MANUAL)
    assert (mount.id, mount.parent, mount.device) == (36, 35, "98:0")
    assert (mount.root, mount.target) == ("/mnt1", "/mnt2")
    assert mount.options == ("rw", "noatime")
    assert (mount.type, mount.source, mount.super_options) == ("ext3", "/dev/root", ("rw", "errors=continue"))
    assert (mount.shared, mount.master, mount.propagate_from, mount.unbindable) == (None, 1, None, False)


@pytest.mark.parametrize(
    ("optional", "shown"),
    [
        ("", "private"),
        ("shared:2 ", "shared:2"),
        ("shared:5 master:2 ", "shared:5 master:2"),
        ("master:7 propagate_from:3 ", "master:7 propagate_from:3"),
        ("unbindable ", "unbindable"),
        ("shared:1 invented:9 ", "shared:1"),  # proc(5): parsers must skip what they do not know
    ],
)
def test_propagation_is_what_stands_before_the_dash(optional: str, shown: str) -> None:
    (mount,) = parse(f"36 35 0:5 / /a rw {optional}- tmpfs none rw\n")
    assert mount.propagation == shown


def test_spaces_tabs_newlines_and_backslashes_are_octal() -> None:
    line = r"50 1 0:40 /a\134b /my\040disk\011x\012y\134040 rw - fuse.sshfs user@h:/a\040b rw,lowerdir=/x\040y"
    (mount,) = parse(line + "\n")
    assert mount.root == "/a\\b"
    assert mount.target == "/my disk\tx\ny\\040"
    assert mount.source == "user@h:/a b"
    assert mount.super_options == ("rw", "lowerdir=/x y")
    assert mount.type == "fuse.sshfs"


def test_only_newline_ends_a_line_and_only_one_space_a_field() -> None:
    hostile = "50 1 0:40 / /a\rb\x0bc\x85d\u2028e rw - tmpfs  rw,size=4k\n51 1 0:41 / /- rw - tmpfs - rw\n"
    first, second = parse(hostile)
    assert first.target == "/a\rb\x0bc\x85d\u2028e"
    assert first.source == ""  # mount("", …) is allowed
    assert first.super_options == ("rw", "size=4k")
    assert (second.target, second.source) == ("/-", "-")


def test_bytes_that_are_not_utf8_survive() -> None:
    raw = b"50 1 0:40 / /caf\xe9 rw - tmpfs none rw\n"
    (mount,) = parse(raw.decode(errors="surrogateescape"))
    assert mount.target.encode(errors="surrogateescape") == b"/caf\xe9"


@pytest.mark.parametrize(
    "line", ["nonsense", "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 ext3 /dev/root rw", "x y z / / rw - a b c"]
)
def test_what_is_no_mountinfo_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        parse(line)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_unescape_undoes_what_the_kernel_does(path: str) -> None:
    escaped = "".join(f"\\{ord(each):03o}" if each in " \t\n\\#" else each for each in path)
    assert unescape(escaped) == path


@given(st.text())
def test_unescape_takes_anything(text: str) -> None:
    assert len(unescape(text)) <= len(text)


def test_covering_goes_down_from_the_root() -> None:
    mounts = parse(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 0:2 / /sys rw - sysfs sysfs rw\n"
        "3 2 0:3 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        "4 1 0:4 / /proc rw - proc proc rw\n"
    )
    at = {
        path: mount.id
        for path in ("/", "/sys", "/sys/fs/cgroup/a", "/proc/1", "/procfs")
        if (mount := covering(mounts, path))
    }
    assert at == {"/": 1, "/sys": 2, "/sys/fs/cgroup/a": 3, "/proc/1": 4, "/procfs": 1}


def test_a_later_mount_on_the_parent_hides_what_lies_deeper() -> None:
    mounts = parse(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 0:2 / /a/b rw - tmpfs deep rw\n"
        "3 1 0:3 / /a rw - tmpfs over rw\n"
        "4 3 0:4 / /a rw - tmpfs again rw\n"
    )
    found = covering(mounts, "/a/b/c")
    assert found is not None
    assert found.source == "again"


def test_covering_without_a_mounted_root() -> None:
    """In a chroot the root need not be a mount point; the table then has no line for /."""
    mounts = parse("40 22 0:4 / /proc rw - proc proc rw\n")
    found = covering(mounts, "/proc/self")
    assert found is not None
    assert found.type == "proc"
    assert covering(mounts, "/etc") is None


def test_a_mount_equals_one_that_says_the_same() -> None:
    assert parse(MANUAL) == parse(MANUAL)
    assert parse(MANUAL) != parse(MANUAL.replace("master:1", "shared:1"))
    assert repr(parse(MANUAL)[0]) == "<Mount 36 ext3 on /mnt2 master:1>"
    assert len({*parse(MANUAL), *parse(MANUAL)}) == 1


def test_reading_our_own_table() -> None:
    mounts = mountinfo.read()
    assert any(mount.type == "proc" for mount in mounts)
