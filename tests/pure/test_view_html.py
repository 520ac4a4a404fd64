"""The tables: everything is escaped, each stands alone, each value shows itself after `register_all`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EINVAL
from html.parser import HTMLParser

import pytest

from labkit.errors import StepError
from labkit.linux.calls import Intent, sethostname
from labkit.steps import display
from labkit.steps.call import Call
from labkit.steps.fact import Credentials, Fact, Mount, Uts
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Diff, Snapshot
from labkit.steps.step import Step
from labkit.steps.trace import Taken, Trace
from labkit.view import html, renderers
from labkit.view.lettering import cells, clean, escape, grid, shorten
from labkit.view.markup import code, tag
from labkit.view.pictures import call_strip

HOSTILE = '</code><script>alert("1")</script>&amp;\x1b[31m\u202e\udcff'


@dataclass(frozen=True, kw_only=True)
class Named(Step):
    """Name the machine.

    So that it is known which one it is; not the one with <b>tags</b>.

    See: sethostname(2), uts_namespaces(7).
    """

    name: str
    times: int = 1
    probes = ("uts",)

    def calls(self) -> Iterator[Intent]:
        for _ in range(self.times):
            yield sethostname(clean(self.name))

    def shell(self) -> str:
        return "\n".join([f"hostname '{self.name}'"] * self.times)

    @property
    def title(self) -> str:
        return f"call the machine {self.name}"


def uts(name: str) -> Snapshot:
    return Snapshot.of(["uts"], [Uts("uts#1", name)])


def taken(name: str = "c1", *, error: StepError | None = None) -> Taken:
    call = Call(
        "host", "sethostname", (name.encode("utf-8", "replace"),), -1 if error else 0, EINVAL if error else 0, 12_000
    )
    return Taken(1, Named(name=name), (call,), uts("lab"), uts("lab" if error else name), error)


class Reader(HTMLParser):
    """The elements and the letters of a page; fails where an element is closed that is not open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.letters = ""
        self.feed(page)
        self.letters = " ".join(self.letters.split())
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, name: str, attributes: object) -> None:
        self.elements.append(name)
        self.letters += "" if name in ("wbr", "span") else " "
        if name not in ("br", "wbr"):
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open and self.open.pop() == name
        self.letters += "" if name == "span" else " "

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.letters += data


EVERYTHING = [
    html.plan_html(Plan.of(HOSTILE, (HOSTILE, [Named(name=HOSTILE, who=HOSTILE), Named(name=HOSTILE, times=9)]))),
    html.step_html(Named(name=HOSTILE)),
    html.fact_html(Uts("uts#1", HOSTILE)),
    html.snapshot_html(Snapshot.of(["uts", "mounts"], [Uts("uts#1", HOSTILE), Mount(HOSTILE, HOSTILE)])),
    html.diff_html(Diff.between(uts("lab"), uts(HOSTILE))),
    html.diff_html(Diff.between(Snapshot.of(["uts"], []), uts(HOSTILE))),
    html.change_html(next(iter(Diff.between(uts(HOSTILE), uts("lab"))))),
    html.call_html(Call("host", "sethostname", (clean(HOSTILE).encode(),), 0, 0, 1)),
    html.taken_html(taken(HOSTILE)),
    html.trace_html(Trace(HOSTILE, [taken(HOSTILE)])),
    html.error_html(StepError(HOSTILE, likely=HOSTILE, look=HOSTILE)),
]


@pytest.mark.parametrize("page", EVERYTHING)
def test_hostile_names_stay_letters(page: str) -> None:
    seen = Reader(page)
    assert not {"script", "b"} & set(seen.elements)
    assert "<script>alert" in seen.letters
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", page)
    assert seen.elements.count("style") == 1, "one style, so that the piece stands alone"
    page.encode()


def test_the_plan_shows_goal_who_what_calls_shell_and_manual() -> None:
    plan = Plan.of("a box", ("a name", [Named(name="c1", who="c1")]), ("many", [Named(name="c2", times=9)]))
    letters = Reader(html.plan_html(plan)).letters
    for words in (
        "a box: 2 steps",
        "a name",
        'sethostname("c1", 2)',
        "hostname 'c1'",
        "uts_namespaces(7)",
        "and 6 more",
    ):
        assert words in letters


def test_the_triple_view_has_calls_shell_and_changes() -> None:
    letters = " ".join(Reader(html.taken_html(taken())).letters.split())
    for words in ("step 1: call the machine c1", "12 µs", "$ hostname 'c1'", "names in uts#1", "hostname lab → c1"):
        assert words in letters


def test_an_error_is_part_of_the_triple_view() -> None:
    error = StepError("sethostname: EINVAL", likely="too long", look="wc -c")
    letters = Reader(html.trace_html(Trace("a box", [taken(error=error)]))).letters
    for words in ("failed", "EINVAL (Invalid argument)", "too long", "wc -c"):
        assert words in letters


def test_a_snapshot_shows_capabilities_by_name_and_leaves_empty_columns_out() -> None:
    who = Credentials("c1", (0, 0, 0, 0), (0, 0, 0, 0), (), 1 << 5, (1 << 41) - 1)
    letters = Reader(html.snapshot_html(Snapshot.of(["caps"], [who]))).letters
    assert "Credentials (1)" in letters and "kill all none none none" in letters
    assert "groups" not in letters


def test_many_changes_wait_behind_a_click() -> None:
    after = Snapshot.of(["mounts"], [Mount(f"/m{n:03}", "tmpfs") for n in range(46)])
    page = html.diff_html(Diff.between(Snapshot.of(["mounts"], []), after))
    assert "and 34 more" in Reader(page).letters and page.count("lk-chip lk-b3") == 46


@pytest.mark.parametrize("value", [Uts("uts#1", "c1"), uts("c1"), taken(), Trace("a"), Plan.of("p"), Named(name="x")])
def test_registered_values_show_text_first_and_a_table(value: display.Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "_renderers", {})
    assert list(value._repr_mimebundle_()) == ["text/plain"]
    renderers.register_all()
    renderers.register_all()
    bundle = value._repr_mimebundle_()
    assert list(bundle) == ["text/plain", "text/html"] and bundle["text/plain"] == str(value)


def test_every_type_of_fact_has_a_renderer_by_its_base() -> None:
    assert all(Fact in kind.__mro__ for kind in (Uts, Mount, Credentials)) and Fact in renderers.RENDERERS


def test_the_strip_of_calls_has_no_times_in_its_text() -> None:
    error = StepError("no")
    picture = call_strip(Trace("a box", [taken(), taken("x" * 65, error=error)]))
    assert (
        str(picture).splitlines()[0]
        == "1  call the machine c1".ljust(len(str(picture).split("  sethostname")[0])) + "  sethostname"
    )
    assert "sethostname = EINVAL" in str(picture) and "12" not in str(picture).replace("x" * 65, "")
    assert "12 microseconds" in picture.svg and "sethostname = EINVAL" in picture.svg
    assert str(call_strip(Trace("empty"))) == "(no steps taken)"


def test_letters_that_cannot_be_seen_are_written_out() -> None:
    assert clean("a\n\t\0\x1b\u202e\udcff\U000e0001b") == r"a\n\t\0\x1b\u202e\udcff\U000e0001b"
    assert clean("é日本👍") == "é日本👍"
    assert escape("<a href='x'>\"&") == "&lt;a href=&#x27;x&#x27;&gt;&quot;&amp;"


def test_columns_count_wide_letters_twice() -> None:
    assert cells("日本") == 4 and cells("e\u0301") == 1
    assert shorten("/a/very/long/path/name", 9) == "/a/v…name"
    assert shorten("one two three", 8, prose=True) == "one two…"
    assert cells(shorten("日本語プロセス", 6)) <= 6
    assert grid([["日本", "x"], ["a", "y"]]) == ["日本  x", "a     y"]


def test_markup_escapes_text_and_attributes() -> None:
    assert tag("td", "<b>", code("a\n<b>"), title='"') == (
        '<td title="&quot;">&lt;b&gt;<code class="lk-code">a<br>&lt;b&gt;</code></td>\n'
    )
