"""The arguments of `lab.run`, checked before anything is asked of the kernel.

Each function takes what a student wrote and returns what a Spec holds, or raises SpecError in one line
with the cause and the remedy. Names and places have a module of their own, `labkit.container.names`.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Mapping, Sequence

from labkit.container.spec import PLACES
from labkit.errors import ImageError, SpecError
from labkit.image import accounts
from labkit.image.accounts import Account
from labkit.linux.constants import SIGRTMAX
from labkit.namespaces.processes import PATH, Environment
from labkit.steps import parameters

_ID_MAX = 2**32 - 2


def argv_of(argv: object) -> tuple[str, ...]:
    """A program and its arguments; a string is split as a shell splits words, and no more; None is a shell."""
    if argv is None:
        return ("sh",)
    example = 'lab.run("busybox", ["echo", "hi"])'
    if isinstance(argv, (bytes, bytearray)) or not isinstance(argv, Sequence):
        raise SpecError(f"argv is {type(argv).__name__}, not a list of words", look=example)
    try:
        words = shlex.split(argv) if isinstance(argv, str) else list(argv)
    except ValueError as error:
        raise SpecError(f"argv cannot be split into words: {str(error).lower()}", look=example) from error
    if not words or not words[0]:
        raise SpecError("argv is empty: there is no program to run", look=example)
    for number, word in enumerate(words):
        parameters.text(f"argv[{number}]", word)
    return tuple(words)


def environment_of(env: Mapping[str, str] | None, home: str = "/root") -> Environment:
    """PATH, HOME and TERM, and what was given; `home` is what the image says of the user."""
    own = (("PATH", PATH), ("HOME", home), ("TERM", "xterm"))
    if env is None:
        return own
    if not isinstance(env, Mapping):
        raise SpecError(f"env is {type(env).__name__}, not a dictionary", look='env={"LANG": "C"}')
    return parameters.environment({**dict(own), **env})


def input_of(stdin: str | bytes | None) -> bytes | None:
    """What the program reads from standard input, as bytes; None is /dev/null."""
    if stdin is None or isinstance(stdin, bytes):
        return stdin
    if not isinstance(stdin, str):
        raise SpecError(f"stdin is {type(stdin).__name__}, not text or bytes", look='stdin="hello", or file.read()')
    return stdin.encode(errors="surrogateescape")


def typed_of(stdin: str | bytes | None, *, at_end: bool) -> bytes | None:
    """What is typed at a terminal: the input, and `at_end` Ctrl-D, without which nobody there would ever stop reading.

    Ctrl-D ends the line first, if there is one, and the file when the line is empty: termios(3) "VEOF".
    """
    text = input_of(stdin) or b""
    end = b"\x04" if not text or text.endswith(b"\n") else b"\x04\x04"
    return text + end * at_end or None


def namespaces_of(namespaces: Sequence[str]) -> tuple[str, ...]:
    """The kinds of namespaces, each once."""
    return tuple(dict.fromkeys(parameters.kinds(namespaces)))


def places_of(image: str, top: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """Which places to mount on the image lacks, and a name at its top that it does not use (for the old root).

    `top` tells what lies at the top of it. A link in such a place would lead a mount to where the image's
    maker wants it: refused, as runc does.
    """
    for place in PLACES:
        if top.get(place, "directory") != "directory":
            raise ImageError(
                f"/{place} of {image} is a {top[place]}, where every container needs a place to mount on",
                likely="a link there would lead the mount elsewhere", look=f"make /{place} a directory, or remove it",
            )  # fmt: skip
    spare = ("old" + (str(number) if number > 1 else "") for number in itertools.count(1))
    return tuple(place for place in PLACES if place not in top), next(name for name in spare if name not in top)


def workdir_of(workdir: str | None) -> str:
    """An absolute path: a relative one would begin where the container's maker happened to stand."""
    if workdir is None:
        return "/"
    if not isinstance(workdir, str) or not workdir.startswith("/"):
        raise SpecError(f"the working directory {workdir!r} is not an absolute path", look='workdir="/tmp"')
    parameters.text("the working directory", workdir)
    return workdir


def account_of(user: object, image: str, files: accounts.Files) -> Account:
    """The account of `user` in an image with these account files: a name or a number, or one of each with a colon.

    None is root. See `labkit.image.accounts.find`.
    """
    example = 'user="tenant", user=1000, user="tenant:tty" or user="1000:5"'
    text = "0" if user is None else str(user)
    if isinstance(user, bool) or (user is not None and not isinstance(user, (str, int))):
        raise SpecError(f"user is {type(user).__name__}, neither a name nor a number", look=example)
    name, colon, group = text.partition(":")
    if not name or (colon and not group) or ":" in group or text.startswith("-"):
        raise SpecError(f"{text!r} is no user: neither a name nor a number, nor two of them with a colon", look=example)
    parameters.text("user", text)
    try:
        found = accounts.find(files, text)
    except LookupError as error:
        word, path = error.args
        what = "user" if path == accounts.PASSWD else "group"
        raise SpecError(
            f"there is no {what} {word!r} in {path} of {image}",
            likely=files.unread or "users are those of the image, not those of this machine",
            look="a number, as in user=1000, needs no entry",
        ) from error
    if max(found.uid, found.gid, *found.groups) > _ID_MAX:  # the next one is -1, "leave it as it is": setresuid(2)
        raise SpecError(f"{text} is no user: ids end at {_ID_MAX}", look="man 7 credentials")
    parameters.text(f"the home directory of {text!r} in {accounts.PASSWD} of {image}", found.home)
    return found


def signal_of(signal: int) -> int:
    """The number of a signal."""
    if isinstance(signal, int) and 0 < signal <= SIGRTMAX:
        return int(signal)
    raise SpecError(f"{signal!r} is no signal", look=f"signal.SIGTERM, or a number up to {SIGRTMAX}")
