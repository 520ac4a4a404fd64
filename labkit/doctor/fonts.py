"""Fonts that have the letters which lessons show: arrows, ticks, frames."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from labkit.doctor.finding import Finding
from labkit.doctor.patient import LINUX, Patient, installed
from labkit.learn.needs import Need

PLACES = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
#: what the style sheets of labkit/view/static name; macOS and Windows have one of their own
_MONOSPACED = ("DejaVuSansMono.ttf", "Menlo.ttc", "consola.ttf")


def fonts(patient: Patient) -> Iterator[Finding]:
    """matplotlib's own, for plots; on Linux one for the browser, if it runs here."""
    found = importlib.util.find_spec("matplotlib")  # found, not imported: that takes half a second
    if not found or not found.origin or not list(Path(found.origin).parent.glob("mpl-data/fonts/ttf/DejaVuSans.ttf")):
        yield Finding(about="fonts", says="matplotlib has lost its fonts", likely="a distribution took them out",
                      remedy="pip install --force-reinstall matplotlib", minor=True, needs=(Need.PLAYER,))  # fmt: skip
    elif LINUX and not _monospaced():
        yield Finding(
            about="fonts", says="no DejaVu Sans Mono: a browser on this machine may lack arrows and ticks", minor=True,
            likely="a system without a desktop; a browser on another machine has its own", needs=(Need.PLAYER,),
            remedy=installed("fonts-dejavu-core"),
        )  # fmt: skip
    else:
        yield Finding(about="fonts", says="those of plots and of pictures are on this machine")


def _monospaced() -> bool:
    for place in PLACES:
        for _, _, files in os.walk(os.path.expanduser(place)):
            if any(name in files for name in _MONOSPACED):
                return True
    return False
