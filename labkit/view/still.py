"""What a live panel has seen, as a figure that stays: for exported pages, slides and reports.

The lines are those of the panel (`labkit.view.gauges`), drawn by matplotlib once and for all; beside the figure stands
a text with the same facts. Colours are told apart by who misses one, and lines are named by number.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labkit.cgroups.samples import Event, Sample
from labkit.steps.display import Shown
from labkit.view import theme
from labkit.view.gauges import Reading, readings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHARTS = ("cpu", "memory", "io", "processes", "pressure")
BURST = 3.0
_MIB = 2**20
_TITLES = {
    "cpu": "CPU, % of one; shaded: throttled", "memory": "memory, MiB", "io": "disks, MiB/s: read up, written down",
    "processes": "processes", "pressure": "pressure, % of the time somebody waited",
}  # fmt: skip
#: the same as in static/livepanel.css
COLOURS = ("#0063a6", "#c44e00", "#00785a", "#a8397f", "#6b5a00")
ON_DARK = ("#62bdf2", "#ff9d4d", "#3ad6a8", "#ec9fcd", "#e5d75c")
_UNITS = {
    "cpu": ("cpu", 1.0), "memory": ("memory", _MIB), "memory_high": ("memory", _MIB), "pids": ("processes", 1.0),
    "rbps": ("io", _MIB), "wbps": ("io", -_MIB),
}  # fmt: skip


@dataclass(frozen=True)
class Story:
    """All that is known of one container: its name, what its watch has kept, and its limits (`knobs.lines`)."""

    name: str
    samples: Sequence[Sample]
    events: Sequence[Event]
    limits: Mapping[str, float]


class Still(Shown):
    """The figure of some stories. `png` is made when it is asked for; the text costs nothing."""

    def __init__(self, stories: Sequence[Story], *, minutes: float, charts: Sequence[str] = CHARTS) -> None:
        self.stories, self.minutes, self.charts = tuple(stories), minutes, tuple(charts)

    def figure(self) -> Figure:
        """As matplotlib's Figure, of which anything may be made."""
        from matplotlib.figure import Figure  # half a second, for those alone who want it

        look = theme.current()
        dark = look.name == "dark"
        rows = -(-len(self.charts) // 2)
        size = 0.75 * look.size if look.size else 9
        figure = Figure(figsize=(11, 2.4 * rows + 0.5), dpi=100, layout="constrained")
        figure.set_facecolor(look.ground or "#ffffff")
        ink = look.letters or "#1b1f23"
        places = list(figure.subplots(rows, min(2, len(self.charts)), squeeze=False).flat)
        told = [(story, _recent(story, self.minutes)) for story in self.stories]
        end = max((seen[-1].at for _, seen in told if seen), default=0.0)
        for place, chart in zip(places, self.charts, strict=False):
            _axes(place, _TITLES[chart], ink, size, look.ground or "#ffffff")
            for number, (story, seen) in enumerate(told):
                _draw(place, chart, seen, story, end, (ON_DARK if dark else COLOURS)[number % 5], number)
            top = place.get_ylim()[1]
            place.set_ylim(bottom=0 if chart != "io" else None, top=top * 1.05 if chart != "io" else None)
        for place in places[len(self.charts) :]:
            place.set_axis_off()
        lines, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside lower right", ncols=5, frameon=False, fontsize=size, labelcolor=ink)
        return figure

    @property
    def seconds(self) -> float:
        """For how long somebody has watched, at most."""
        return max((story.samples[-1].at - story.samples[0].at for story in self.stories if story.samples), default=0.0)

    def png(self) -> bytes:
        """As a picture."""
        file = io.BytesIO()
        self.figure().savefig(file, format="png")
        return file.getvalue()

    def __str__(self) -> str:
        return "\n".join(line for story in self.stories for line in _told(story, self.minutes))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": str(self), "image/png": self.png()}


def limits_text(limits: Mapping[str, float]) -> str:
    """``CPU 25 %, memory 64 MiB``."""
    words = {
        "cpu": "CPU {:g} %", "memory": "memory {} MiB", "memory_high": "memory high {} MiB", "pids": "processes {:g}",
        "rbps": "read {} MiB/s", "wbps": "written {} MiB/s",
    }  # fmt: skip
    told = [
        word.format(f"{limits[name] / _MIB:g}" if "MiB" in word else limits[name])
        for name, word in words.items()
        if name in limits
    ]
    return ", ".join(told) or "no limits"


def bursts(events: Iterable[Event], *kinds: str) -> list[Event]:
    """The events of these kinds; what happens again within `BURST` seconds, to the same victim, is one."""
    found: list[Event] = []
    latest: dict[tuple[str, str], tuple[int, float]] = {}
    for event in events:
        if event.kind in kinds:
            key = (event.kind, event.victim)
            place, until = latest.get(key, (-1, float("-inf")))
            if event.at - until < BURST:
                found[place] = replace(found[place], count=found[place].count + event.count)
            else:
                place = len(found)
                found.append(event)
            latest[key] = place, event.at
    return found


def _recent(story: Story, minutes: float) -> list[Reading]:
    seen = readings(story.samples)
    return [reading for reading in seen if reading.at >= seen[-1].at - 60 * minutes]


def _told(story: Story, minutes: float) -> Iterator[str]:
    seen = _recent(story, minutes)
    if not seen:
        yield f"{story.name}: nothing seen yet"
        return
    last = seen[-1]
    words = [f"{seen[-1].at - seen[0].at:.0f} s seen", limits_text(story.limits)]
    if last.cpu == last.cpu:
        words.append(f"CPU {last.cpu:.0f} %" + (f", throttled {last.throttled:.0f} %" if last.throttled > 0 else ""))
    if last.memory == last.memory:
        most = max(reading.memory for reading in seen if reading.memory == reading.memory)
        words.append(f"memory {last.memory / _MIB:.1f} MiB, at most {most / _MIB:.1f}")
    if last.processes == last.processes:
        words.append(f"processes {last.processes:.0f}")
    yield f"{story.name}: {'; '.join(words)}"
    for event in bursts(story.events, "oom", "refused", "frozen", "thawed", "ended"):
        yield f"  {event.at - last.at:6.1f} s  {event}"


def _axes(place: Axes, title: str, ink: str, size: float, ground: str) -> None:
    place.set_title(title, loc="left", fontsize=size, color=ink)
    place.set_facecolor(ground)
    place.tick_params(colors=ink, labelsize=size * 0.9)
    place.grid(True, color=ink, alpha=0.15)
    for side, spine in place.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(ink)


def _draw(place: Axes, chart: str, seen: list[Reading], story: Story, end: float, colour: str, number: int) -> None:
    """The lines, limits and marks of one container in one chart."""
    when = [reading.at - end for reading in seen]
    dashes = "-" if number < 5 else "--"
    label = f"{number + 1} {story.name}"
    drawn: dict[str, list[tuple[str, float, str]]] = {
        "cpu": [("cpu", 1.0, dashes)], "memory": [("memory", _MIB, dashes)], "processes": [("processes", 1.0, dashes)],
        "io": [("read", _MIB, dashes), ("written", -_MIB, dashes)],
        "pressure": [("waits_cpu", 1.0, "-"), ("waits_memory", 1.0, "--"), ("waits_io", 1.0, ":")],
    }  # fmt: skip
    for name, factor, dash in drawn[chart]:
        values = [getattr(reading, name) / factor for reading in seen]
        place.plot(when, values, dash, color=colour, label=label, linewidth=1.8)
        label = ""
    if chart == "cpu" and seen:
        throttled = [reading.throttled > 0 for reading in seen]
        place.fill_between(when, 0, 1, where=throttled, transform=place.get_xaxis_transform(), color=colour, alpha=0.12)
    for name, limit in story.limits.items():
        if name in _UNITS and _UNITS[name][0] == chart:
            style = ":" if name == "memory_high" else (0, (6, 3))
            place.axhline(limit / _UNITS[name][1], color=colour, linestyle=style, linewidth=1.2)
    marks = {"memory": "oom", "processes": "refused"}
    for event in bursts(story.events, marks.get(chart, "")):
        if when and when[0] <= event.at - end:
            place.axvline(event.at - end, color=colour, linewidth=1)
            said = f"{event.kind}{f': {event.victim}' if event.victim else ''}"
            place.annotate(
                said, (event.at - end, 1), xycoords=("data", "axes fraction"), color=colour,
                va="top", ha="right", rotation=90, fontsize="small",
            )  # fmt: skip
