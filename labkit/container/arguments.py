"""The arguments of `lab.run`, checked before anything is asked of the kernel.

Each function takes what a student wrote and returns what a Spec holds, or raises SpecError in one line
with the cause and the remedy.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

from labkit.errors import ImageError, SpecError
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
            f"{what} contains NUL: the kernel would stop reading there",
            likely="bytes of a binary file were used as text",
            look="pass such data by stdin=",
        )  # fmt: skip
    size = (
        len(os.fsencode(text))
        if text.isprintable() or max(text, default="") >= "\udc80"
        else len(text.encode(errors="replace"))
    )
    if size >= _STRING_MAX:
        raise SpecError(
            f"{what} has {size} bytes; the kernel takes at most {_STRING_MAX - 1} in one string (E2BIG)",
            look="pass large data by stdin=, or in a file",
        )


def input_of(stdin: str | bytes | None) -> bytes | None:
    """What the program reads from standard input, as bytes; None is /dev/null."""
    return stdin.encode() if isinstance(stdin, str) else stdin


def image_of(image: str) -> str:
    """The name under /run/lab/images of an image by name, or of a path to any directory."""
    if not isinstance(image, (str, os.PathLike)) or not str(image):
        raise ImageError("an image is a name or the path of a directory", look='lab.run("busybox")')
    text = os.fspath(image)
    if "/" not in text:
        return text
    return "path-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in os.path.abspath(text))[-40:].strip("-")


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


def user_of(user: str | int | None, by_name: Callable[[str], tuple[int, int] | None]) -> tuple[int, int] | None:
    """(uid, gid): of a number, of "uid:gid", or of a name that `by_name` knows."""
    if user is None:
        return None
    text = str(user)
    uid, colon, gid = text.partition(":")
    if uid.isascii() and uid.isdigit() and (not colon or (gid.isascii() and gid.isdigit())):
        pair = int(uid), int(gid or uid)
        if max(pair) > _ID_MAX:
            raise SpecError(f"{text} is no user: ids end at {_ID_MAX}", look="man 7 credentials")
        return pair
    found = by_name(text)
    if found is None:
        raise SpecError(f"there is no user {text!r} in this image", look="a number, as in user=1000")
    return found
