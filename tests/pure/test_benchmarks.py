"""The arithmetic of the benchmarks, and the program that is written from a plan. No figure is judged here."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as bench
from benchmarks.many import flat
from benchmarks.measure import Timing, in_a_row, in_turns
from benchmarks.peers import last_line
from benchmarks.report import Goal, Part, number, table, timings
from benchmarks.same_calls import program
from benchmarks.starts import goal, own_calls
from benchmarks.watching import row
from labkit.container.spec import Spec, plan


def test_the_middle_the_best_and_the_one_that_nineteen_in_twenty_stay_under() -> None:
    timing = Timing(tuple(float(n) for n in range(100, 0, -1)))
    assert (timing.median, timing.best, timing.p95) == (50.5, 1.0, 95.0)


def test_flat_is_the_last_tenth_over_the_first_and_the_middle_series_counts() -> None:
    steep, level = Timing((1.0,) * 10 + (1.5,) * 80 + (2.0,) * 10), Timing((3.0,) * 100)
    assert steep.flatness == 2.0 and level.flatness == 1.0
    assert flat("work", [steep, level, level]).figure == 1.0


def test_taking_turns_each_round_runs_each_work_once_and_warming_up_does_not_count() -> None:
    taken: list[str] = []
    works = {name: lambda name=name: taken.append(name) or float(len(taken)) for name in "abc"}  # type: ignore[misc]
    measured = in_turns(works, rounds=4, warm_up=2, pause=0)
    assert [sorted(taken[n : n + 3]) for n in range(0, 18, 3)] == [["a", "b", "c"]] * 6
    assert len({tuple(taken[n : n + 3]) for n in range(0, 18, 3)}) > 1
    assert all(len(timing.seconds) == 4 and min(timing.seconds) > 6 for timing in measured.values())


def test_in_a_row_keeps_the_order() -> None:
    numbers = iter([3.0, 1.0, 2.0])
    assert in_a_row(lambda: next(numbers), 3).seconds == (3.0, 1.0, 2.0)


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0712, "0.071"), (1.018, "1.02"), (35.44, "35.4"), (174.2, "174"), (5210, "5210")]
)
def test_three_digits_that_count(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_goal_says_whether_it_is_reached_and_by_how_much_it_is_missed() -> None:
    assert Goal("w", 1.2, "×", 1.2).row()[3] == "yes"
    assert Goal("w", 100, "ms", 150, "p95 200").row() == ("w", "≤ 100 ms", "150 ms (p95 200)", "no, 50% over")
    assert Goal("w", 100, "ms", None, "runc not installed").row()[2:] == (
        "not measured: runc not installed",
        "unknown",
    )


def test_a_start_is_compared_by_medians_and_a_peer_that_is_missing_is_named() -> None:
    measured = {"labkit": Timing((3.0, 1.0, 2.0)), "floor": Timing((4.0,)), "same calls in C": Timing((1.6,))}
    assert goal("floor", measured, "").figure == 0.5
    assert goal("runc", measured, "not installed").row()[2:] == ("not measured: runc not installed", "unknown")
    assert own_calls(measured)[-1].endswith("1.25")
    assert own_calls({"labkit": Timing((1.0,))}) == []


def test_columns_line_up_and_ratios_stand_beside_the_times() -> None:
    lines = table(("a", "bb"), [("ccc", "d")])
    assert lines == ["| a   | bb |", "| --- | -- |", "| ccc | d  |"]
    shown = timings({"x": Timing((0.002,)), "y": Timing((0.001,))}, against="y")
    assert shown[0].endswith("| × y  |") and shown[2].endswith("| 2.00 |")


def test_the_last_words_of_a_peer_are_its_reason() -> None:
    assert last_line("usage: x\n  no such thing \n\n") == "no such thing"
    assert last_line("") == ""


def test_a_part_that_cannot_be_measured_does_not_take_the_others_along(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(scratch: Path, rounds: int) -> Part:
        raise ValueError("no clock")

    def works(scratch: Path, rounds: int) -> Part:
        return Part("works", [f"{rounds} rounds"], [Goal("good work", 2, "ms", 1.0)])

    monkeypatch.setitem(sys.modules, "parts_of_this_test", SimpleNamespace(fails=fails, works=works))
    monkeypatch.setattr(bench, "PARTS", {name: f"parts_of_this_test:{name}" for name in ("fails", "works")})
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("sys.argv", ["bench", "fails", "works"])
    assert bench.main() == 1
    printed = capsys.readouterr().out
    assert "could not be measured: ValueError: no clock" in printed
    assert re.search(r"good work +\| ≤ 2 ms +\| 1\.00 ms +\| yes", printed)


class TestThePlanAsAProgram:
    """What stands in the C text that is written from a plan."""

    spec = Spec(name="c1", image="busybox", argv=("echo", 'a "b"\\?\n'))
    parts = plan(spec).parts()
    text = program(parts, cgroup=spec.cgroup_path, directory=spec.directory)

    def test_it_has_every_call_of_the_plan_in_its_order(self) -> None:
        child, parent = self.text.partition("int main(void)")[::2]
        made = re.findall(r"CALL\(\d+, .*\); /\* (\w+) \*/", child), re.findall(r"; /\* (\w+) \*/", parent)
        assert made == tuple([intent.name for intent in part.intents] for part in reversed(self.parts))

    def test_what_an_earlier_call_returned_is_referred_to(self) -> None:
        assert re.search(r"\.cgroup = r\[1\]\}\), sizeof\(struct clone_args\)\); /\* clone3 \*/", self.text)

    def test_strings_are_spelt_so_that_c_reads_the_same_bytes(self) -> None:
        assert r'(char *[]){"echo", "a \042b\042\134\077\012", 0}' in self.text

    def test_errors_that_do_not_matter_are_passed_over(self) -> None:
        assert re.search(r'BUT\(2, 20, 13, 0\), \d+, "/usr/bin/echo"', self.text)

    def test_it_clears_what_the_zygote_clears(self) -> None:
        layer = [f"/run/lab/c1{below}" for below in ("/upper", "/work/work", "/work", "/root", "")]
        assert re.findall(r'rmdir\("([^"]+)"\)', self.text) == ["/sys/fs/cgroup/c1", *layer]


def test_a_share_of_a_core_is_told_by_the_sample_too() -> None:
    assert row("labkit", 0.0125, 10) == ("labkit", "1.25", "10.0", "125")
