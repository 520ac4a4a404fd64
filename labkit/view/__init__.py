"""What is seen: the step player, pictures of facts, a terminal, and the themes of all of them.

`install` tells the values of the lower rooms how to show themselves (`labkit.steps.display`). It imports
nothing heavy: the widgets come when the first one is shown.
"""

from __future__ import annotations

from typing import Any


def install() -> None:
    """Let walks show themselves as step players, and facts as pictures. Cheap, and harmless to repeat."""
    from labkit.cgroups.rosetta import Rosetta
    from labkit.learn.check import Posed
    from labkit.learn.fault import Planted
    from labkit.learn.gating import Asked
    from labkit.learn.quiz import Sitting
    from labkit.learn.standing import Standing
    from labkit.learn.table import Table
    from labkit.steps.display import register
    from labkit.steps.walk import Walk
    from labkit.view import asking, renderers, tables, theme

    renderers.register_all()
    register(Walk, _player)
    for kind in (Posed, Planted, Sitting, Asked):
        register(kind, _card)
    register(Table, lambda table: {"text/html": tables.progress_html(table)})
    register(Standing, lambda standing: {"text/html": tables.standing_html(standing)})
    register(Rosetta, lambda table: {"text/html": tables.rosetta_html(table)})
    theme.install()
    asking.install()


def announce() -> None:
    """Below the cell that opened a lab: that it is recorded, if it is, and the page in the theme that the environment
    names. As a picture only, for texts are compared.
    """
    from IPython import get_ipython
    from IPython.display import display

    from labkit.steps.display import badge
    from labkit.view import theme

    chosen = theme.current()
    shown = badge() + (chosen.style() if chosen.variables() else "")
    if shown and get_ipython() is not None:
        display({"text/html": shown}, raw=True)  # type: ignore[no-untyped-call]  # IPython gives it no types


def _player(walk: Any) -> dict[str, Any]:
    from labkit.view import cards, player, saved

    cards.connect(walk)
    return saved.bundle(player.of(walk))


def _card(thing: Any) -> dict[str, Any]:
    from labkit.view import cards

    return cards.bundle(thing)
