"""Normal, dark, and stage: how everything that labkit shows looks.

    from labkit.view import theme
    theme.use("stage")          # in the hall; every player that is on the screen follows

*normal* takes the colours of JupyterLab or VS Code around it, dark ones included. *dark* is dark wherever
it stands, and where `./lab up` has started JupyterLab, its own dark theme comes along, until another theme is
used here. *stage* is for the hall: 22 px, black on white, thick lines, one thing below the other where the screen is
narrow. Without a word, the environment variable ``LABKIT_THEME`` decides.

The player has its colours in `static/player.css`, the pictures theirs in `labkit.view.palette`; both look
at the name or the variables that are given out here. Signs (+ - ~) and words carry the meaning, so that no
theme is needed to read anything.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.steps.display import Shown, register
from labkit.view.markup import tag


@dataclass(frozen=True, slots=True)
class Theme(Shown):
    """A name, what it is for, and the variables that pictures read (`labkit.view.palette`)."""

    name: str
    purpose: str
    letters: str = ""
    ground: str = ""
    size: int = 0

    def variables(self) -> str:
        """As the value of a ``style`` attribute, for any element around a picture; empty for normal."""
        named = {"--lk-fg": self.letters, "--lk-bg": self.ground, "--lk-size": f"{self.size}px" if self.size else ""}
        return ";".join(f"{name}:{value}" for name, value in named.items() if value)

    def style(self) -> str:
        """For the whole page: the pictures' variables, large letters for cells and their output, JupyterLab's theme."""
        letters = f"--jp-code-font-size:{self.size}px;--jp-content-font-size1:{self.size}px;--jp-code-line-height:1.4"
        prompts = ".jp-Notebook :is(.jp-InputPrompt,.jp-OutputPrompt){font-size:13px}"  # they have no room to grow
        cells = f".jp-Notebook{{{letters}}}{prompts}" if self.size else ""
        page = _PAGE.replace("DARK", "true" if self.name == "dark" else "false")
        return f"<style>:root{{{self.variables()}}}{cells}</style><script>{page}</script>"

    def __str__(self) -> str:
        return f"theme {self.name}: {self.purpose}"


#: JupyterLab's theme: the one from before is remembered, and comes back with "normal". `jupyterapp` is there if the
#: server says so (setup/jupyter/jupyter_server_config.py).
_PAGE = """\
(() => {
  const { jupyterapp: app, localStorage: kept } = window;
  const [name, command, now] = ["labkit: theme before", "apputils:change-theme", document.body.dataset];
  if (!app?.commands.hasCommand(command)) return;
  const before = kept.getItem(name);
  if (DARK && now.jpThemeLight === "true") {
    kept.setItem(name, now.jpThemeName);
    app.commands.execute(command, { theme: "JupyterLab Dark" });
  } else if (!DARK && before) {
    kept.removeItem(name);
    if (now.jpThemeLight === "false") app.commands.execute(command, { theme: before });
  }
})()"""

THEMES = {
    theme.name: theme
    for theme in (
        Theme("normal", "the colours of the page around it"),
        Theme("dark", "light letters on a dark ground, everywhere", "#ececec", "#15181c"),
        Theme("stage", "for the hall: 22 px, black on white", "#000000", "#ffffff", 22),
    )
}

_chosen: list[Theme] = []
_followers: list[weakref.WeakMethod[Callable[[Theme], None]]] = []


def use(name: str) -> Theme:
    """Choose a theme for all that is shown from now on, and for the players that are shown already.

    Raises LabError if there is no such theme. As the last line of a cell it also enlarges the notebook's letters.
    """
    _chosen[:] = [_named(name, "theme.use")]
    for follower in list(_followers):
        follow = follower()
        if follow is None:
            _followers.remove(follower)
        else:
            follow(_chosen[0])
    return _chosen[0]


def current() -> Theme:
    """The theme that was chosen, else the one that LABKIT_THEME names, else normal."""
    return _chosen[0] if _chosen else _named(os.environ.get("LABKIT_THEME") or "normal", "LABKIT_THEME")


def follow(method: Callable[[Theme], None]) -> None:
    """Call this bound method whenever another theme is chosen, as long as its object lives."""
    _followers.append(weakref.WeakMethod(method))


def install() -> None:
    """Let a theme that ends a cell change the page, and say which it is."""
    register(Theme, lambda theme: {"text/html": tag("p", str(theme)) + theme.style()})


def _named(name: str, where: str) -> Theme:
    if name not in THEMES:
        raise LabError(f"{where}: there is no theme {name!r}", look="one of " + ", ".join(THEMES))
    return THEMES[name]
