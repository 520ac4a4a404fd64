"""What a watch keeps, and the thread that feeds it: by a clock of the test's own, without any kernel."""

from __future__ import annotations

import doctest
import gc
import socket
import threading
import time
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest

from labkit.cgroups.samples import Event, Sample
from labkit.cgroups.usage import Usage
from labkit.container import stream as stream_module
from labkit.container.sampler import Sampler
from labkit.container.stream import SPAN, Stream

PATIENCE = 20.0


class Busy:
    """A container that computes: each sample differs from the one before in all that grows."""

    def __init__(self, end: int = 0) -> None:
        self.looks, self.end, self.closed = 0, end, 0
        self.alarm = -1

    def look(self, at: float) -> Sequence[Any]:
        self.looks += 1
        if self.looks == self.end:
            return [Event("ended", at)]
        files = {"cpu.stat": f"usage_usec {self.looks}", "memory.current": f"{4096 * self.looks}"}
        return [Sample(at, Usage.parse(files)), Event("throttled", at)]

    def news(self, at: float) -> Sequence[Any]:
        raise AssertionError("it announces nothing")

    def close(self) -> None:
        self.closed += 1


class Unthreaded(Sampler):
    """A sampler that is driven by the test."""

    def _run(self) -> None:
        return

    def hours(self, hours: float, hz: float, start: float) -> float:
        """Let so much time pass, woken as often as the fastest watch wants; what time it is then."""
        for turn in range(round(hours * 3600 * hz)):
            self.tick(start + turn / hz + 1e-4)
        return start + hours * 3600


def watched(sampler: Sampler, source: Any, hz: float = 10) -> Stream[Sample]:
    stream: Stream[Sample] = Stream("web", hz)
    sampler.add(stream, source)
    return stream


def test_an_hour_leaves_ten_minutes_and_no_more_memory_than_these() -> None:
    sampler, source = Unthreaded(), Busy()
    stream = watched(sampler, source)
    now = sampler.hours(SPAN / 3600, 10, time.monotonic())
    tracemalloc.start()
    try:
        now = sampler.hours(0.25, 10, now)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        sampler.hours(0.6, 10, now)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(stream.samples) == len(stream.events) == 10 * SPAN
    assert source.looks >= 10 * 3600
    assert stream.dropped == 0
    assert grown < before / 20, f"{grown} bytes more after 36 minutes, of {before}"


def test_a_hundred_containers_each_get_their_samples() -> None:
    sampler = Unthreaded()
    sources = [Busy() for _ in range(100)]
    streams = [watched(sampler, source) for source in sources]
    sampler.hours(10 / 3600, 10, time.monotonic() + 1)
    assert {len(stream.samples) for stream in streams} == {100}
    assert {stream.samples[-1].usage.cpu for stream in streams} == {Usage.parse({"cpu.stat": "usage_usec 100"}).cpu}


def test_what_comes_too_late_is_left_out_and_counted() -> None:
    sampler, source = Unthreaded(), Busy()
    stream = watched(sampler, source)
    now = int(time.monotonic()) + 2.05  # within a turn, of which there are ten in a second
    sampler.tick(now)
    sampler.tick(now + 1.0)
    sampler.tick(now + 1.01)
    assert source.looks == 2
    assert stream.dropped >= 9
    before = stream.dropped
    sampler.tick(now + 1.11)
    assert (source.looks, stream.dropped) == (3, before)


def test_each_watch_has_its_own_pace() -> None:
    sampler = Unthreaded()
    slow, fast = watched(sampler, Busy(), hz=0.5), watched(sampler, Busy(), hz=20)
    sampler.hours(20 / 3600, 20, time.monotonic() + 2)
    assert 9 <= len(slow.samples) <= 11
    assert len(fast.samples) == 400
    assert slow.dropped <= 1, "its first turn was two seconds ago"


def test_who_asks_again_gets_what_is_new() -> None:
    stream: Stream[str] = Stream("web", 1 / 100)
    assert stream.since(0) == (0, ())
    assert (stream.latest, stream.samples, stream.events) == (None, (), ())
    stream.put(["a", Event("high", 1.0)])
    number, new = stream.since(0)
    assert new == ("a", Event("high", 1.0))
    assert stream.since(number) == (number, ())
    for letter in "bcdefghi":
        stream.put([letter])
    later, new = stream.since(number)
    assert new == tuple("defghi"), "there is room for six: what has been dropped is passed over"
    assert later == number + 8
    assert (stream.latest, stream.samples, stream.events) == ("i", tuple("defghi"), ())


def test_an_event_without_a_sample_leaves_the_latest_sample_the_latest() -> None:
    stream: Stream[str] = Stream("web", 1)
    stream.put(["a"])
    stream.put([Event("ended", 2.0)])
    assert stream.latest == "a"
    assert stream.closed
    stream.put(["b"])
    assert stream.samples == ("a",), "after its end nothing comes"


def test_reading_goes_on_until_the_end_and_also_from_another_thread() -> None:
    stream: Stream[str] = Stream("web", 10)
    heard: list[str | Event] = []
    reader = threading.Thread(target=lambda: heard.extend(stream), daemon=True)
    reader.start()
    stream.put(["a"])
    stream.put(["b", Event("ended", 3.0)])
    reader.join(PATIENCE)
    assert heard == ["a", "b", Event("ended", 3.0)] == list(stream)


def test_a_watch_that_is_closed_is_over_for_who_waits() -> None:
    sampler, source = Unthreaded(), Busy()
    with watched(sampler, source) as stream:
        sampler.tick(time.monotonic() + 1)
    assert [type(each) for each in stream] == [Sample, Event]
    assert not any(event.kind == "ended" for event in stream.events)
    sampler.tick(time.monotonic() + 2)
    assert (source.looks, source.closed) == (1, 1)


def test_a_watch_that_nobody_holds_is_let_go() -> None:
    sampler, source = Unthreaded(), Busy()
    stream = watched(sampler, source)
    sampler.tick(time.monotonic() + 1)
    del stream
    gc.collect()
    sampler.tick(time.monotonic() + 2)
    assert (source.looks, source.closed) == (1, 1)


def test_what_ends_is_looked_at_no_more() -> None:
    sampler, source = Unthreaded(), Busy(end=3)
    stream = watched(sampler, source)
    sampler.hours(1 / 3600, 10, time.monotonic() + 1)
    assert (source.looks, source.closed) == (3, 1)
    assert str(stream) == "watch of web: over"
    assert stream.events[-1].kind == "ended"


def test_what_goes_wrong_is_told_to_who_reads_and_the_others_go_on() -> None:
    class Broken(Busy):
        def look(self, at: float) -> Sequence[Any]:
            raise OSError(5, "Input/output error")

    sampler, source = Unthreaded(), Broken()
    broken, whole = watched(sampler, source), watched(sampler, Busy())
    sampler.hours(1 / 3600, 10, time.monotonic() + 1)
    assert len(whole.samples) == 10
    assert source.closed == 1
    with pytest.raises(OSError, match="Input/output error"):
        list(broken)
    assert str(broken) == "watch of web: ended by OSError: [Errno 5] Input/output error"


def test_the_thread_comes_with_the_first_watch_and_goes_with_the_last() -> None:
    sampler, source = Sampler(), Busy()
    stream = watched(sampler, source, hz=50)
    heard = iter(stream)
    assert isinstance(next(heard), Sample)
    assert "labkit sampler" in [thread.name for thread in threading.enumerate()]
    stream.close()
    wait_for_no_thread()
    assert source.closed == 1
    again = watched(sampler, Busy(), hz=50)
    assert isinstance(next(iter(again)), Sample)
    sampler.end()
    wait_for_no_thread()
    assert again.events[-1].kind == "ended"
    sampler.end()


def test_an_alarm_is_heard_long_before_the_next_sample_is_due() -> None:
    """Urgent data is what a test can make poll(2) report POLLPRI for. The next sample is due in up to 100 s."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ringing:
        heard, _ = server.accept()

        class Ringing(Busy):
            def news(self, at: float) -> Sequence[Any]:
                heard.recv(1, socket.MSG_OOB)
                return [Event("frozen", at)]

        source, sampler = Ringing(), Sampler()
        source.alarm = heard.fileno()
        stream = watched(sampler, source, hz=0.01)
        looks = source.looks
        reader = threading.Thread(target=lambda: next(each for each in stream if str(each) == "frozen"), daemon=True)
        reader.start()
        ringing.send(b"!", socket.MSG_OOB)
        reader.join(PATIENCE)
        assert [str(event) for event in stream.events if event.kind != "throttled"] == ["frozen"]
        assert source.looks - looks <= 1 and stream.dropped == 0
        sampler.end()
        wait_for_no_thread()
        heard.close()


def test_a_slow_watch_does_not_keep_a_new_one_waiting() -> None:
    sampler = Sampler()
    slow = watched(sampler, Busy(), hz=0.01)
    fast = watched(sampler, Busy(), hz=50)
    for number, _ in enumerate(fast):
        if number > 10:
            break
    assert len(slow.samples) <= 2
    sampler.end()


def test_a_cell_that_computes_leaves_no_gap() -> None:
    """The thread shares the interpreter with a main thread that never waits: it still gets its turns."""
    sampler = Sampler()
    stream = watched(sampler, Busy())
    deadline = time.monotonic() + PATIENCE
    while len(stream.samples) < 10 and time.monotonic() < deadline:
        sum(number * number for number in range(10_000))
    assert len(stream.samples) >= 10
    sampler.end()


def test_the_example_in_the_source_is_true() -> None:
    assert doctest.testmod(stream_module, raise_on_error=True).attempted


def wait_for_no_thread() -> None:
    deadline = time.monotonic() + PATIENCE
    while any(thread.name == "labkit sampler" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the sampler's thread has not gone"
        time.sleep(0.01)
