"""The arguments of `lab.run`, checked before anything is asked of the kernel.

Each function takes what a student wrote and returns what a Spec holds, or raises SpecError in one line
with the cause and the remedy.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from labkit.errors import ImageError, SpecError
from labkit.image import rootfs
from labkit.linux import names
from labkit.namespaces.processes import PATH, Environment

_STRING_MAX = 131072  # MAX_ARG_STRLEN: execve(2) "Limits on size of arguments and environment"
_ID_MAX = 2**32 - 2


def argv_of(argv: Sequence[str] | str | None) -> tuple[str, ...]:
    """A program and its arguments; a string is split as a shell splits words; None is a shell."""
    if argv is None:
        return ("sh",)
    words = shlex.split(argv) if isinstance(argv, str) else list(argv)
    if not words or not words[0]:
        raise SpecError("argv is empty: there is no program to run", look='lab.run("busybox", ["echo", "hi"])')
    for number, word in enumerate(words):
        if not isinstance(word, str):
            raise SpecError(f"argv[{number}] is {type(word).__name__}, not a string", look="str(...) makes one")
        _string(f"argv[{number}]", word)
    return tuple(words)


def environment_of(env: Mapping[str, str] | None) -> Environment:
    """PATH and HOME, and what was given."""
    merged = {"PATH": PATH, "HOME": "/root", "TERM": "xterm", **(env or {})}
    for key, value in merged.items():
        if not key or "=" in key:
            raise SpecError(f"{key!r} cannot be the name of an environment variable", look="man 7 environ")
        _string(f"env[{key!r}]", str(value))
    return tuple((key, str(value)) for key, value in merged.items())


def _string(what: str, text: str) -> None:
    if "\0" in text:
        raise SpecError(
            f"{what} contains NUL: the kernel would stop reading there", likely="bytes of a binary file were used as text",
            look="pass such data by stdin=",
        )  # fmt: skip
    size = len(os.fsencode(text)) if text.isprintable() or "\udc80" <= max(text, default="") else len(text.encode(errors="replace"))
    if size >= _STRING_MAX:
        raise SpecError(
            f"{what} has {size} bytes; the kernel takes at most {_STRING_MAX - 1} in one string (E2BIG)",
            look="pass large data by stdin=, or in a file",
        )


def input_of(stdin: str | bytes | None) -> bytes | None:
    """What the program reads from standard input, as bytes; None is /dev/null."""
    return stdin.encode() if isinstance(stdin, str) else stdin


def image_of(image: str) -> tuple[str, str]:
    """(name under /run/lab/images, directory): of an image by name, or of a path to any directory."""
    if not isinstance(image, (str, os.PathLike)) or not str(image):
        raise ImageError("an image is a name or the path of a directory", look='lab.run("busybox")')
    text = os.fspath(image)
    if "/" not in text:
        path = str(rootfs.image_path(text))
        return text, path
    path = str(Path(text).absolute())
    if not Path(path).is_dir():
        raise ImageError(f"{path} is not a directory", likely="no such path, or a file", look=f"ls -ld {shlex.quote(path)}")
    return "path-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in path)[-40:].strip("-"), path


def name_of(
    name: str | None, hostname: str | None, *, taken: Container[str], numbers: Iterator[int], image: str
) -> tuple[str, str]:
    """(name, hostname) of a container; without a name the image's with the next free number."""
    if name is None:
        name = next(n for n in (f"{image[:40]}-{number}" for number in numbers) if n not in taken)
    try:
        names.valid_name(name)
    except ValueError as error:
        raise SpecError(str(error), look="a name such as web-1") from error
    if name in taken or name in ("host", "init", "images", "root"):
        raise SpecError(
            f"there is a container called {name} already" if name in taken else f"{name} is the lab's own name",
            look=f"lab.containers[{name!r}].kill(), or another name",
        )
    chosen = hostname if hostname is not None else name.replace("_", "-")
    try:
        names.valid_hostname(chosen)
    except ValueError as error:
        raise SpecError(str(error), look="sethostname(2)") from error
    return name, chosen


def user_of(user: str | int | None, image: str) -> tuple[int, int] | None:
    """(uid, gid): of a number, of "uid:gid", or of a name in the image's /etc/passwd."""
    if user is None:
        return None
    text = str(user)
    uid, colon, gid = text.partition(":")
    if uid.isascii() and uid.isdigit() and (not colon or gid.isdigit()):
        pair = int(uid), int(gid or uid)
        if max(pair) > _ID_MAX:
            raise SpecError(f"{text} is no user: ids end at {_ID_MAX}", look="man 7 credentials")
        return pair
    for row in _passwd(image):
        if row[0] == text:
            return int(row[2]), int(row[3])
    raise SpecError(f"there is no user {text!r} in {image}", look="a number, as in user=1000")


def _passwd(image: str) -> list[list[str]]:
    """The rows of the image's /etc/passwd, unless it is a link that could lead out of the image."""
    base = image if "/" in image else str(rootfs.image_path(image))
    path = Path(base, "etc/passwd")
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return []
    rows = (line.split(":") for line in path.read_text(errors="replace").splitlines())
    return [row for row in rows if len(row) >= 4 and row[2].isdigit() and row[3].isdigit()]
