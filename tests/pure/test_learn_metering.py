"""What a piece of work cost: the difference of two looks, in words that are the same on every machine."""

from __future__ import annotations

import doctest

from labkit.cgroups.usage import Usage
from labkit.learn import metering
from labkit.learn.metering import MIB, Cost, share


def test_the_example_of_the_page_is_true() -> None:
    assert doctest.testmod(metering) == (0, 1)


def test_a_cost_is_by_how_much_the_counters_have_grown() -> None:
    before = Usage(cpu=1.0, user=0.75, system=0.25, memory=8 * MIB, read=0, waited={"cpu": 0.5})
    after = Usage(cpu=1.5, user=1.0, system=0.5, memory=6 * MIB, read=MIB, waited={"cpu": 0.75})
    spent = Cost.between(before, after)
    assert spent == Cost(cpu=0.5, user=0.25, system=0.25, memory=-2 * MIB, read=MIB, waited=0.25)
    assert str(spent) == "CPU 0.50 s, user and system alike, memory -2.0 MiB, 1.0 MiB read from disks"


def test_what_nobody_counts_costs_nothing() -> None:
    assert str(Cost.between(Usage(), Usage())) == "CPU 0.00 s"


def test_time_is_mostly_of_one_kind_when_it_is_twice_the_other() -> None:
    assert [Cost(user=user, system=1).mostly for user in (0.4, 1.0, 1.9, 2.1)] == ["system", "both", "both", "user"]


def test_a_share_is_told_in_words_at_both_ends_whatever_its_sign() -> None:
    assert [share(part, 100) for part in (-4, 0, 9, 50, 91, 100, 200)] == [
        "nothing", "nothing", "nothing", "0.5", "all", "all", "all",
    ]  # fmt: skip
