"""A cable as data: what it becomes, and what cannot be. Nothing is asked of the kernel."""

from __future__ import annotations

from ipaddress import IPv4Interface

import pytest

from labkit.container import wiring
from labkit.errors import SpecError
from labkit.network.links import AddAddress, MakeVeth, RemoveLink, SetLink
from labkit.network.shaping import MakeHtb, RemoveQdisc, SetClass, ShapeLink, number_of
from labkit.network.traffic import Traffic
from labkit.steps.step import Step

LAID = wiring.cable("c1", "10.9.0.2/24")
MACS = {"mac": "02:00:0a:09:00:01", "peer_mac": "02:00:0a:09:00:02"}


def test_a_cable_has_two_ends_with_an_address_each() -> None:
    assert LAID.host_address == IPv4Interface("10.9.0.1/24") and LAID.outside == "veth-c1"
    assert wiring.cable("c1", "10.9.0.1/24").host_address == IPv4Interface("10.9.0.2/24")
    assert wiring.cable("c1", "10.9.0.2/24", via="10.9.0.77").host_address == IPv4Interface("10.9.0.77/24")
    assert wiring.cable("c1", "10.9.0.2/31").host_address == IPv4Interface("10.9.0.3/31"), "two, and no broadcast"
    kinds = [type(step) for step in wiring.laying(LAID) if step.who != "host"]
    assert AddAddress in kinds and SetLink in kinds and ShapeLink not in kinds


def test_egress_is_shaped_in_the_container_and_ingress_before_it() -> None:
    new = wiring.shaped(LAID, egress="8M", ingress="4M")
    shaped = [step for step in wiring.laying(new) if isinstance(step, ShapeLink)]
    assert {(step.who, step.link, step.rate) for step in shaped} == {
        ("c1.net", "eth0", 8_000_000),
        ("host", "veth-c1", 4_000_000),
    }
    assert str(new).splitlines()[1:] == ["  egress   8 Mbit/s", "  ingress  4 Mbit/s"]
    away = wiring.shaping(new, wiring.shaped(new, egress=None))
    assert wiring.shaped(new, egress="max") == wiring.shaped(new, egress=None), "as a file of a cgroup says it"
    assert [step.link for step in away if isinstance(step, RemoveQdisc)] == ["eth0"]
    assert [step.rate for step in away if isinstance(step, ShapeLink)] == [4_000_000]
    assert not wiring.shaping(LAID, wiring.shaped(LAID, egress="max"))


def test_the_queue_holds_what_may_wait_and_a_burst() -> None:
    new = wiring.shaped(LAID, ingress="8M")
    (step,) = wiring.shaping(LAID, new)
    assert isinstance(step, ShapeLink) and (step.burst, step.limit) == (16_384, 16_384 + 200_000), "200 ms of 1 MB/s"
    (step,) = wiring.shaping(LAID, new, burst=2000, latency=10)
    assert isinstance(step, ShapeLink) and (step.burst, step.limit) == (2000, 2000 + 10_000)
    (step,) = wiring.shaping(LAID, wiring.shaped(LAID, ingress="1G"))
    assert isinstance(step, ShapeLink) and step.burst == 1_250_000, "a hundredth of a second"


@pytest.mark.parametrize(
    "rate",
    [0, -1, "0", "-8M", "64Q", "", "8", 7_999, "33G", 10**30, float("nan"), float("inf"), True, [],
     "8 MB", "8Mbps", "1e6"],
)  # fmt: skip
def test_a_rate_that_cannot_be_is_refused(rate: object) -> None:
    with pytest.raises(SpecError) as caught:
        wiring.shaped(LAID, egress=rate)
    assert "egress" in caught.value.message and caught.value.look


def test_a_limit_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match="no limit called 'outgress'"):
        wiring.shaped(LAID, outgress="8M")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"burst": 1513}, "would never go out"),
        ({"burst": 0}, "would never go out"),
        ({"burst": -1}, "not between"),
        ({"burst": "64K"}, "not a number"),
        ({"burst": 2**31}, "takes minutes"),
        ({"burst": 2**40}, "not between"),
        ({"latency": 0}, "not between"),
        ({"latency": 1.5}, "not a whole number"),
        ({"latency": 10**6}, "not between"),
    ],
)
def test_a_bucket_or_a_wait_that_cannot_be_is_refused(options: dict[str, int], match: str) -> None:
    with pytest.raises(SpecError, match=match):
        wiring.shaping(LAID, wiring.shaped(LAID, ingress="8M"), **options)


@pytest.mark.parametrize(
    "address",
    ["10.9.0.2", "10.9.0.0/24", "10.9.0.255/24", "10.9.0.2/33", "10.9.0/24", "fd00::2/64", "224.0.0.1/24",
     "127.0.0.2/8", "", "0.0.0.0/0", "10.9.0.2/32"],
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused(address: str) -> None:
    with pytest.raises(SpecError):
        wiring.cable("c1", address)


@pytest.mark.parametrize("via", ["10.9.0.2", "10.8.0.1", "10.9.0.0", "10.9.0.255", "x", ""])
def test_an_address_of_the_lab_host_that_cannot_be_is_refused(via: str) -> None:
    with pytest.raises(SpecError, match="via"):
        wiring.cable("c1", "10.9.0.2/24", via=via)


@pytest.mark.parametrize("name", ["", "x" * 16, "a b", "a/b", "$(reboot)", "-h", "é", "a;b"])
def test_a_name_that_no_link_can_have_is_refused_by_every_step(name: str) -> None:
    bucket = {"rate": 8_000_000, "burst": 16_384, "limit": 66_384}
    for make in (
        lambda: MakeVeth(name=name, target="c1", **MACS), lambda: MakeVeth(name="a", peer=name, target="c1", **MACS),
        lambda: RemoveLink(name=name), lambda: SetLink(name=name), lambda: AddAddress(link=name, address="10.9.0.1/24"),
        lambda: ShapeLink(link=name, **bucket), lambda: RemoveQdisc(link=name), lambda: MakeHtb(link=name),
        lambda: SetClass(link=name, handle="1:10", rate=8_000_000, ceil=8_000_000, burst=16_384),
    ):  # fmt: skip
        with pytest.raises(SpecError, match="cannot be called"):
            make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: MakeVeth(name="a", target="c1", mac="01:00:00:00:00:00", peer_mac="02:00:00:00:00:00"),
        lambda: MakeVeth(name="a", target="c1", mac="nonsense", peer_mac="02:00:00:00:00:00"),
        lambda: ShapeLink(link="a", rate=0, burst=16_384, limit=66_384),
        lambda: ShapeLink(link="a", rate=8_000_000, burst=1000, limit=66_384),
        lambda: ShapeLink(link="a", rate=8_000_000, burst=16_384, limit=16_383),
        lambda: ShapeLink(link="a", rate=8_000_000, burst=16_384, limit=2**32),
        lambda: ShapeLink(link="a", rate=8_000_000, burst=16_384, limit=66_384, handle="1"),
        lambda: MakeHtb(link="a", handle="0:"),
        lambda: MakeHtb(link="a", default="x"),
        lambda: SetClass(link="a", handle="1:10", rate=8_000_000, ceil=4_000_000, burst=16_384),
    ],
)
def test_a_step_that_cannot_be_is_refused(make: object) -> None:
    with pytest.raises(SpecError):
        make()  # type: ignore[operator]  # a function


def test_names_of_queues_and_classes_are_hexadecimal() -> None:
    assert (number_of("1:"), number_of("1:10"), number_of("ffff:a")) == (0x10000, 0x10010, 0xFFFF000A)


def test_long_names_differ_in_their_links() -> None:
    ends = {wiring.cable(f"a-container-of-long-name-{n}", "10.9.0.2/24").outside for n in range(100)}
    assert len(ends) == 100 and all(len(end) <= 15 for end in ends)


def test_steps_travel_as_json() -> None:
    for step in wiring.laying(wiring.shaped(LAID, egress="8M", ingress="4M")):
        assert Step.from_json(step.to_json()) == step


def test_traffic_is_told_as_the_container_sees_it() -> None:
    inside = {"rx_bytes": 2_000_000, "rx_packets": 1400, "rx_dropped": 1, "tx_bytes": 1500, "tx_packets": 2,
              "tx_dropped": 0, "queue_dropped": 7}  # fmt: skip
    outside = dict.fromkeys(inside, 99) | {"queue_dropped": 40}
    assert str(Traffic.of(inside, outside)).splitlines() == [
        "received  2.000 MB in 1400 packets, 41 dropped on the way",
        "sent      0.002 MB in 2 packets, 7 dropped on the way",
    ]
