"""The live panel in a real JupyterLab in a real Chromium, beside a figure that matplotlib draws again and again.

Both show the same containers at the same rate, one after the other in one run. What they cost is counted by the kernel:
the CPU time of all threads of the notebook's kernel, the taking of samples included, and of all processes
of the browser. How long it takes from an event to its mark, and from a slider to the limit in force, is measured by the
page.

See: proc_pid_schedstat in the kernel's scheduler/sched-stats.rst.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Timing
from benchmarks.player import opened
from benchmarks.report import Goal, Part, number, table, timings
from labkit.linux import proc

if TYPE_CHECKING:
    from browser.pages import Notebook

SECONDS = 15.0
HZ = 10
#: containers: most of a core for the kernel, and for the browser
BOUNDS = {1: (1, 15), 4: (2, 20), 10: (4, 30)}
EVENTS, PULLS = 30, 40

START = """import os, threading, time
from pathlib import Path
from labkit import Lab
from labkit.cgroups import Limits
from labkit.linux import hierarchies
from labkit.view.panel import Panel
lab = Lab()
busy = ["sh", "-c", "while :; do :; done"]
boxes = [lab.run("busybox", busy, detach=True, limits=Limits(cpu=0.02, memory="64M", pids=50)) for _ in range(10)]
idle = lab.run("busybox", ["sleep", "10000"], detach=True, limits=Limits(cpu=1))"""
PANEL = "panel = Panel({whom})\npanel"
#: one that waits for its next period is frozen when it is over, and not before
IDLE = "idle"
WATCHED = "watches = [box.watch() for box in boxes[:{count}]]"
CLOSED = "for watch in watches: watch.close()"
#: as it is usually done: an inline figure, drawn anew and put in the place of the one before
FIGURE = """import matplotlib; matplotlib.use("agg")
from IPython.display import display
from matplotlib.figure import Figure
from labkit.view.gauges import readings
figure = Figure(figsize=(11, 7))
axes = figure.subplots(3, 2).flat
def draw():
    for axis, name in zip(axes, ("cpu", "memory", "read", "processes", "waits_cpu")):
        axis.clear()
        for watch in watches:
            seen = readings(watch.samples[-600:])
            axis.plot([each.at for each in seen], [getattr(each, name) for each in seen])
class Shown:
    def _repr_png_(self):
        from io import BytesIO
        figure.savefig(file := BytesIO(), format="png")
        return file.getvalue()
handle = display(Shown(), display_id=True)
frames, end, due = 0, time.monotonic() + {seconds}, time.monotonic()
while time.monotonic() < end:
    draw(); handle.update(Shown()); frames += 1; due += {pause}
    time.sleep(max(0, due - time.monotonic()))
frames"""
FREEZE = """trees = hierarchies.own(lab.engine.counted(idle, lambda pid: pid))
[tree] = [each for each in trees if each.version == 2]
frozen = []
for turn in range({events}):
    time.sleep(0.4 + turn % 7 / 70)
    frozen.append(time.time())
    Path(tree.directory, "cgroup.freeze").write_text(str((turn + 1) % 2))
time.sleep(1)
[round(1000 * at, 3) for at in frozen]"""
MARKS = """root => {
  window.marks = [];
  new MutationObserver(() => window.marks.push(Date.now())).observe(root, { attributeFilter: ["data-lag"] });
}"""
PULL = """(root, place) => new Promise((done) => {
  const slider = root.querySelector("[data-knob=cpu]");
  const watch = new MutationObserver(() => (watch.disconnect(), done(Number(root.dataset.ms))));
  watch.observe(root, { attributeFilter: ["data-ms"] });
  slider.value = place;
  slider.dispatchEvent(new Event("input"));
})"""


def livepanel(scratch: Path, rounds: int) -> Part:
    """One, four and ten containers; matplotlib with one and ten."""
    goals: list[Goal] = []
    rows = []
    with opened(scratch, START) as notebook:
        kernel = int(notebook.run(notebook.add_cell("os.getpid()")))
        for count, bounds in BOUNDS.items():
            shares = [_panel(notebook, kernel, count), _watched(notebook, kernel, count)]
            rows.append((f"live panel, {count}", *map(number, shares[0]), number(HZ)))
            rows.append((f"watched, nothing shown, {count}", *map(number, shares[1]), ""))
            for who, share, bound in zip(("kernel", "browser"), shares[0], bounds, strict=True):
                goals.append(Goal(f"live panel, {count} at {HZ} Hz: {who}", bound, "% of a core", share))
        for count in (1, 10):
            *shares, rate = _matplotlib(notebook, kernel, count)
            rows.append((f"matplotlib, {count}", *map(number, shares), number(rate)))
        measured = {"from an event to its mark": _marks(notebook), "from a slider to the limit": _pulls(notebook)}
    for (name, timing), bound in zip(measured.items(), (250, 100), strict=True):
        goals.append(Goal(f"live panel, {name}", bound, "ms", 1000 * timing.p95, "p95"))
    head = ("containers", "kernel, % of a core", "browser, % of a core", "pictures a second")
    return Part("the live panel, beside matplotlib", [*table(head, rows), "", *timings(measured)], goals)


def _shown(notebook: Notebook, whom: str) -> int:
    """The number of the cell that shows the panel."""
    cell = notebook.add_cell(PANEL.format(whom=whom))
    notebook.run(cell)
    notebook.cell(cell).locator(".labkit-live").scroll_into_view_if_needed()
    notebook.page.wait_for_timeout(3000)
    return cell


def _panel(notebook: Notebook, kernel: int, count: int) -> tuple[float, float]:
    """What kernel and browser take while it is on the screen, in percent of a core."""
    cell = _shown(notebook, f"*boxes[:{count}]")
    shares = _spent(kernel, lambda: notebook.page.wait_for_timeout(1000 * SECONDS))
    notebook.clear(cell)
    notebook.run(notebook.add_cell("panel.end()"))
    return shares


def _watched(notebook: Notebook, kernel: int, count: int) -> tuple[float, float]:
    """What it takes to take the samples alone."""
    notebook.run(notebook.add_cell(WATCHED.format(count=count)))
    shares = _spent(kernel, lambda: notebook.page.wait_for_timeout(1000 * SECONDS))
    notebook.run(notebook.add_cell(CLOSED))
    return shares


def _matplotlib(notebook: Notebook, kernel: int, count: int) -> tuple[float, float, float]:
    """The same by a figure that a cell draws as often as it can, at most so often; and how often that was."""
    notebook.run(notebook.add_cell(WATCHED.format(count=count)))
    notebook.page.wait_for_timeout(3000)
    cell = notebook.add_cell(FIGURE.format(seconds=SECONDS, pause=1 / HZ))
    told: list[str] = []
    shares = _spent(kernel, lambda: told.append(notebook.run(cell)))
    notebook.clear(cell)
    notebook.run(notebook.add_cell(CLOSED))
    return *shares, int(told[0].split()[-1]) / SECONDS


def _marks(notebook: Notebook) -> Timing:
    """From a change of cgroup.freeze to the frame in which it is marked."""
    cell = _shown(notebook, IDLE)
    root = notebook.cell(cell).locator(".labkit-live")
    root.evaluate(MARKS)
    began = json.loads(notebook.run(notebook.add_cell(FREEZE.format(events=EVENTS))))
    marked = notebook.page.evaluate("window.marks")
    # a busy page may mark two in one frame, which is late for the first of them
    return Timing(tuple((next(mark for mark in marked if mark >= begin) - begin) / 1000 for begin in began))


def _pulls(notebook: Notebook) -> Timing:
    """From a slider that has moved to the kernel's word that the limit is in force."""
    root = notebook.page.locator(".labkit-live").last
    seconds = []
    for turn in range(PULLS):
        seconds.append(root.evaluate(PULL, 300 + 5 * turn) / 1000)
        notebook.page.wait_for_timeout(150)
    return Timing(tuple(seconds))


def _spent(kernel: int, work: Callable[[], Any]) -> tuple[float, float]:
    """CPU time that the kernel and the browser take meanwhile, in percent of a core."""
    browser = [pid for pid in _below(os.getpid()) if "chrom" in proc.title(pid)]
    before, started = [_given([kernel]), _given(browser)], time.monotonic()
    work()
    passed = time.monotonic() - started
    after = [_given([kernel]), _given(browser)]
    kernel_share, browser_share = (100 * (new - old) / passed for old, new in zip(before, after, strict=True))
    return kernel_share, browser_share


def _below(pid: int) -> Iterator[int]:
    """All descendants of a process."""
    for child in proc.children(pid):
        yield child
        yield from _below(child)


def _given(pids: list[int]) -> float:
    """Seconds on a CPU that all threads of these processes were given."""
    return sum(map(float, _each(pids)))


def _each(pids: list[int]) -> Iterator[float]:
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                yield int(task.read_text().split()[0]) / 1e9
            except OSError:  # it has ended
                continue
