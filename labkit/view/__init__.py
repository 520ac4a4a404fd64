"""What is seen: the step player, pictures of facts, a terminal, and the themes of all of them.

`install` tells the values of the lower rooms how to show themselves (`labkit.steps.display`). It imports
nothing heavy: the widgets come when the first one is shown.
"""

from __future__ import annotations

from typing import Any


def install() -> None:
    """Let walks show themselves as step players, and facts as pictures. Cheap, and harmless to repeat."""
    from labkit.steps.display import register
    from labkit.steps.walk import Walk
    from labkit.view import renderers, theme

    renderers.register_all()
    register(Walk, _player)
    theme.install()


def _player(walk: Any) -> dict[str, Any]:
    from labkit.view import player

    return player.bundle(walk)
