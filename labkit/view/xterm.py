"""xterm.js as Debian and Ubuntu package it (`node-xterm`), made one piece that a browser can read.

The package holds modules for Node.js: one large file since version 4, some sixty small ones before. A
browser has no `require`, so each file becomes a function, and `require` a number in their list.

See: nodejs.org "Modules: CommonJS modules"; https://xtermjs.org.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

PLACE = Path("/usr/share/nodejs/xterm")
PACKAGE = "node-xterm"

_REQUIRE = re.compile(r"""\brequire\(["'](\.[^"']+)["']\)""")
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)
_LOADER = """\
const xterm = ((files) => {
  const loaded = [];
  const require = (number) => {
    if (!loaded[number]) {
      const module = (loaded[number] = { exports: {} });
      files[number](module, module.exports, require);
    }
    return loaded[number].exports;
  };
  return require(0);
})(["""


def installed(place: Path = PLACE) -> bool:
    """Whether the package is here."""
    return (place / "package.json").is_file() and _style(place) is not None


def module(place: Path = PLACE) -> str:
    """JavaScript that defines the constant `xterm`, with all that the package exports."""
    main = json.loads((place / "package.json").read_text(encoding="utf-8"))["main"]
    files = [(place / main).resolve()]
    texts: list[str] = []
    while len(texts) < len(files):
        texts.append(_function(files[len(texts)], files))
    return _LOADER + ",\n".join(texts) + "]);\n"


def _function(file: Path, files: list[Path]) -> str:
    """One file as a function; what it requires is added to `files`."""

    def numbered(found: re.Match[str]) -> str:
        needed = _existing(file.parent / found[1])
        if needed not in files:
            files.append(needed)
        return f"require({files.index(needed)})"

    text = _SOURCE_MAP.sub("", file.read_text(encoding="utf-8"))
    return f"function (module, exports, require) {{\n{_REQUIRE.sub(numbered, text)}\n}}"


def _existing(path: Path) -> Path:
    """`require` may leave out ".js", or mean a directory's index."""
    choices = (path, path.with_name(f"{path.name}.js"), path / "index.js")
    return next(choice for choice in choices if choice.is_file()).resolve()


def css(place: Path = PLACE) -> str:
    """Its style sheet."""
    style = _style(place)
    return style.read_text(encoding="utf-8") if style else ""


def _style(place: Path) -> Path | None:
    return next((file for file in (place / "css/xterm.css", place / "lib/xterm.css") if file.is_file()), None)
