"""Every rich output where it is not trusted: scripts, styles and drawings are dropped, and the text still reads well.

What such viewers do is done here by `Untrusted`, with the tags that JupyterLab 4.6 lets pass (`Sanitizer` in its
apputils); `tests/browser/test_reload.py` opens a notebook that JupyterLab itself does not trust.
"""

from __future__ import annotations

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import labkit
from labkit import learn
from labkit.cgroups.limits import Limits
from labkit.doctor import Finding, Report, picture
from labkit.doctor.notice import Notice
from labkit.errors import StepError
from labkit.learn.gating import Asked, attach
from labkit.learn.standing import Part, Standing
from labkit.namespaces.names import SetHostname
from labkit.namespaces.spawn import Spawn
from labkit.steps import display
from labkit.steps.plan import Plan
from labkit.view import install, page, pictures, player, theme
from labkit.view.panel import Panel

DROPPED_WHOLE = {"script", "style", "textarea", "option"}


class Untrusted(HTMLParser):
    """The text that is left of a page without any tag; `glued` has words that stand together and do not belong so."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.glued = "", []
        self._dropped = 0
        self._tags = False  # since the last letter
        self.feed(page)

    def handle_starttag(self, name, attributes):
        self._tags = True
        self._dropped += name in DROPPED_WHOLE
        if name == "br" and not self._dropped:
            self.text += "\n"

    def handle_endtag(self, name):
        self._tags = True
        self._dropped -= name in DROPPED_WHOLE

    def handle_data(self, data):
        if self._dropped or not data:
            return
        pair = self.text[-1:] + data[:1]
        if self._tags and re.fullmatch(r"[\w.:)%][\w(]", pair):
            self.glued.append(self.text[-20:] + "|" + data[:20])
        self.text += data
        self._tags = False


@pytest.fixture
def shown(lab):
    """An example of everything that has a rich form."""
    install()
    picture.install()
    lesson = learn.lesson("nb03")
    asked = lab.walk(Plan.of("a name", ("shared", [Spawn(child="radio"), SetHostname(who="radio", name="radio")])))
    gate = attach(lab.walk(lab.plans.container("busybox", hostname="c1")), learn.lesson("nb02").predictions)
    walk = lab.walk(lab.plans.container("busybox", hostname="c1", limits=Limits(pids=20))).goto(9)
    standing = Standing("nb03", (Part("predict", 0, 4), Part("fault", 0, 1)))
    finding = Finding(about="images", says="none", likely="not built", remedy="labkit image build x")
    drawn = [getattr(pictures, name)(walk) for name in pictures.PROBES]
    quiz = lesson.quiz.sit(lab)
    failing = lab.walk(Plan.of("too long", ("named", [Spawn(child="c2"), SetHostname(who="c2", name="x" * 65)])))
    with pytest.raises(StepError):
        failing.run()
    box = lab.run("busybox", ["sleep", "100"], name="box", detach=True, limits=Limits(memory="32M"))
    panel = Panel(box)
    values = [
        asked, walk, failing, walk.plan, walk.last, failing.trace, walk.trace, walk.last.diff, *walk.last.diff,
        *walk.last.calls, *walk.steps, *drawn, pictures.call_strip(walk.trace),
        pictures.delay_strip({"late": (0.001, 0.09, 3.0)}), lab.snapshot("uts", "mounts", "caps"), *lab.facts("uts"),
        quiz, lesson.check("studio").pose(lab), lesson.faults[0].plant(lab), learn.progress.table(),
        *theme.THEMES.values(), box.rosetta(), Report((("the notebook", (finding,)),)), Notice("nb03", (finding,)),
        player.of(walk), panel, panel.figure(), standing, Asked(gate, gate.predictions[0]),
    ]  # fmt: skip
    yield values
    panel.end()


def bundle(value):
    """What a cell would show of it."""
    if isinstance(value, Panel):
        return value.static(last=True)
    found = value._repr_mimebundle_()
    return found[0] if isinstance(found, tuple) else found


def test_the_text_is_there_and_nothing_is_glued(shown):
    for value in shown:
        made = bundle(value)
        if "text/html" not in made:
            continue
        seen = Untrusted(made["text/html"])
        assert not seen.glued, (value, seen.glued)
        words = made["text/plain"].split()
        there = [word for word in words if word.strip("│├└─ :*,;()") in seen.text]
        assert 2 * len(there) > len(words), (value, seen.text)  # a table may count in other words
        if isinstance(value, pictures.Picture):
            assert value.text in seen.text and seen.text.count(value.title) == 1


def test_what_is_left_of_a_terminal():
    seen = Untrusted(page.terminal("web", "nsenter --all", "/ # ps\nPID   USER"))
    assert not seen.glued
    assert "Terminal in web" in seen.text and "/ # ps\nPID   USER" in seen.text and "shell: nsenter --all" in seen.text


def test_these_are_all(shown):
    kinds = {kind for value in shown for kind in type(value).__mro__}
    assert display._renderers.keys() <= kinds
    own = set()
    for file in Path(labkit.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                methods = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
                own |= {node.name} if methods & {"_repr_mimebundle_", "_ipython_display_", "static"} else set()
    assert own - {"Saved"} <= {kind.__name__ for kind in kinds} | {"Card", "Shell"}
