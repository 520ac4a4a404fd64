"""How a value shows itself: text first, pictures from whoever registered one.

Facts, plans and traces lie below the room that draws (`labkit.view`) and must not import it. They ask
this registry; `labkit.view.install` fills it. Without it, or outside a notebook, the text remains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Bundle = dict[str, Any]
_renderers: dict[type, Callable[[Any], Bundle]] = {}


def register(kind: type, renderer: Callable[[Any], Bundle]) -> None:
    """Let `renderer` give the richer forms (MIME type: data) of values of `kind` and its subclasses."""
    _renderers[kind] = renderer


class Shown:
    """Mixed into everything that is looked at: ``str(value)`` and, if registered, a picture beside it."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        """IPython's display protocol."""
        bundle: Bundle = {"text/plain": str(self)}
        renderer = next((_renderers[kind] for kind in type(self).__mro__ if kind in _renderers), None)
        return bundle | renderer(self) if renderer else bundle
