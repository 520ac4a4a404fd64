"""A container's counters as a source of samples and events, from files of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mount_tables import ROOT

from labkit.cgroups.samples import Event, Sample
from labkit.container.watching import Counters
from labkit.errors import AgentError

ALIVE = {"cgroup.events": "populated 1\nfrozen 0\n", "cpu.stat": "usage_usec 1000\n", "cgroup.controllers": "cpu\n"}


class Cgroup:
    """A /proc in which process 42 is in a cgroup h1/web, the directory of that, and what else the source asks."""

    def __init__(self, directory: Path) -> None:
        self.proc, tree = directory / "proc", directory / "tree"
        self.directory = tree / "labkit-lab-1-99/h1/web"
        self.directory.mkdir(parents=True)
        for name in ("self", "42"):
            (self.proc / name).mkdir(parents=True)
        (self.proc / "self/mountinfo").write_text(f"{ROOT}30 1 0:26 / {tree} rw - cgroup2 cgroup2 rw\n")
        self.kills: list[list[Any]] = []
        self.asked = 0
        self.lives("S", "0::/labkit-lab-1-99/h1/web\n")
        self.say(**ALIVE)

    def lives(self, state: str, lines: str) -> None:
        (self.proc / "42/stat").write_text(f"42 (sh) {state} " + "0 " * 50)
        (self.proc / "42/cgroup").write_text(lines)

    def say(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.directory / name).write_text(text)

    def killed(self) -> dict[str, Any]:
        self.asked += 1
        return {"last": 0, "kills": self.kills}


@pytest.fixture
def cgroup(tmp_path: Path) -> Cgroup:
    return Cgroup(tmp_path)


def source(cgroup: Cgroup, told: int = 0) -> Counters:
    return Counters(42, cgroup.killed, told, str(cgroup.proc))


def events(moment: list[Sample | Event]) -> list[Event]:
    return [each for each in moment if isinstance(each, Event)]


def test_a_sample_and_what_happened_since_the_one_before(cgroup: Cgroup) -> None:
    cgroup.say(**{"pids.events": "max 1\n"})
    counters = source(cgroup)
    first = counters.look(1.0)
    cgroup.say(**{"pids.events": "max 3\n", "cpu.stat": "usage_usec 2000\n"})
    second = counters.look(1.1)
    assert isinstance(first[0], Sample) and isinstance(second[0], Sample)
    assert (first[0].usage.cpu, second[0].usage.cpu) == (0.001, 0.002)
    assert (events(first), events(second)) == ([], [Event("refused", 1.1, 2)])
    counters.close()
    counters.close()


def test_of_who_sleeps_one_usage_is_kept_for_all_samples(cgroup: Cgroup) -> None:
    counters = source(cgroup)
    [first], [second] = counters.look(1.0), counters.look(1.1)
    assert isinstance(first, Sample) and isinstance(second, Sample)
    assert first.usage is second.usage and (first.at, second.at) == (1.0, 1.1)
    counters.close()


def test_who_was_killed_is_asked_only_when_somebody_was(cgroup: Cgroup) -> None:
    cgroup.say(**{"memory.events": "oom_kill 0\n"})
    cgroup.kills = [[5, "h1/web", "old", 1]]
    counters = source(cgroup, told=5)
    counters.look(1.0)
    assert cgroup.asked == 0
    cgroup.say(**{"memory.events": "oom_kill 2\n"})
    cgroup.kills += [[6, "h1/web", "tail", 711], [7, "h1/webs", "not", 2], [8, "h1/web/inner", "sh", 712]]
    assert events(counters.look(1.1)) == [
        Event("oom", 1.1, victim="tail", pid=711),
        Event("oom", 1.1, victim="sh", pid=712),
    ]
    assert events(counters.look(1.2)) == []
    assert cgroup.asked == 1
    counters.close()


def test_of_whom_the_log_says_nothing_it_is_only_known_how_many(cgroup: Cgroup) -> None:
    cgroup.say(**{"memory.events": "oom_kill 0\n"})
    counters = source(cgroup)
    counters.look(1.0)
    cgroup.say(**{"memory.events": "oom_kill 3\n"})
    cgroup.kills = [[6, "h1/web", "tail", 711]]
    assert events(counters.look(1.1)) == [Event("oom", 1.1, victim="tail", pid=711), Event("oom", 1.1, 2)]
    counters.close()


def test_a_log_that_is_ahead_of_the_counter_is_told_with_the_next_sample(cgroup: Cgroup) -> None:
    cgroup.say(**{"memory.events": "oom_kill 0\n"})
    counters = source(cgroup)
    counters.look(1.0)
    cgroup.kills = [[6, "h1/web", "first", 1], [7, "h1/web", "second", 2]]
    cgroup.say(**{"memory.events": "oom_kill 1\n"})
    assert [event.victim for event in events(counters.look(1.1))] == ["first"]
    cgroup.say(**{"memory.events": "oom_kill 2\n"})
    assert [event.victim for event in events(counters.look(1.2))] == ["second"]
    counters.close()


def test_the_last_one_killed_takes_the_counter_along_and_the_log_still_tells(cgroup: Cgroup) -> None:
    counters = source(cgroup)
    counters.look(1.0)
    cgroup.kills = [[6, "h1/web", "tail", 711]]
    cgroup.say(**{"cgroup.events": "populated 0\nfrozen 0\n"})
    assert events(counters.look(1.1)) == [Event("oom", 1.1, victim="tail", pid=711), Event("ended", 1.1)]
    counters.close()


def test_what_the_kernel_announces_is_told_at_once_without_a_sample_and_only_once(cgroup: Cgroup) -> None:
    counters = source(cgroup)
    counters.look(1.0)
    assert counters.alarm >= 0 and counters.news(1.01) == [], "the file says what it said"
    cgroup.say(**{"cgroup.events": "populated 1\nfrozen 1\n"})
    assert counters.news(1.02) == [Event("frozen", 1.02)]
    assert events(counters.look(1.1)) == []
    cgroup.say(**{"cgroup.events": "populated 1\nfrozen 0\n"})
    assert counters.news(1.11) == [Event("thawed", 1.11)]
    cgroup.say(**{"cgroup.events": "populated 1\nfrozen 1\n"})
    assert events(counters.look(1.2)) == [Event("frozen", 1.2)], "a sample that comes first tells it"
    assert counters.news(1.21) == []
    cgroup.say(**{"cgroup.events": "populated 0\nfrozen 1\n"})
    assert events(counters.news(1.22)) == [Event("ended", 1.22)]
    counters.close()


def test_what_happens_before_the_first_sample_is_news(cgroup: Cgroup) -> None:
    cgroup.say(**{"pids.events": "max 3\n"})
    counters = source(cgroup)
    cgroup.say(**{"pids.events": "max 5\n"})
    assert events(counters.look(1.0)) == [Event("refused", 1.0, 2)]
    counters.close()


def test_a_lab_that_is_going_tells_no_names(cgroup: Cgroup) -> None:
    def dead() -> dict[str, Any]:
        raise AgentError("the lab's supervisor has died")

    cgroup.say(**{"memory.events": "oom_kill 0\n"})
    counters = Counters(42, dead, 0, str(cgroup.proc))
    counters.look(1.0)
    cgroup.say(**{"memory.events": "oom_kill 1\n"})
    assert events(counters.look(1.1)) == [Event("oom", 1.1)]
    counters.close()


def test_who_moves_or_is_given_a_controller_is_found_again(cgroup: Cgroup) -> None:
    counters = source(cgroup)
    counters.look(10.0)
    cgroup.say(**{"pids.current": "7\n", "cgroup.controllers": "cpu pids\n"})
    assert _processes(counters.look(10.5)) is None, "one glance a second"
    counters.look(11.0)
    assert _processes(counters.look(11.1)) == 7
    cgroup.say(**{"memory.current": "4096\n"})
    cgroup.lives("S", "4:memory:/elsewhere\n0::/labkit-lab-1-99/h1/web\n")
    counters.look(12.0)
    moment = counters.look(12.1)
    assert isinstance(moment[0], Sample) and moment[0].usage.memory == 4096
    counters.close()


def test_the_dead_are_not_looked_for_elsewhere(cgroup: Cgroup) -> None:
    """Who has ended, and was not waited for, is at the root of each tree of version 1: what is counted there is not
    the container's."""
    counters = source(cgroup)
    cgroup.lives("Z", "4:memory:/\n0::/labkit-lab-1-99/h1/web\n")
    cgroup.say(**{"memory.current": "4096\n"})
    for at in (10.0, 11.0):
        moment = counters.look(at)
        assert isinstance(moment[0], Sample) and moment[0].usage.memory is None
    (cgroup.proc / "42/stat").unlink()
    assert events(counters.look(12.0)) == []
    counters.close()


def test_who_has_ended_already_has_no_counters(cgroup: Cgroup) -> None:
    for name in ("cgroup", "stat"):
        (cgroup.proc / "42" / name).unlink()
    with pytest.raises(ProcessLookupError):
        source(cgroup)


def _processes(moment: list[Sample | Event]) -> int | None:
    assert isinstance(moment[0], Sample)
    return moment[0].usage.processes
