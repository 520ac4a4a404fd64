"""The manual page behind a name like ``mount(2)``, as runs of plain, bold and italic text.

``man`` marks bold by overstriking (``N\\bN``) and italics by underlining (``_\\bn``), as typewriters did. Read
once and kept: a page takes groff a tenth of a second.

See: man(1) "MAN_KEEP_FORMATTING", grotty(1), ul(1).
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import lru_cache
from itertools import groupby

from labkit.errors import LabError

#: (``"b"`` bold, ``"i"`` italic or ``""``, text)
Run = tuple[str, str]

_NAME = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.+:-]*)\((\d[a-z]*)\)")
_STRUCK = re.compile(r"(?:(.)\x08)?(?:(.)\x08)?([^\x08])", re.DOTALL)
_SECONDS = 10


@lru_cache(maxsize=64)
def page(name: str, *, columns: int = 78) -> tuple[Run, ...]:
    """The page ``mount(2)``. Raises LabError if the name is none, or the page or man itself is not installed."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise LabError(f"{name!r} is not the name of a manual page", look="names look like mount(2)")
    topic, section = match.groups()
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/", "LC_ALL": "C", "MANWIDTH": str(columns)}
    environment |= {"MAN_KEEP_FORMATTING": "1", "GROFF_NO_SGR": "1", "MANPAGER": "cat", "PAGER": "cat"}
    try:
        done = subprocess.run(
            ["man", "-P", "cat", "--ascii", "--no-justification", "--no-hyphenation", section, topic],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise LabError(
            "the program man is not installed here", look="apt install man-db manpages manpages-dev"
        ) from None
    except subprocess.TimeoutExpired:
        raise LabError(f"man took over {_SECONDS} s for {name}", look=f"man {section} {topic}, in a terminal") from None
    text = done.stdout.decode("utf-8", "replace").strip("\n")
    if done.returncode or "\n" not in text:
        raise LabError(
            f"the manual page {name} is not installed here",
            likely="minimal systems and container images leave the manual out",
            look="apt install manpages manpages-dev; or https://man7.org/linux/man-pages",
        )
    return runs(text)


def runs(text: str) -> tuple[Run, ...]:
    """Overstruck text as runs of one style.

    >>> runs("N\\bNA\\bA is _\\bi_\\bt.")
    (('b', 'NA'), ('', ' is '), ('i', 'it'), ('', '.'))
    """
    struck = ((_style(m), m[3]) for m in _STRUCK.finditer(text))
    return tuple(
        (style, "".join(letter for _, letter in group)) for style, group in groupby(struck, lambda pair: pair[0])
    )


def _style(struck: re.Match[str]) -> str:
    """How one letter was struck; bold italics are shown bold."""
    below = {struck[1], struck[2]} - {None}
    return "b" if struck[3] in below else "i" if "_" in below else ""
