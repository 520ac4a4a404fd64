"""What a container and its image are called, inside the lab.

A name becomes a directory, a cgroup, a process title and a hostname, so it has to be one that all of them
take, and nobody else's.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator

from labkit.errors import ImageError, SpecError
from labkit.linux import names

_OURS = ("host", "init", "images", "root")
_LONGEST = 40


def image_given(image: object) -> str:
    """The image as a string; a path may be any path-like object."""
    if not isinstance(image, (str, os.PathLike)) or not os.fspath(image):
        raise ImageError("an image is a name or the path of a directory", look='lab.run("busybox")')
    return os.fsdecode(image)


def image_of(image: str) -> str:
    """The name under /run/lab/images of an image by name, or of a path to any directory.

    Of a path its letters are kept, and where that loses something, a digest is added: two directories
    never share a name.
    """
    if "/" not in image:
        return image
    path = os.path.abspath(image)
    shown = "".join(c if c.isascii() and c.isalnum() else "-" for c in path).strip("-")[-_LONGEST:]
    if "/" + shown.replace("-", "/") == path:
        return f"path-{shown}"
    import hashlib  # a name needs none, and OpenSSL takes its time to load

    return f"path-{shown.strip('-')}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"


def name_of(
    name: str | None, hostname: str | None, *, taken: Container[str], numbers: Iterator[int], image: str
) -> tuple[str, str]:
    """(name, hostname) of a container; without a name the image's with the next free number."""
    if name is None:
        stem = image[:_LONGEST].replace(".", "-")
        name = next(n for n in (f"{stem}-{number}" for number in numbers) if n not in taken)
    if not isinstance(name, str):
        raise SpecError(f"a name is a string, not {type(name).__name__}", look='name="web-1"')
    try:
        names.valid_name(name)
    except ValueError as error:
        raise SpecError(str(error), look="a name such as web-1") from error
    if "." in name:  # so that web.1 can be the first process that was started in web afterwards
        raise SpecError(f"the name {name!r} contains '.', which names processes in a container", look="web-1 for web.1")
    if name in taken or name in _OURS:
        raise SpecError(
            f"there is a container called {name} already" if name in taken else f"{name} is the lab's own name",
            look=f"lab.containers[{name!r}].kill(), or another name" if name in taken else "another name",
        )
    return name, hostname_of(name.replace("_", "-").strip("-") if hostname is None else hostname)


def hostname_of(hostname: str) -> str:
    """`hostname` itself, if a kernel and other programs can read it."""
    if not isinstance(hostname, str):
        raise SpecError(f"a hostname is a string, not {type(hostname).__name__}", look='hostname="web-1"')
    try:
        return names.valid_hostname(hostname)
    except ValueError as error:
        raise SpecError(str(error), look="sethostname(2)") from error
