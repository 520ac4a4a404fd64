"""A small SVG builder: shapes with classes, letters that are always escaped, a name for screen readers.

    svg = Svg()
    svg.rect(0, 0, 60, 20, css="lk-c1", tip="uts#2: hostname c1")
    svg.text(6, 14, "uts#2", css="lk-on1")
    svg.render("Who shares what", "One row a process, one column a kind of namespace.")

Everything has a length in the units of a 13 px font: `CHAR` is the advance of one letter of the fixed-width
font that all names are set in, so that a text can be measured without a browser. The picture then grows
with ``--lk-size`` (see `labkit.view.palette`). A title element, not an id, names things: several pictures share
one page.

See: SVG 2, "Accessible SVG" (role="img", title, desc).
"""

from __future__ import annotations

from collections.abc import Sequence

from labkit.view.lettering import cells, clean, escape
from labkit.view.palette import STYLE

SIZE = 13.0
CHAR = 7.83  # 0.602 of 13: DejaVu Sans Mono, the widest of the usual ones
LINE = 22.0
_MARGIN = 10.0


def measure(text: str, *, size: float = SIZE) -> float:
    """The length of the text in the fixed-width font."""
    return cells(clean(text)) * CHAR * size / SIZE


def number(value: float) -> str:
    """A coordinate: one decimal at most, never ``-0``."""
    return f"{round(value, 1) + 0:g}"


class Svg:
    """Shapes, in the order in which they are painted. `width` and `height` grow with them."""

    def __init__(self) -> None:
        self.width = self.height = 0.0
        self._parts: list[str] = []

    def _add(self, tag: str, css: str, tip: str, content: str = "", **attributes: float | str) -> None:
        given = "".join(
            f' {key}="{number(value) if isinstance(value, (int, float)) else escape(value)}"'
            for key, value in {"class": css, **attributes}.items()
            if value != ""
        )
        inner = (f"<title>{escape(tip)}</title>" if tip else "") + content
        self._parts.append(f"<{tag}{given}>{inner}</{tag}>" if inner else f"<{tag}{given}/>")

    def reach(self, x: float, y: float) -> None:
        """Make sure that this point is on the paper."""
        self.width, self.height = max(self.width, x), max(self.height, y)

    def rect(self, x: float, y: float, width: float, height: float, *, css: str, r: float = 4, tip: str = "") -> None:
        """A box with rounded corners."""
        self.reach(x + width, y + height)
        self._add("rect", css, tip, x=x, y=y, width=width, height=height, rx=r)

    def circle(self, x: float, y: float, r: float, *, css: str, tip: str = "") -> None:
        """A disc."""
        self.reach(x + r, y + r)
        self._add("circle", css, tip, cx=x, cy=y, r=r)

    def text(
        self, x: float, y: float, text: object, *, css: str = "", anchor: str = "", size: float = SIZE, tip: str = "",
        turned: bool = False,
    ) -> None:  # fmt: skip
        """Letters, their base line at `y`. `turned`: upwards along the y axis. `anchor`: ``middle`` or ``end``."""
        long = measure(str(text), size=size)
        self.reach(x + size / 2 if turned else x + long * {"": 1.0, "middle": 0.5}.get(anchor, 0.0), y + 4)
        more = {"text-anchor": anchor, "transform": f"rotate(-90 {number(x)} {number(y)})" if turned else ""}
        small = {"style": f"font-size:{number(size)}px"} if size != SIZE else {}
        tip_markup = f"<title>{escape(tip)}</title>" if tip else ""
        self._add("text", css, "", tip_markup + escape(text), x=x, y=y, **more, **small)

    def path(self, commands: str, *, css: str, tip: str = "") -> None:
        """A path; the caller sees to the paper (`reach`)."""
        self._add("path", css, tip, d=commands)

    def line(self, points: Sequence[tuple[float, float]], *, css: str, tip: str = "") -> None:
        """Straight from point to point."""
        for x, y in points:
            self.reach(x, y)
        self.path("M" + " L".join(f"{number(x)} {number(y)}" for x, y in points), css=css, tip=tip)

    def head(self, x: float, y: float, *, left: bool = False, css: str) -> None:
        """An arrow head with its point at (x, y), looking right, or `left`."""
        back = x + 8 if left else x - 8
        self.path(
            f"M{number(x)} {number(y)} L{number(back)} {number(y - 4.5)} L{number(back)} {number(y + 4.5)} Z", css=css
        )

    def render(self, title: str, description: str) -> str:
        """The whole picture as one element, which stands alone or in a page."""
        width, height = self.width + 2 * _MARGIN, self.height + 2 * _MARGIN
        box = f"{number(-_MARGIN)} {number(-_MARGIN)} {number(width)} {number(height)}"
        size = f'width="{number(width)}" height="{number(height)}"'
        paper = f'<rect class="lk-paper" x="{number(-_MARGIN)}" y="{number(-_MARGIN)}" {size}/>'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="lk lk-svg" role="img" aria-label="{escape(title)}"'
            f' viewBox="{box}" {size} style="--lk-wide:{number(width / SIZE)}">'
            f"<title>{escape(title)}</title><desc>{escape(description)}</desc><style>{STYLE}</style>"
            f"{paper}{''.join(self._parts)}</svg>"
        )
