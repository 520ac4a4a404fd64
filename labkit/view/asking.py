"""A cell that meets an open question: it stops there and shows the question, not a traceback.

The error `QuestionOpen` ends the cell as any other does, so that "Run all" stops as well: code below would go on with a
walk that is not where it expects it. But nothing went wrong, so nothing red is shown. IPython lets one handler take
errors of a kind; a handler that somebody else has set stays.

See: IPython.core.interactiveshell "set_custom_exc".
"""

from __future__ import annotations

from typing import Any

from labkit.errors import QuestionOpen


def install() -> None:
    """Have IPython show open questions as cards. Without IPython, and done twice, it does nothing."""
    from IPython import get_ipython

    shell: Any = get_ipython()
    if shell is not None and not shell.custom_exceptions:
        shell.set_custom_exc((QuestionOpen,), show)


def show(shell: Any, kind: type, error: QuestionOpen, traceback: Any, tb_offset: int | None = None) -> None:
    """Display the question in place of the traceback; with the arguments that IPython gives."""
    from IPython.display import display

    display(error.asked)  # type: ignore[no-untyped-call]  # IPython gives it no types
