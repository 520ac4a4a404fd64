"""Events are counters that have grown between two samples."""

from __future__ import annotations

import doctest

import pytest

from labkit.cgroups import samples
from labkit.cgroups.samples import KINDS, Event, Sample, events
from labkit.cgroups.usage import Usage

QUIET = Usage(
    periods=5, periods_throttled=2, events={"high": 3, "max": 1, "oom_kill": 0}, refused=1, frozen=False,
    waited={"cpu": 1.0, "memory": 1.0, "io": 1.0},
)  # fmt: skip


def between(before: Usage, after: Usage, seconds: float = 0.1) -> list[tuple[str, int]]:
    return [(event.kind, event.count) for event in events(Sample(50.0, before), Sample(50.0 + seconds, after))]


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (Usage(periods_throttled=4), [("throttled", 2)]),
        (Usage(events={"high": 4, "max": 3, "oom_kill": 1}), [("high", 1), ("max", 2), ("oom", 1)]),
        (Usage(refused=8), [("refused", 7)]),
        (Usage(frozen=True), [("frozen", 1)]),
        (Usage(waited={"memory": 1.06, "cpu": 1.0, "io": 1.0}), [("pressure", 1)]),
        (Usage(waited={"memory": 1.04, "cpu": 9.0, "io": 9.0}), []),
        (QUIET, []),
    ],
)
def test_what_has_grown_has_happened(after: Usage, told: list[tuple[str, int]]) -> None:
    assert between(QUIET, after) == told


def test_who_is_thawed_goes_on() -> None:
    assert between(Usage(frozen=True), Usage(frozen=False)) == [("thawed", 1)]


def test_counters_that_come_and_go_are_no_events() -> None:
    assert between(QUIET, Usage()) == []
    assert between(Usage(), Usage(frozen=True, periods_throttled=0, events={"oom_kill": 0}, refused=0)) == []


def test_samples_of_the_same_moment_say_nothing_about_time() -> None:
    assert between(QUIET, Usage(waited={"memory": 1.0}), seconds=0.0) == []


def test_an_event_reads_as_a_sentence() -> None:
    assert str(Event("oom", 1.0, victim="tail", pid=711)) == "oom: tail (pid 711)"
    assert str(Event("refused", 1.0, 3)) == "refused 3 times"
    assert {event.kind for event in events(Sample(0, Usage()), Sample(1, QUIET))} <= KINDS.keys()


def test_the_example_in_the_source_is_true() -> None:
    assert doctest.testmod(samples, raise_on_error=True).attempted
