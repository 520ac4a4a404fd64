"""The arguments of `lab.run`, checked before anything is asked of the kernel.

Each function takes what a student wrote and returns what a Spec holds, or raises SpecError in one line
with the cause and the remedy. Names and places have a module of their own, `labkit.container.names`.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Mapping, Sequence

from labkit.container.spec import PLACES
from labkit.errors import ImageError, SpecError
from labkit.linux.constants import SIGRTMAX
from labkit.namespaces.processes import PATH, Environment
from labkit.steps import parameters

_ID_MAX = 2**32 - 2
_ENVIRONMENT = (("PATH", PATH), ("HOME", "/root"), ("TERM", "xterm"))


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


def environment_of(env: Mapping[str, str] | None) -> Environment:
    """PATH, HOME and TERM, and what was given."""
    if env is None:
        return _ENVIRONMENT
    if not isinstance(env, Mapping):
        raise SpecError(f"env is {type(env).__name__}, not a dictionary", look='env={"LANG": "C"}')
    return parameters.environment({**dict(_ENVIRONMENT), **env})


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


def user_of(user: object, by_name: Callable[[str], tuple[int, int] | None]) -> tuple[int, int] | None:
    """(uid, gid): of a number, of "uid:gid", or of a name that `by_name` knows."""
    if user is None:
        return None
    text = str(user)
    uid, colon, gid = text.partition(":")
    if _number(uid) and (not colon or _number(gid)):
        found: tuple[int, int] | None = int(uid), int(gid or uid)
    else:
        found = by_name(text) if isinstance(user, str) else None
    if found is None:
        raise SpecError(f"there is no user {text!r} in this image", look="a number, as in user=1000")
    if max(found) > _ID_MAX:  # the next one is -1, "leave it as it is": setresuid(2)
        raise SpecError(f"{text} is no user: ids end at {_ID_MAX}", look="man 7 credentials")
    return found


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def signal_of(signal: int) -> int:
    """The number of a signal."""
    if isinstance(signal, int) and 0 < signal <= SIGRTMAX:
        return int(signal)
    raise SpecError(f"{signal!r} is no signal", look=f"signal.SIGTERM, or a number up to {SIGRTMAX}")
