"""What is closed at the end of a ``with``.

See: the "with statement context managers" of Python's data model.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class Closing:
    """Has a `close`, which the end of a ``with`` calls, whatever ended it."""

    __slots__ = ()

    def close(self) -> None:
        """Let go of everything. Safe to call twice."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
