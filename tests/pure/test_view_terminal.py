"""The flow between a terminal and a browser, and xterm.js made one piece: without a lab or a browser."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import time
import tty

import pytest

from labkit.view import flow, xterm

MAIN = """\
exports.word = require("./lib/words").word + require('./lib/words.js').word;
//# sourceMappingURL=main.js.map
"""
WORDS = 'exports.word = "x" + require("../main").late;'


class Browser:
    """What the flow calls; it draws only when it is told to."""

    def __init__(self):
        self.pieces, self.ended = queue.Queue(), queue.Queue()
        self.leader, self.follower = os.openpty()
        tty.setraw(self.follower)
        out = lambda data, total: self.pieces.put((data, total))  # noqa: E731
        self.flow = flow.Flow(self.leader, out=out, end=lambda: self.ended.put(True))
        self.flow.start()

    def close(self):
        """Both ends."""
        self.flow.stop()
        if self.follower >= 0:
            os.close(self.follower)


@pytest.fixture
def browser():
    """A flow on a pseudo terminal of this machine."""
    made = Browser()
    yield made
    made.close()


def test_what_is_written_comes_with_the_number_of_bytes_so_far(browser):
    os.write(browser.follower, b"hello")
    assert browser.pieces.get(timeout=5) == (b"hello", 5)
    os.write(browser.follower, b" world")
    assert browser.pieces.get(timeout=5) == (b" world", 11)


def test_what_is_typed_arrives_however_much_it_is(browser):
    browser.flow.write(b"x" * 100_000)
    read = 0
    while read < 100_000:
        read += len(os.read(browser.follower, 100_000))
    assert read == 100_000


def test_a_flood_waits_for_the_browser_to_draw(browser):
    os.set_blocking(browser.follower, False)
    written, end = 0, time.monotonic() + 5
    while browser.flow._read < flow.WINDOW and time.monotonic() < end:
        try:
            written += os.write(browser.follower, b"y" * 4096)
        except BlockingIOError:
            time.sleep(0.01)
    time.sleep(5 * flow.PAUSE)
    assert flow.WINDOW <= browser.flow._read < flow.WINDOW + flow.CHUNK
    browser.flow.drawn(flow.WINDOW)
    total = 0
    while total < written:
        data, total = browser.pieces.get(timeout=5)
        assert set(data) == {ord("y")}
        browser.flow.drawn(total)


def test_a_late_view_is_given_the_last_whole_lines(browser):
    text = b"".join(b"%06d\n" % n for n in range(2 * flow.KEPT // 7))
    end = time.monotonic() + 10
    while text and time.monotonic() < end:
        text = text[os.write(browser.follower, text[:4096]) :]
        browser.flow.drawn(browser.flow._read)
    time.sleep(5 * flow.PAUSE)
    data, total = browser.flow.again()
    assert total == 2 * flow.KEPT // 7 * 7
    assert flow.KEPT - 7 <= len(data) <= flow.KEPT
    assert data.endswith(b"%06d\n" % (2 * flow.KEPT // 7 - 1))
    assert len(data) % 7 == 0


def test_the_end_of_the_other_side_is_told_once_and_the_descriptor_closed(browser):
    os.close(browser.follower)
    browser.follower = -1
    assert browser.ended.get(timeout=5)
    browser.flow.join(5)
    browser.flow.write(b"nobody")
    browser.flow.stop()
    assert browser.ended.empty()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(browser.leader)


@pytest.fixture
def package(tmp_path):
    """A package of two modules that need each other, as Node.js permits."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "package.json").write_text('{"main": "main.js"}')
    (tmp_path / "main.js").write_text(MAIN)
    (tmp_path / "lib/words.js").write_text(WORDS)
    (tmp_path / "lib/xterm.css").write_text("a{}")
    return tmp_path


def test_modules_become_functions_in_one_list(package):
    text = xterm.module(package)
    assert xterm.installed(package)
    assert xterm.css(package) == "a{}"
    assert text.count("function (module, exports, require) {") == 2
    assert text.count("require(1).word") == 2
    assert "require(0).late" in text
    assert "sourceMappingURL" not in text


@pytest.mark.skipif(not shutil.which("node"), reason="there is no Node.js here to read it")
def test_the_one_piece_does_what_the_modules_did(package):
    script = f"{xterm.module(package)}console.log(xterm.word);"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    assert done.stdout == "xundefinedxundefined\n"


def test_without_the_package_nothing_is_promised(tmp_path):
    assert not xterm.installed(tmp_path)
    assert xterm.css(tmp_path) == ""
