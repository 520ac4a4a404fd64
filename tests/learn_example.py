"""The small lesson that docs/teaching.md writes down, block by block, for the tests of `labkit.learn`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from labkit.learn import Lesson

PAGE = Path(__file__).resolve().parents[1] / "docs/teaching.md"


def lesson() -> Lesson:
    """A fresh one: what the page's Python blocks say, run in order."""
    names: dict[str, Any] = {"__name__": "a_teachers_lesson"}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    found = names["LESSON"]
    assert isinstance(found, Lesson)
    return found


LESSON = lesson()
