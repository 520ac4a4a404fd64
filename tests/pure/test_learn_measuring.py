"""What is made of measured numbers, and how delays are drawn. Without a lab."""

from __future__ import annotations

import doctest
from collections.abc import Callable, Sequence

import pytest

from labkit.learn import measured
from labkit.learn.measured import TOO_BUSY, Delays, Measured, about, compare, decide, times
from labkit.linux.machine import disk
from labkit.view.pictures import delay_strip


@pytest.mark.parametrize(
    ("number", "within", "said"),
    [(3.0, 0.1, "3 (within 10%)"), (3.29, 0.1, "3 (within 10%)"), (3.4, 0.1, "3.40"), (2.6, 0.15, "3 (within 15%)")],
)
def test_a_number_is_told_as_wanted_only_where_it_is_that(number: float, within: float, said: str) -> None:
    assert about(number, 3, within) == said


def test_a_tail_is_what_one_of_twenty_exceeds() -> None:
    punctual, late = Delays((0.001,) * 100), Delays((0.001,) * 90 + (0.1,) * 10)
    assert (punctual.quickest, punctual.tail) == (0.001, 0.001)
    assert (late.quickest, late.tail) == (0.001, 0.1)
    assert str(late) == "100 pieces of work, and how long each took"


def test_what_is_written_about_a_claim_is_so() -> None:
    assert doctest.testmod(measured) == (0, 3)


def asked(*numbers: float) -> Callable[[], float]:
    """Gives one after the other, and the last one for ever."""
    left = list(numbers)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize(
    ("answers", "decided"),
    [
        ((2.0, 2.0), True),
        ((0.5, 0.5), False),
        ((0.5, 2.0, 2.0, 2.0), True),  # one disturbance does not decide it
        ((2.0, 0.5, 0.5, 0.5), False),
        ((1.1,), True),  # near the bound, and each time the same
        ((0.9,), False),
        ((2.0, 0.5, 2.0, 0.5, 2.0, 0.5, 2.0), None),  # whatever one asks, it is another one
        ((1.2, 1.0, 0.85), None),
        ((0.0,), False),
    ],
)
def test_a_claim_is_measured_until_it_is_decided(answers: Sequence[float], decided: bool | None) -> None:
    found = decide("it is so", asked(*answers), more_than=1)
    assert found.decided is decided
    assert str(found).startswith("it is so: " + ({True: "True", False: "False", None: TOO_BUSY}[decided]))


def test_one_answer_is_enough_where_nothing_can_push_it_over_the_bound() -> None:
    assert decide("so", asked(0.5, 3.0, 0.1), more_than=1, lead=1, rounds=2).decided is False
    assert decide("so", asked(1.0, 3.0, 0.1), more_than=1, lead=1) == Measured(2.0, "times", "so", True)


def test_too_little_cpu_time_is_not_divided() -> None:
    assert times(3.1, 1.0) == "3"
    assert TOO_BUSY in times(0.03, 0.01)


FREE, HELD, NOISY = (0.004,) * 40, (0.004,) * 32 + (0.084,) * 8, (0.004,) * 30 + (0.05,) * 10


def in_rounds(*rounds: tuple[Sequence[float], Sequence[float]]) -> tuple[tuple[Delays, ...], list[int]]:
    """What `compare` makes of these measurements, of which the last one is repeated; and what it asked for."""
    asked_for: list[int] = []

    def measure(number: int) -> Sequence[float]:
        asked_for.append(number)
        return rounds[min((len(asked_for) - 1) // 2, len(rounds) - 1)][number]

    return compare(measure, 2), asked_for


def test_delays_are_compared_in_two_rounds_on_a_quiet_machine() -> None:
    (free, held), asked_for = in_rounds((FREE, HELD))
    assert asked_for == [0, 1] * 2
    assert (free.seconds, held.seconds, free.busy, held.busy) == (FREE * 2, HELD * 2, "", "")


def test_a_disturbed_round_is_measured_again_and_left_out() -> None:
    (free, held), asked_for = in_rounds((NOISY, HELD), (FREE, HELD), (FREE, HELD))
    assert asked_for == [0, 1] * 3
    assert (free.seconds, held.seconds, held.busy) == (FREE * 2, HELD * 2, "")


def test_where_nothing_is_punctual_it_is_said_that_the_machine_is_busy() -> None:
    (free, held), asked_for = in_rounds((NOISY, HELD))
    assert len(asked_for) == 12, "it was tried"
    assert free.busy == held.busy
    assert TOO_BUSY in held.busy and "took 12 times as long as the quickest" in held.busy
    assert held.busy in str(held)


def test_a_clear_answer_counts_on_a_machine_that_is_a_little_busy() -> None:
    noisy = (0.004,) * 30 + (0.013,) * 10
    (free, held), asked_for = in_rounds((noisy, HELD))
    assert (len(asked_for), held.busy) == (4, "") and held.tail > 3 * free.tail
    (_, alike), asked_for = in_rounds((noisy, (0.004,) * 30 + (0.042,) * 10))
    assert len(asked_for) == 12 and TOO_BUSY in alike.busy, "too near to the bound to be believed"


def test_what_is_really_false_is_told_as_false_and_not_as_busy() -> None:
    (free, held), asked_for = in_rounds((FREE, FREE))
    assert asked_for == [0, 1] * 2
    assert not held.busy and not held.tail > 3 * free.tail


def test_what_is_no_disk_has_no_number() -> None:
    assert disk({"image": 0}) == {"image": ""}


def test_each_piece_of_work_is_a_stroke() -> None:
    picture = delay_strip({"a < b": (0.001, 0.002), "late": (0.001, 0.09, 3.0)})
    assert picture.text == "a < b: 2 pieces of work\nlate: 3 pieces of work"
    assert picture.svg.count('width="1.5"') == 5 and "<b" not in picture.svg.replace("<br", "")
    assert "90.0 ms" in picture.svg and "a &lt; b" in picture.svg
    assert [word for word in ("1 ms", "1 s", "10 s") if word in picture.svg] == ["1 ms", "1 s", "10 s"]


def test_a_picture_says_in_both_forms_that_the_machine_was_busy() -> None:
    said = f"{TOO_BUSY}: without any limit, one of twenty pieces took 12 times as long as the quickest"
    picture, plain = delay_strip({"late": (0.001, 0.09)}, note=said), delay_strip({"late": (0.001, 0.09)})
    assert picture.text == f"late: 2 pieces of work\n{said}"
    assert TOO_BUSY in picture.svg.partition("</desc>")[0] and TOO_BUSY in picture.svg.partition("</desc>")[2]
    assert TOO_BUSY not in plain.svg and picture.drawing.height > plain.drawing.height


def test_a_picture_of_nothing_is_empty() -> None:
    assert delay_strip({}).text == ""
