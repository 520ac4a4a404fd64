"""What a plan asked of the kernel, as strips: a row for each step, a box for each call, as long as it took."""

from __future__ import annotations

from itertools import groupby
from math import log10

from labkit.errors import errno_name
from labkit.steps.call import Call
from labkit.steps.trace import Taken, Trace
from labkit.view.lettering import grid, shorten
from labkit.view.pictures.picture import Picture
from labkit.view.svg import LINE, Svg, measure

_TITLE = "What the kernel was asked, step by step"
_FAMILIES = (
    (1, "processes and namespaces", ("clone", "unshare", "setns", "exec", "exit", "wait", "kill", "pidfd")),
    (2, "mounts and roots", ("mount", "umount", "pivot_root", "chroot", "open_tree", "move_mount", "fs")),
    (7, "names, identity and rights", ("set", "cap", "prctl", "keyctl", "chown", "umask", "seccomp")),
)
_OTHER = (0, "files and the rest")


def call_strip(trace: Trace) -> Picture:
    """The calls of a trace in their order; consecutive calls of one name share a box. Times are in the drawing only."""
    rows = [(taken, _runs(taken)) for taken in trace]
    table = [[str(taken.number), taken.step.title, _summary(taken)] for taken, _ in rows]
    count = sum(len(taken.calls) for taken in trace)
    described = f"{count} calls in {len(rows)} steps of {trace.plan}."
    return Picture(_TITLE, described, "\n".join(grid(table, most=100)) or "(no steps taken)", _draw(rows))


def _runs(taken: Taken) -> list[list[Call]]:
    """Consecutive calls of the same name and outcome."""
    return [list(group) for _, group in groupby(taken.calls, key=lambda call: (call.name, call.errno))]


def _summary(taken: Taken) -> str:
    """The calls by name, however they alternate: ``mknodat ×6, fchmodat ×6``."""
    kinds: dict[tuple[str, int], list[Call]] = {}
    for call in taken.calls:
        kinds.setdefault((call.name, call.errno), []).append(call)
    return ", ".join(map(_label, kinds.values())) or "(no call)"


def _label(run: list[Call]) -> str:
    times = f" ×{len(run)}" if len(run) > 1 else ""
    return f"{run[0].name}{times}" + (f" = {errno_name(run[0].errno)}" if run[0].errno else "")


def _family(name: str) -> int:
    return next((tint for tint, _, starts in _FAMILIES if name.startswith(starts)), _OTHER[0])


def _draw(rows: list[tuple[Taken, list[list[Call]]]]) -> Svg:
    svg = Svg()
    titles = [shorten(f"{taken.number:2}  {taken.step.title}", 42, prose=True) for taken, _ in rows]
    left = max(map(measure, titles), default=0) + 16
    x = 0.0
    for tint, words, *_ in (*_FAMILIES, _OTHER):
        svg.rect(x, 4, 14, 14, css=f"lk-c{tint}", r=3)
        svg.text(x + 20, 15, words, size=11.5)
        x += measure(words, size=11.5) + 44
    for index, ((taken, runs), title) in enumerate(zip(rows, titles, strict=True), 1):
        y = index * (LINE + 3) + 6
        svg.text(0, y + 15, title, tip=f"{taken.step.title} ({taken.step.who})")
        x = left
        for run in runs:
            x += _box(svg, x, y, run) + 3
    return svg


def _box(svg: Svg, x: float, y: float, run: list[Call]) -> float:
    """The box of some calls; returns its length: ten times the time is 16 units more, and its name always fits."""
    microseconds = sum(call.nanoseconds for call in run) / 1000
    label, failed = _label(run), run[0].failed and not run[0].expected
    long = max(16 * log10(1 + microseconds), measure(label, size=11.5) + 10)
    tint = 6 if failed else _OTHER[0] if run[0].expected else _family(run[0].name)
    tip = "\n".join([f"{microseconds:.0f} microseconds", *(str(call) for call in run[:12])])
    svg.rect(x, y, long, LINE - 1, css=f"lk-c{tint}", r=3, tip=tip)
    svg.text(x + 5, y + 15, label, css=f"lk-on{tint}" if tint else "", size=11.5)
    svg.rect(x, y + LINE - 1, min(long, 16 * log10(1 + microseconds)), 2.5, css="lk-ink", r=1)
    return long
