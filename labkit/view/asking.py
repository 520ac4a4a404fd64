"""A cell that meets an open question: it stops there and shows the question, not a traceback.

The error `QuestionOpen` ends the cell as any other does, so that "Run all" stops as well: code below would go on with a
walk that is not where it expects it. But nothing went wrong, so nothing red is shown. IPython has one handler for
errors of some kinds; the one that was set before (setup/jupyter/first_cell.py has one) still gets its own kinds.

See: IPython.core.interactiveshell "set_custom_exc".
"""

from __future__ import annotations

from typing import Any

from labkit.errors import QuestionOpen


def install() -> None:
    """Have IPython show open questions as cards. Without IPython, and done twice, it does nothing."""
    from IPython import get_ipython
    from IPython.display import display

    shell: Any = get_ipython()
    if shell is None or QuestionOpen in shell.custom_exceptions:
        return
    before, kinds = shell.CustomTB, shell.custom_exceptions

    def show(shell: Any, kind: type, error: BaseException, traceback: Any, tb_offset: int | None = None) -> Any:
        if not isinstance(error, QuestionOpen):
            return before(kind, error, traceback, tb_offset)
        display(error.asked)  # type: ignore[no-untyped-call]  # IPython gives it no types

    shell.set_custom_exc((*kinds, QuestionOpen), show)
