"""The JavaScript and CSS in `static/`, in the one piece each that anywidget wants.

Jupyter hands a widget's module to the browser as text, without an address, so that module cannot import
its neighbour by a relative path. The files in `static/` are ordinary modules all the same; here they are put
one after the other, and the lines by which they import each other are left out.

See: anywidget.dev "Front-End Module (ESM)"; HTML "JavaScript module scripts".
"""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).with_name("static")

_IMPORT = re.compile(r'^import .* from "\./[\w.-]+";\n', re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SPACE = re.compile(r"\s*([{};,>])\s*")
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class)\b)", re.MULTILINE)


def module(*names: str) -> str:
    """These modules as one; only the last keeps its exports."""
    *inner, outer = (_IMPORT.sub("", text(name)) for name in names)
    return "\n".join([*(_EXPORT.sub("", part) for part in inner), outer])


def text(name: str) -> str:
    """One file of `static/`."""
    return (STATIC / name).read_text(encoding="utf-8")


def squeezed(name: str) -> str:
    """A style sheet in one line, without its comments: it is sent along with every picture."""
    return _SPACE.sub(r"\1", " ".join(_COMMENT.sub("", text(name)).split()))
