"""What every picture is: a text and a drawing of the same facts; and where the facts come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from labkit.errors import LabError
from labkit.steps.display import badge
from labkit.steps.fact import Fact
from labkit.steps.snapshot import Snapshot
from labkit.view.markup import lines_of, tag
from labkit.view.svg import Svg

#: not `document.currentScript`: some pages run a copy of a script that is not where the script was
_DRAW = (
    """document.querySelectorAll(".lk-figure > script[type='image/svg+xml']")"""
    """.forEach((drawing) => { drawing.parentNode.innerHTML = drawing.textContent; })"""
)


class Looks(Protocol):
    """Whatever can be looked at: a lab."""

    def snapshot(self, *probes: str) -> Snapshot:
        """The facts of the probes, now."""


class Walks(Protocol):
    """Whatever stands on such a thing: a walk."""

    @property
    def lab(self) -> Looks:
        """Where it walks."""


#: a snapshot or any facts are drawn as they are; a lab or a walk is looked at now
Source = Snapshot | Iterable[Fact] | Looks | Walks


@dataclass(frozen=True)
class Picture:
    """A figure. ``print(picture)`` gives the text; a notebook shows the drawing; `svg` stands alone in a file."""

    title: str
    description: str
    text: str
    drawing: Svg = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.text

    @property
    def svg(self) -> str:
        """The drawing as one SVG element."""
        return self.drawing.render(self.title, self.description)

    @property
    def html(self) -> str:
        """The text, in whose place a script puts the drawing, in a box that scrolls sideways if the page is too narrow.

        A page that does not trust us (a notebook from elsewhere, a code host, a mail) drops scripts with all that is
        in them, but of a drawing it would keep the letters, one word glued to the next. So it keeps the text.
        """
        text = tag("p", tag("strong", self.title)) + tag("pre", lines_of(self.text))
        drawing = f'<script type="image/svg+xml">{self.svg}</script><script>{_DRAW}</script>'
        return f'<div class="lk-figure" style="overflow-x:auto">{text}{drawing}</div>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """IPython's display protocol. Not image/svg+xml: JupyterLab makes that an image, cut off from its theme."""
        return {"text/plain": self.text, "text/html": badge() + self.html}


def look(source: Source, probes: tuple[str, ...], *, useful: tuple[str, ...] = ()) -> Snapshot:
    """The facts of `probes`, and of `useful` ones where they are to be had.

    Raises LabError if a snapshot was taken without one of `probes`.
    """
    if isinstance(source, Snapshot):
        missing = [probe for probe in probes if probe not in source.probes]
        if missing:
            raise LabError(
                f"this snapshot has no facts of the probe{'s' * (len(missing) > 1)} {', '.join(missing)}",
                likely=f"it was taken with: {', '.join(source.probes) or 'no probe'}",
                look=f"lab.snapshot({', '.join(map(repr, probes))}), or give the lab itself",
            )
        return source.only((*probes, *useful))
    if hasattr(source, "snapshot"):
        return cast(Looks, source).snapshot(*probes, *useful)
    if hasattr(source, "lab"):
        return cast(Walks, source).lab.snapshot(*probes, *useful)
    wanted = (*probes, *useful)
    return Snapshot.of(wanted, (fact for fact in source if fact.probe in wanted))
