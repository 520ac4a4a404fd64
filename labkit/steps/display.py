"""How a value shows itself: text first, pictures from whoever registered one.

Facts, plans and traces lie below the room that draws (`labkit.view`) and must not import it. They ask
this registry; `labkit.view.install` fills it. Without it, or outside a notebook, the text remains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Bundle = dict[str, Any]
_renderers: dict[type, Callable[[Any], Bundle]] = {}
_source: list[str] = []
_BADGE = "display:inline-block;font-size:.8em;padding:0 .6em;border:1px dashed currentColor;border-radius:1em"
_DOT = "display:inline-block;width:.65em;height:.65em;margin-right:.5em;border-radius:50%;background:currentColor"


def recorded(words: str | None = None) -> str:
    """Where what this Python shows was recorded; empty while it is live. A lab says so when it is opened."""
    if words is not None:
        _source[:] = [words]
    return _source[0] if _source else ""


def badge() -> str:
    """The same as HTML, to stand above a picture. The text beside it is the same as live, for it is compared."""
    if not recorded():
        return ""
    from html import escape  # only a page needs its tables

    dot = f'<span style="{_DOT}" aria-hidden="true"></span>'
    return f'<div><span class="lk-recorded" style="{_BADGE}">{dot}{escape(recorded())}: not live</span></div>'


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
        bundle |= renderer(self) if renderer else {}
        return bundle | ({"text/html": badge() + bundle["text/html"]} if "text/html" in bundle else {})
