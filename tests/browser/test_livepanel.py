"""The live panel in JupyterLab: drawn, zoomed, paused, toggled, taken away, limits changed, and its end."""

from __future__ import annotations

import csv
import io
import re
import time

import pytest
from browser.checkout import ROOT
from playwright.sync_api import expect

START = f"""import sys, threading
sys.path.insert(0, {str(ROOT / "tests")!r})
from fake_watches import Pretended
from labkit.cgroups.limits import Limits
from labkit.view import theme
from labkit.view.panel import Panel
def fed():
    return sum(thread.name == "labkit-panel" for thread in threading.enumerate())
limits = Limits(cpu=0.25, memory="64M", memory_high="48M", pids=10)
web = Pretended("web", past=90, cpu=0.6, limits=limits)
db = Pretended("db", past=90, cpu=0.9, disk=6)"""
FED = "fed()"

#: whether a chart has anything of this colour on its canvas
PAINTED = """(chart, name) => {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = getComputedStyle(chart.closest(".labkit-live")).getPropertyValue(name);
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  const canvas = chart.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) {
    found += Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 24;
  }
  return found;
}"""
DRAWN = "chart => chart.querySelector('canvas')?.toDataURL()"


class Live:
    """A live panel on the page."""

    def __init__(self, notebook, cell):
        self.page = notebook.page
        self.root = notebook.cell(cell).locator(".labkit-live")
        self.root.scroll_into_view_if_needed()
        expect(self.reading("web", "memory")).to_contain_text("iB")

    def reading(self, name, column):
        """A figure of the table."""
        heads = [text.strip() for text in self.root.locator("thead th").all_inner_texts()]
        row = self.root.locator("tbody tr").filter(has_text=name)
        return row.locator("th, td").nth(heads.index(column))

    def chart(self, name):
        return self.root.locator(f"[data-chart={name}]")

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    def painted(self, chart, line):
        """How many points of a chart have the colour of a line."""
        return self.chart(chart).evaluate(PAINTED, f"--line-{line}")

    def is_moving(self, chart="cpu"):
        before = self.chart(chart).evaluate(DRAWN)
        self.page.wait_for_timeout(1200)
        return self.chart(chart).evaluate(DRAWN) != before

    def comes_to_rest(self, chart="cpu"):
        """Whether it stands still, if not at once, on a busy machine."""
        return any(not self.is_moving(chart) for _ in range(5))


@pytest.fixture(scope="module")
def notebook(open_notebook):
    """A notebook whose second cell shows two containers, the third counts the threads that feed panels."""
    opened = open_notebook(START, "panel = Panel(web, db)\npanel", FED, height=1200)
    opened.run(0)
    return opened


@pytest.fixture
def live(notebook):
    """The panel, made anew."""
    notebook.run(0)
    notebook.run(1)
    return Live(notebook, 1)


def test_what_is_used_is_drawn_and_told_and_goes_on(notebook, live):
    expect(live.reading("web", "CPU")).to_have_text("25 %")
    expect(live.reading("web", "throttled")).to_have_text("100 %")
    for chart in ("cpu", "memory", "io", "processes", "pressure"):
        assert live.painted(chart, 1) > 100 and live.painted(chart, 2) > 50, chart
    assert live.is_moving()
    assert notebook.run(2) == "1"


def test_a_button_takes_the_lines_of_a_container_away_and_brings_them_back(live):
    button = live.root.get_by_role("button", name="web")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    live.page.wait_for_function(
        f"root => ({PAINTED})(root.querySelector('[data-chart=memory]'), '--line-1') === 0",
        arg=live.root.element_handle(),
    )
    button.click()
    live.page.wait_for_timeout(500)
    assert live.painted("memory", 1) > 100


def test_it_stands_still_when_paused_and_when_zoomed_and_goes_on(live):
    live.button("Pause").click()
    assert live.comes_to_rest()
    live.button("Live").click()
    assert live.is_moving()
    plot = live.chart("memory").locator(".u-over")
    box = plot.bounding_box()
    live.page.mouse.move(box["x"] + 50, box["y"] + 40)
    live.page.mouse.down()
    live.page.mouse.move(box["x"] + 150, box["y"] + 40, steps=5)
    live.page.mouse.up()
    expect(live.button("Live")).to_be_visible()
    assert live.comes_to_rest("processes"), "the others have come along"
    plot.dblclick()
    expect(live.button("Pause")).to_be_visible()


def test_the_pointer_tells_what_was_used_then(live):
    live.chart("memory").locator(".u-over").hover(position={"x": 5, "y": 20})
    expect(live.root.locator("thead th").first).to_contain_text(":")
    live.root.locator("header").hover()
    expect(live.root.locator("thead th").first).to_have_text("")


def test_what_was_seen_is_taken_away_as_a_table_and_as_a_picture(live):
    rows = []
    deadline = time.monotonic() + 20
    while len(rows) <= 1700:  # 90 s of two containers, which come in pieces
        assert time.monotonic() < deadline, len(rows)
        with live.page.expect_download() as download:
            live.button("CSV").click()
        assert download.value.suggested_filename == "web-db.csv"
        rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert {row["container"] for row in rows} == {"web", "db"}
    last = [row for row in rows if row["container"] == "web"][-1]
    assert float(last["cpu"]) == pytest.approx(25, abs=1)
    assert any("oom: dd" in row["events"] for row in rows)
    with live.page.expect_download() as download:
        live.button("PNG").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_slider_changes_the_limit_while_a_cell_runs(notebook, live):
    wait = notebook.add_cell(
        "import time\nend = time.time() + 20\nwhile limits == web.limits() and time.time() < end: time.sleep(0.01)\n"
        "web.limits().cpu"
    )
    cell = notebook.begin(wait)
    slider = live.root.get_by_role("slider", name="CPU")
    slider.focus()
    slider.press("Home")
    expect(live.root.locator("[data-knob=cpu]").locator("xpath=../following-sibling::output").first).to_have_text(
        "5 % of a CPU"
    )
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text("0.05")
    expect(live.reading("web", "CPU")).to_have_text("5.0 %")
    assert int(live.root.get_attribute("data-ms")) >= 0


def test_a_limit_that_cannot_be_set_is_explained_beside_the_sliders(notebook, live):
    notebook.run(notebook.add_cell("web.broken = True"))
    live.root.get_by_role("slider", name="processes").press("End")
    expect(live.root.locator(".lv-trouble")).to_contain_text("web has ended")


def test_an_event_is_told_and_marked_soon(notebook, live):
    notebook.run(notebook.add_cell("panel._watches[1].happens('oom', victim='stress', pid=99)"))
    expect(live.root.locator(".lv-log")).to_contain_text("db: out of memory: stress (pid 99) was killed")


def test_the_cell_run_again_ends_the_one_before(notebook, live):
    notebook.run(notebook.add_cell("before = panel"))
    notebook.run(1)
    Live(notebook, 1)
    assert notebook.run(notebook.add_cell("before.ended, web.watches[0].closed, fed()")) == "(True, True, 1)"


def test_nobody_looks_and_no_thread_is_left(notebook, live):
    notebook.clear(1)
    notebook.page.wait_for_timeout(500)
    assert notebook.run(2) == "0"


def test_a_page_that_was_loaded_again_has_all_of_it(notebook, live):
    notebook.page.keyboard.press("Control+s")
    notebook.page.wait_for_timeout(1000)
    notebook.page.reload()
    notebook.opened()
    notebook.wait_for_kernel()
    again = Live(notebook, 1)
    again.page.wait_for_timeout(1000)
    assert again.painted("memory", 1) > 100
    assert notebook.run(2) == "1"


def test_a_page_that_is_gone_without_a_word_leaves_no_thread(notebook, live):
    assert notebook.run(2) == "1"
    note = "seen = []\ndef note():\n    while 0 not in seen: seen.append(fed()); time.sleep(0.2)\n"
    notebook.run(notebook.add_cell(f"import time\n{note}threading.Thread(target=note, daemon=True).start()"))
    notebook.page.goto("about:blank")
    notebook.page.wait_for_timeout(22_000)  # feed.SILENCE, and some
    notebook.open()
    notebook.wait_for_kernel()
    assert notebook.run(notebook.add_cell("seen[-1]")) == "0"


def test_when_all_have_ended_it_says_so_and_leaves_a_figure(notebook, live):
    notebook.run(notebook.add_cell("for box in (web, db): box.watches[-1].happens('ended')"))
    expect(live.root.locator(".lv-state")).to_contain_text("It has ended")
    assert notebook.run(2) == "0"


@pytest.mark.parametrize("name", ["normal", "dark", "stage"])
def test_everything_is_there_to_be_read_at_1024_by_768(notebook, live, name):
    notebook.page.set_viewport_size({"width": 1024, "height": 768})
    notebook.run(notebook.add_cell(f"theme.use({name!r})"))
    expect(live.root).to_have_attribute("data-theme", name)
    live.chart("memory").scroll_into_view_if_needed()
    live.page.wait_for_timeout(500)
    assert notebook.lost(".labkit-live *") == []
    assert live.painted("memory", 1) > 100
    if name == "stage":
        assert live.root.evaluate("node => getComputedStyle(node).fontSize") == "22px"


REAL = """import threading
from labkit import Lab
from labkit.cgroups import Limits
from labkit.view.panel import Panel
lab = Lab()
limits = Limits(cpu=0.25, memory="32M", pids=20)
web = lab.run("busybox", ["sh", "-c", "while :; do :; done"], name="web", detach=True, limits=limits)"""


@pytest.fixture
def real(open_notebook):
    """A notebook with a panel of a container that is there."""
    opened = open_notebook(REAL, "panel = Panel(web)\npanel", height=1200)
    opened.run(0)
    opened.run(1)
    return opened, Live(opened, 1)


def test_a_real_container_is_held_by_a_slider_its_victims_are_named_and_a_closed_lab_is_the_end(real):
    notebook, live = real
    expect(live.reading("web", "throttled")).not_to_have_text("0 %")
    live.root.get_by_role("slider", name="CPU").press("Home")
    expect(live.root.locator(".lv-trouble")).to_be_hidden()
    expect(live.reading("web", "CPU")).to_have_text(re.compile(r"^[3-7]\.\d %$"))
    assert notebook.run(notebook.add_cell("web.limits().cpu")) == "0.05"
    notebook.run(notebook.add_cell("web.limits(cpu=1)\nout = web.exec('tail /dev/zero', detach=True)"))
    expect(live.root.locator(".lv-log")).to_contain_text("web: out of memory: tail (pid ")
    expect(live.root.locator(".lv-knobs output").first).to_have_text("1 CPU")
    notebook.run(notebook.add_cell("lab.close()"))
    expect(live.root.locator(".lv-state")).to_contain_text("It has ended")
    left = "sorted(t.name for t in threading.enumerate() if 'labkit' in t.name)"
    assert notebook.run(notebook.add_cell(left)) == "[]"
