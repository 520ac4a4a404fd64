"""The live panel without a browser: from counters to gauges, the feed and its end, limits, text and figure."""

from __future__ import annotations

import json
import math
import queue
import re
import shutil
import struct
import subprocess
import threading
import time

import pytest
from fake_watches import MIB, Pretended

from labkit.cgroups.limits import Limits
from labkit.cgroups.samples import Event, Sample
from labkit.cgroups.usage import Usage
from labkit.errors import ReplayError, SpecError
from labkit.view import assets, feed, gauges, knobs, panel, still
from labkit.view.turns import Cell

ROW = struct.Struct("<d11f")
LIMITS = Limits(cpu=0.25, memory="64M", memory_high="48M", pids=10)


def threads():
    """How many panels are being fed."""
    return sum(thread.name == "labkit-panel" for thread in threading.enumerate())


def soon(condition):
    """Wait until it is so."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


class TestGauges:
    """From counters to what is shown."""

    def test_a_rate_is_taken_over_a_second_so_that_a_quota_does_not_flicker(self):
        shown = gauges.Gauges()
        on_and_off = [Sample(n / 10, Usage(cpu=0.04 * (n // 2))) for n in range(40)]  # 40 ms every other tenth
        seen = [shown.read(sample) for sample in on_and_off]
        assert all(reading.cpu == pytest.approx(20) for reading in seen[10:])

    def test_the_throttled_share_is_that_of_the_periods_in_which_the_quota_was_used_up(self):
        before, after = Usage(periods=100, periods_throttled=10), Usage(periods=110, periods_throttled=19)
        assert gauges.between(Sample(0, before), Sample(1, after)).throttled == 90

    def test_where_no_quota_runs_nobody_is_throttled(self):
        assert gauges.between(Sample(0, Usage(periods=0)), Sample(1, Usage(periods=0))).throttled != 0  # not counted
        idle = Usage(periods=5, periods_throttled=2)
        assert gauges.between(Sample(0, idle), Sample(1, idle)).throttled == 0

    def test_what_nobody_counts_is_no_number(self):
        reading = gauges.between(Sample(0, Usage()), Sample(1, Usage(memory=7)))
        assert reading.memory == 7
        assert all(math.isnan(value) for value in (reading.cpu, reading.read, reading.processes, reading.waits_io))

    def test_pressure_and_disks_are_a_second(self):
        before = Usage(read=0, written=10, waited={"io": 1.0})
        after = Usage(read=4096, written=20, waited={"io": 1.5})
        reading = gauges.between(Sample(0, before), Sample(2, after))
        assert (reading.read, reading.written, reading.waits_io) == (2048, 5, 25)

    def test_a_reading_travels_as_a_double_and_eleven_floats(self):
        reading = gauges.Reading(1764300000.25, cpu=12.5, memory=3 * MIB)
        at, number, cpu, _, memory, *_ = ROW.unpack(reading.packed(3))
        assert (at, number, cpu, memory) == (1764300000.25, 3, 12.5, 3 * MIB)


class Page:
    """The browser's end of a feed: what was sent, and the turns of a loop that the test takes."""

    def __init__(self, *watches, **options):
        self.messages, self.turns, self.ended = queue.Queue(), [], queue.Queue()
        self.feed = feed.Feed(
            watches, send=lambda message, rows: self.messages.put((message, rows)), turn=self.turns.append,
            end=self.ended.put, pause=0.002, **options,
        )  # fmt: skip
        self.feed.start()

    def rows(self, number):
        """(when, which container) of so many rows."""
        found = []
        while len(found) < number:
            found += [ROW.unpack(row)[:2] for row in blocks(self.messages.get(timeout=10)[1])]
        return found


def blocks(data):
    """The rows of a buffer."""
    return [data[at : at + ROW.size] for at in range(0, len(data), ROW.size)]


@pytest.fixture
def clock():
    """A time that stands still until it is set."""
    now = [1000.0]
    made = lambda: now[0]  # noqa: E731
    made.set = lambda value: now.__setitem__(0, value)
    return made


class TestFeed:
    """The thread between watches and a browser."""

    def test_the_past_comes_in_pieces_and_then_what_is_new_for_all_at_once(self, clock):
        boxes = [Pretended(name, past=300, clock=clock) for name in ("web", "db")]
        page = Page(*(box.watch() for box in boxes))
        first = page.messages.get(timeout=10)[1]
        assert len(blocks(first)) <= feed.PIECE
        assert len(page.rows(2 * 3001 - len(blocks(first)))) == 2 * 3001 - len(blocks(first))
        clock.set(1000.15)
        assert sorted(number for _, number in page.rows(2)) == [0, 1]
        page.feed.stop()
        assert page.ended.get(timeout=10) is False

    def test_a_page_that_comes_back_is_told_what_it_has_missed_and_little_more(self, clock):
        page = Page(Pretended("web", past=100, clock=clock).watch())
        page.rows(1001)
        page.feed.rewind([980.0])
        again = page.rows(200)
        assert 977 < again[0][0] < 980 and again[-1][0] <= 1000
        page.feed.stop()

    def test_events_come_once_with_the_victim_and_throttling_is_left_to_the_readings(self, clock):
        watch = Pretended("web", clock=clock, limits=Limits(cpu=0.1)).watch()
        clock.set(1001)
        watch.happens("oom", victim="dd", pid=7)
        page = Page(watch)
        (message, rows) = page.messages.get(timeout=10)
        page.feed.stop()
        oom = {"of": 0, "kind": "oom", "at": 1001, "count": 1, "victim": "dd", "pid": 7}
        assert message["events"] == [oom]
        assert [ROW.unpack(row)[3] for row in blocks(rows)][-1] == 100

    def test_it_ends_with_its_watches_and_everything_was_sent(self, clock):
        watch = Pretended("web", past=200, clock=clock).watch()
        watch.happens("ended")
        page = Page(watch)
        assert page.ended.get(timeout=10) is True
        assert len(page.rows(2001)) == 2001

    def test_a_page_that_says_nothing_for_many_turns_of_the_loop_is_gone(self, clock):
        page = Page(Pretended("web", clock=clock).watch())
        for _ in range(feed.SILENCE):
            soon(lambda: page.turns)
            page.turns.pop()()
        assert page.ended.get(timeout=10) is False
        soon(lambda: not page.feed.is_alive())

    def test_while_a_cell_keeps_the_loop_busy_silence_proves_nothing(self, clock):
        page = Page(Pretended("web", clock=clock).watch())
        soon(lambda: page.turns)
        time.sleep(0.1)  # fifty ticks
        assert len(page.turns) == 1, "the next turn is asked for when this one was taken"
        assert page.feed.is_alive()
        page.feed.stop()

    def test_it_comes_shortly_after_each_tenth_of_a_second_when_the_samples_are_there(self, clock):
        waiting = feed.Feed([Pretended("web").watch()], send=None, turn=None, end=None)
        for _ in range(20):
            time.sleep(0.007)
            then = time.monotonic() + waiting._until_next()
            assert then % feed.PAUSE == pytest.approx(0.015, abs=0.01)

    def test_a_word_from_the_page_keeps_it_going(self, clock):
        page = Page(Pretended("web", clock=clock).watch())
        for _ in range(3 * feed.SILENCE):
            soon(lambda: page.turns)
            page.feed.heard()
            page.turns.pop()()
        assert page.feed.is_alive()
        page.feed.stop()


class TestKnobs:
    """Limits as lines and sliders."""

    def test_lines_are_numbers_and_the_ceilings_of_several_disks_add_up(self):
        limits = Limits(cpu=0.25, memory="64M", pids=10, io={"7:0": {"rbps": "1M"}, "7:1": {"rbps": "1M", "wiops": 5}})
        assert knobs.lines(limits) == {"cpu": 25, "memory": 64 * MIB, "pids": 10, "rbps": 2 * MIB}

    @pytest.mark.parametrize("name", ["cpu", "memory", "memory_high", "pids", "rbps"])
    def test_what_a_slider_sets_is_what_the_line_then_shows(self, name):
        box = Pretended("web", limits=Limits(io={"7:0": {"rbps": "4M", "wbps": "2M"}}))
        knob = next(knob for knob in knobs.knobs(box.limits()) if knob.name == name)
        value = math.sqrt(knob.low * knob.high)
        box.limits(**knobs.change(box.limits(), name, value))
        told = knobs.lines(box.limits())
        assert told[name] / (100 if name == "cpu" else 1) == pytest.approx(value, rel=0.05)
        assert told["wbps"] == 2 * MIB

    @pytest.mark.parametrize("name", ["cpu", "memory", "pids"])
    def test_the_right_end_is_no_limit(self, name):
        box = Pretended("web", limits=LIMITS)
        box.limits(**knobs.change(box.limits(), name, None))
        assert name not in knobs.lines(box.limits())

    def test_only_a_disk_that_is_named_in_the_limits_has_a_slider(self):
        assert not {"rbps", "wbps"} & {knob.name for knob in knobs.knobs(LIMITS)}


def refused(*_, **__):
    """As a lab that replays."""
    raise ReplayError("nothing is live here")


@pytest.fixture
def sent(monkeypatch):
    """What a panel sends; what it wants done in the loop is done at once, and later never."""
    messages = []
    monkeypatch.setattr(panel.Panel, "send", lambda self, message, buffers=None: messages.append((message, buffers)))
    monkeypatch.setattr(panel, "in_turn", lambda act: act())
    yield messages
    soon(lambda: not threads())


class TestPanel:
    """The widget's end in the kernel."""

    def test_its_text_says_whom_it_shows_and_what_they_may_use(self):
        shown = panel.Panel(Pretended("web", limits=LIMITS), Pretended("db"), show=("cpu", "memory"))
        assert str(shown) == (
            "live panel of web and db: cpu, memory; the last 10 minutes\n"
            "  web  CPU 25 %, memory 64 MiB, memory high 48 MiB, processes 10\n"
            "  db   no limits"
        )
        assert shown.static(last=False)["text/plain"] == str(shown)

    @pytest.mark.parametrize(
        ("count", "options", "word"),
        [(0, {}, "1 to 10"), (11, {}, "1 to 10"), (1, {"minutes": 0}, "minutes"), (1, {"show": ("cp",)}, "'cp'")],
    )
    def test_what_cannot_be_shown_is_refused_before_anybody_is_watched(self, count, options, word):
        boxes = [Pretended(f"c{n}") for n in range(count)]
        with pytest.raises(SpecError, match=word):
            panel.Panel(*boxes, **options)
        assert not any(box.watches for box in boxes)

    def test_what_cannot_be_watched_is_named(self):
        with pytest.raises(SpecError, match="int cannot be watched"):
            panel.Panel(7)

    def test_a_thread_runs_only_while_somebody_looks(self, sent):
        shown = panel.Panel(Pretended("web", past=5))
        assert threads() == 0
        shown._receive(shown, {"op": "hello", "have": []}, None)
        soon(lambda: sent)
        assert threads() == 1
        shown._receive(shown, {"op": "hello", "have": [0]}, None)  # a second page
        assert threads() == 1
        shown._receive(shown, {"op": "bye"}, None)
        soon(lambda: threads() == 0)
        assert not shown.ended
        shown._receive(shown, {"op": "here", "have": [0]}, None)  # it was only slow, or its word was lost
        soon(lambda: threads() == 1)
        shown.end()

    def test_its_end_closes_the_watches_that_it_opened_and_no_others(self, sent):
        box, given = Pretended("web"), Pretended("db").watch()
        shown = panel.Panel(box, given)
        shown.end()
        shown.end()
        assert box.watches[0].closed and not given.closed
        assert shown.ended

    def test_it_ends_with_the_containers(self, sent):
        box = Pretended("web", past=5)
        shown = panel.Panel(box)
        shown._receive(shown, {"op": "hello", "have": []}, None)
        box.watches[0].happens("ended")
        soon(lambda: shown.ended and not threads())
        sent.clear()
        shown._receive(shown, {"op": "here", "have": [time.time()]}, None)
        assert threads() == 0
        shown._receive(shown, {"op": "hello", "have": []}, None)  # the page was loaded again
        soon(lambda: sent)

    def test_when_nobody_has_looked_for_as_long_as_it_shows_it_ends(self, sent, monkeypatch):
        timers = []
        monkeypatch.setattr(panel, "later", lambda seconds, act: timers.append((seconds, act)))
        shown = panel.Panel(Pretended("web"), minutes=2)
        shown._receive(shown, {"op": "hello", "have": []}, None)
        assert [seconds for seconds, _ in timers] == [120]
        timers.pop()[1]()
        assert not shown.ended, "somebody has looked meanwhile"
        shown._receive(shown, {"op": "bye"}, None)
        soon(lambda: timers)
        timers.pop()[1]()
        assert shown.ended

    def test_the_cell_run_again_replaces_it_but_not_its_neighbour_of_the_same_run(self, monkeypatch):
        runs = [Cell("a", "1"), Cell("a", "1"), Cell("b", "2"), Cell("a", "3")]
        monkeypatch.setattr(panel, "cell", lambda: runs.pop(0))
        first, beside, other = (panel.Panel(Pretended(name)) for name in ("web", "db", "log"))
        assert not first.ended
        again = panel.Panel(Pretended("web"))
        assert (first.ended, beside.ended, other.ended, again.ended) == (True, True, False, False)

    def test_a_panel_that_could_not_be_made_leaves_the_one_before_in_its_cell(self, monkeypatch):
        runs = [Cell("c", "1"), Cell("c", "2"), Cell("c", "3")]
        monkeypatch.setattr(panel, "cell", lambda: runs.pop(0))
        first = panel.Panel(Pretended("web"))
        with pytest.raises(SpecError):
            panel.Panel()
        assert not first.ended
        panel.Panel(Pretended("web"))
        assert first.ended

    def test_a_slider_sets_the_limit_and_is_answered(self, sent):
        box = Pretended("web", limits=LIMITS)
        shown = panel.Panel(box)
        shown._receive(shown, {"op": "limit", "of": 0, "name": "cpu", "value": 0.5, "id": "x"}, None)
        assert sent == [({"done": "x", "error": None}, None)]
        assert box.limits().cpu == 0.5 and box.limits().memory == "64M"
        assert [change.get("cpu") for change in shown.limits[0]] == [25, 50]

    def test_a_slider_that_fails_says_why_beside_it(self, sent):
        box = Pretended("web")
        shown = panel.Panel(box)
        box.broken = True
        shown._receive(shown, {"op": "limit", "of": 0, "name": "pids", "value": 5, "id": "y"}, None)
        ((answer, _),) = sent
        assert answer["error"]["message"] == "web has ended"
        assert answer["error"]["look"]

    def test_a_limit_that_a_cell_has_changed_is_followed(self, sent):
        box = Pretended("web", past=1)
        shown = panel.Panel(box)
        shown._receive(shown, {"op": "hello", "have": []}, None)
        box.limits(cpu=0.5)
        soon(lambda: shown.limits[0][-1].get("cpu") == 50)
        shown.end()

    def test_a_container_that_was_started_without_limits_is_watched_all_the_same(self):
        box = Pretended("web")
        box.broken = True  # refuses to tell its limits, as such a one does
        shown = panel.Panel(box)
        assert shown.knobs == [[]] and len(str(shown).splitlines()) == 1
        shown.end()
        assert box.watches[0].closed

    def test_where_containers_are_recorded_there_is_nothing_to_watch_but_the_text_is_the_same(self, sent, monkeypatch):
        live = Pretended("web", limits=LIMITS)
        text = str(panel.Panel(live))
        box = Pretended("web", limits=LIMITS)
        monkeypatch.setattr(Pretended, "watch", refused)
        shown = panel.Panel(box)
        assert str(shown) == text and "image/png" not in shown.static(last=True)
        shown._receive(shown, {"op": "hello", "have": []}, None)
        soon(lambda: shown.ended)

    def test_each_watch_has_its_own_rate(self):
        assert panel.Panel(Pretended("web").watch(hz=20), Pretended("db"), hz=5).hz == [20, 5]

    def test_a_watch_has_no_sliders_and_no_limits(self):
        shown = panel.Panel(Pretended("web", limits=LIMITS).watch())
        assert shown.knobs == [[]]
        assert len(str(shown).splitlines()) == 1


class TestStill:
    """The figure that stays."""

    def figure(self, **options):
        box = Pretended("web", past=90, cpu=0.6, limits=LIMITS, clock=lambda: 1000.0)
        return panel.Panel(box, minutes=1, **options).figure()

    def test_its_text_has_the_figures_and_what_happened(self):
        lines = str(self.figure()).splitlines()
        assert re.fullmatch(r"web: 60 s seen; CPU 25 %, .*; CPU 25 %, throttled 100 %; memory .*", lines[0])
        assert any("oom: dd (pid 4711)" in line for line in lines[1:])
        assert all(re.match(r" +-?\d+\.\d s  ", line) for line in lines[1:])

    def test_what_happens_again_and_again_is_told_once(self):
        many = [Event("refused", at / 10, count=2) for at in range(20)] + [Event("oom", 2.0), Event("refused", 9.0)]
        assert [(e.kind, e.count) for e in still.bursts(many, "refused", "oom")] == [
            ("refused", 40), ("oom", 1), ("refused", 1),
        ]  # fmt: skip

    def test_every_chart_has_its_lines_and_limits(self):
        axes = self.figure().figure().axes
        counts = {axis.get_title(loc="left").partition(",")[0]: len(axis.get_lines()) for axis in axes[:5]}
        assert counts == {"CPU": 2, "memory": 4, "disks": 2, "processes": 4, "pressure": 3}

    def test_it_is_a_picture_beside_its_text(self):
        shown = self.figure(show=("cpu",))
        bundle = shown._repr_mimebundle_()
        assert bundle["text/plain"] == str(shown)
        assert bundle["image/png"].startswith(b"\x89PNG")

    def test_before_the_first_sample_there_is_nothing_to_draw_and_it_says_so(self):
        story = still.Story("web", (), (), {})
        assert str(still.Still([story], minutes=1)) == "web: nothing seen yet"
        assert still.Still([story], minutes=1, charts=("cpu",)).png()

    def test_its_lines_have_the_colours_of_the_panel(self):
        sheet = assets.text("livepanel.css")
        told = [re.findall(r"--line-\d: (#\w+);", rule) for rule in sheet.split("}")]
        assert [tuple(colours) for colours in told if colours][:2] == [still.COLOURS, still.ON_DARK]


METERS = """
import { readFileSync } from "node:fs";
import { Meters } from "./meters.mjs";
const rows = (hex) => new DataView(Uint8Array.from(Buffer.from(hex, "hex")).buffer);
const meters = new Meters([10, 0.5], 1);
const sent = JSON.parse(readFileSync(0));
const told = sent.map(([hex, events]) => meters.take({ events }, rows(hex)).length);
const words = (value) => value ?? String(value);
const cpu = (of) => meters.tables[of].cpu.slice(meters.index(1000), meters.length).map(words);
console.log(JSON.stringify({
  told, have: meters.have, end: meters.end, length: meters.length, cpu: cpu(0), other: cpu(1),
  latest: meters.latest(0, "memory"), csv: meters.csv(["web", "d,b"]),
}));
"""


@pytest.mark.skipif(not shutil.which("node"), reason="there is no Node.js here to run the browser's part")
class TestMeters:
    """What the browser makes of what the kernel sends."""

    def take(self, tmp_path, *messages):
        (tmp_path / "meters.mjs").write_text(assets.text("meters.js"))
        (tmp_path / "test.mjs").write_text(METERS)
        sent = [(b"".join(rows).hex(), events) for rows, events in messages]
        done = subprocess.run(
            ["node", tmp_path / "test.mjs"], input=json.dumps(sent), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    def row(self, at, number=0, cpu=1.0):
        return gauges.Reading(at, cpu=cpu, memory=5.0).packed(number)

    def test_rows_fall_on_an_even_grid_and_a_late_one_leaves_no_hole_in_the_line(self, tmp_path):
        rows = [self.row(1000.0), self.row(1000.13), self.row(1000.31, cpu=2.0), self.row(1000.02, 1)]
        seen = self.take(tmp_path, (rows, []))
        assert seen["cpu"] == [1, 1, "undefined", 2]
        assert seen["other"] == [1, "undefined", "undefined", "undefined"]
        assert seen["have"] == [1000.3, 1000]
        assert seen["latest"] == 5

    def test_after_long_without_readings_the_line_is_broken(self, tmp_path):
        seen = self.take(tmp_path, ([self.row(1000.0), self.row(1002.0)], []))
        assert seen["cpu"][-2:] == ["null", 1] and "null" not in seen["cpu"][:-2]

    def test_a_slow_watch_may_take_longer_before_its_line_is_broken(self, tmp_path):
        seen = self.take(tmp_path, ([self.row(1000.0, 1), self.row(1002.0, 1), self.row(1009.0, 1)], []))
        assert seen["other"].index("null") == 89

    def test_what_comes_twice_is_known(self, tmp_path):
        happened = [{"of": 0, "kind": "oom", "at": 1000.1, "count": 1, "victim": "dd", "pid": 1}]
        rows = [self.row(1000.0), self.row(1000.1)]
        seen = self.take(tmp_path, (rows, happened), ([self.row(1000.0, cpu=9.0), *rows[1:]], happened))
        assert seen["told"] == [1, 0]
        assert seen["cpu"] == [1, 1]

    def test_what_is_older_than_is_kept_goes(self, tmp_path):
        rows = [self.row(1000 + n / 10) for n in range(3000)]
        seen = self.take(tmp_path, *(([row], []) for row in rows))
        assert 601 <= seen["length"] <= 901
        assert seen["end"] == 1299.9
        assert seen["csv"].count("\n") == seen["length"] + 1

    def test_a_new_time_long_after_begins_anew(self, tmp_path):
        seen = self.take(tmp_path, ([self.row(1000.0)], []), ([self.row(100000.0)], []))
        assert seen["length"] == 601 and seen["csv"].count("\n") == 2

    def test_the_table_has_a_line_for_each_reading_and_what_happened(self, tmp_path):
        happened = [{"of": 1, "kind": "oom", "at": 1000.1, "count": 1, "victim": "dd", "pid": 1}]
        seen = self.take(tmp_path, ([self.row(1000.0), self.row(1000.1, 1)], happened))
        assert seen["csv"].splitlines()[1:] == [
            "1000.00,web,1,,5,,,,,,,,", '1000.10,"d,b",1,,5,,,,,,,,oom: dd',
        ]  # fmt: skip
