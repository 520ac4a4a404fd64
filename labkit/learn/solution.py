"""A model answer: Python that a student could have typed into the cell, run as that cell would run it.

It is text, so that it can be shown as it is and so that the tests run what is shown. It brings its own imports and
finds nothing but `lab`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from labkit.errors import LearnError

if TYPE_CHECKING:
    from labkit.learn.judging import LabLike


def tidy(code: str) -> str:
    """The lines without those that the triple quotes have added."""
    return code.strip("\n").rstrip()


def check_code(subject: str, code: str) -> None:
    """Raise LearnError unless `code` is Python that uses the lab."""
    try:
        names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    except SyntaxError as error:
        raise LearnError(f"{subject}: {error.msg} in line {error.lineno}", look="Python, as in a cell") from error
    if "lab" not in names:
        raise LearnError(f"{subject} does nothing with the lab", look="lab.take(…), lab.run(…)")


def run(code: str, lab: LabLike, identity: str) -> None:
    """Run it on this lab. Raises what it raises."""
    names: dict[str, Any] = {"lab": lab, "__name__": "model_answer"}
    exec(compile(code, f"<model answer of {identity}>", "exec"), names)
