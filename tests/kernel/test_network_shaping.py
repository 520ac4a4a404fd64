"""A container's cable: who is reached over it, how fast, what is counted, and what is left of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from inside import python, python_in
from step_examples import EXAMPLES
from telling import well_told

from labkit import Lab
from labkit.container import wiring
from labkit.container.container import Container
from labkit.errors import HostDied, LabError, SpecError
from labkit.linux.constants import EEXIST, EINVAL, ENODEV, ENOENT
from labkit.namespaces.processes import Kill
from labkit.namespaces.spawn import Spawn
from labkit.network.links import AddAddress, MakeVeth, RemoveLink, SetLink
from labkit.network.shaping import MakeHtb, RemoveQdisc, SetClass, ShapeLink
from labkit.steps.fact import PROBES, Link, Process, Qdisc
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Diff
from labkit.steps.step import Step
from labkit.steps.taking import StepFailed

MINE, HOSTS = "10.9.0.2", "10.9.0.1"
RATE = 8_000_000
#: takes what comes and sends without end, on two ports; "ready" as soon as both listen. Each connection has a thread:
#: what the last one has left unsent goes on after its sender has been killed
PEER = """
import threading
def serve(port, act):
    listening = socket.create_server(("", port))
    def run():
        while True:
            threading.Thread(target=act, args=listening.accept()[:1], daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
def take(one):
    with one:
        while one.recv(1 << 16):
            pass
def give(one):
    with one:
        try:
            while True:
                one.sendall(bytes(1 << 16))
        except OSError:
            pass
serve(7001, take)
serve(7002, give)
print("ready", flush=True)
time.sleep(1000)
"""
#: sends to the peer, or takes from it, as long as it lives
SENDER = """
one = socket.create_connection((sys.argv[1], 7001))
while True:
    one.sendall(bytes(1 << 16))
"""
TAKER = """
one = socket.create_connection((sys.argv[1], 7002))
while one.recv(1 << 16):
    pass
"""


def room(step: Step) -> str:
    return type(step).__module__.split(".")[1]


@pytest.fixture
def sleeper(lab: Lab) -> Container:
    return lab.run("busybox", ["sleep", "1000"], name="c1", detach=True)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)


def links(lab: Lab) -> set[str]:
    return {link.name for link in lab.snapshot("net").of_type(Link)} - {"lo"}


def processes(lab: Lab) -> set[str]:
    return {process.name for process in lab.snapshot("processes").of_type(Process)}


def queues(lab: Lab) -> set[tuple[str, int]]:
    return {(queue.link, queue.rate) for queue in lab.snapshot("net").of_type(Qdisc)}


def pings(container: Container) -> bool:
    return container.exec(["ping", "-c", "1", "-w", "5", HOSTS]).returncode == 0


# what it does


def test_a_cable_lets_container_and_lab_host_reach_each_other(lab: Lab, sleeper: Container) -> None:
    assert not pings(sleeper), "a new network namespace has no way out"
    laid = sleeper.link(f"{MINE}/24")
    assert str(laid).splitlines()[0] == (f"a cable: eth0 of c1 has {MINE}/24, veth-c1 of the lab host {HOSTS}/24")
    assert pings(sleeper)
    until(lambda: processes(lab) == {"init", "host", "c1"})  # the helper goes


def test_each_cable_has_a_network_of_its_own(lab: Lab, sleeper: Container) -> None:
    """Two of one network were taken once, and the second lost every packet: its answers went down the first."""
    sleeper.link(f"{MINE}/24")
    other = lab.run("busybox", ["sleep", "1000"], name="c2", detach=True)
    for address in ("10.9.0.3/24", f"{MINE}/24", "10.9.0.200/25", "10.8.0.1/12", "10.9.0.9/30"):
        with pytest.raises(SpecError, match=r"in the network of the cable of container c1: 10\.9\.0\.0/24") as refused:
            other.link(address)
    assert refused.value.look == 'container.link("10.9.1.1/30")'
    other.link("10.9.1.3/24")
    assert pings(sleeper) and other.exec(["ping", "-c", "1", "-w", "5", "10.9.1.1"]).returncode == 0
    assert pings(sleeper), "still"


def test_a_network_is_free_again_when_its_container_has_ended(lab: Lab, sleeper: Container) -> None:
    for number in range(5):
        sleeper.link(f"{MINE}/24")
        assert pings(sleeper)
        sleeper.kill()
        sleeper = lab.run("busybox", ["sleep", "1000"], name=f"next{number}", detach=True)


def test_a_network_of_the_lab_hosts_own_is_not_a_cables(lab: Lab, sleeper: Container) -> None:
    lab.take(AddAddress(link="lo", address="172.16.0.1/16"))
    with pytest.raises(SpecError, match=r"in the network of lo of the lab host: 172\.16\.0\.0/16") as refused:
        sleeper.link("172.16.9.2/24")
    assert refused.value.look == 'container.link("172.17.0.2/24")'
    sleeper.link("172.17.0.2/24")


def speed(container: Container, direction: str) -> float:
    """Bits a second that go over the cable, headers and all, over two seconds in which somebody sends all the time.

    A veth hands on up to 64 KiB at once, an eighth of what a slow link takes in two seconds: so from one arrival to
    another, not from one moment to another.
    """

    def moved() -> int:
        told = container.traffic()
        return told.sent_bytes if direction == "egress" else told.received_bytes

    def arrival() -> tuple[int, float]:
        before = moved()
        until(lambda: moved() > before)
        return moved(), time.monotonic()

    program = python_in(container, SENDER if direction == "egress" else TAKER, HOSTS, detach=True)
    begun = moved()
    until(lambda: moved() > begun + 100_000)  # the bucket was full: that much may go at once
    first, start = arrival()
    time.sleep(2)
    last, end = arrival()
    assert program.running, program.logs()
    program.kill()
    program.wait()
    return (last - first) * 8 / (end - start)


@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_a_shaped_link_holds_within_a_tenth_and_one_that_is_not_does_not(lab: Lab, direction: str) -> None:
    peer = python(lab, PEER, namespaces=("mnt", "pid", "uts"), detach=True)  # in the lab host's network namespace
    until(lambda: peer.stdout == "ready\n")
    container = python(lab, "time.sleep(1000)", detach=True)
    container.link(f"{MINE}/24")
    free = speed(container, direction)
    container.shape(**{direction: RATE}, latency=500)  # so long that nothing is dropped: TCP would make a pause
    held = speed(container, direction)
    assert free > 3 * RATE, "nothing else was in the way"
    assert held == pytest.approx(RATE, rel=0.1)
    container.shape(**{direction: None})
    assert speed(container, direction) > 3 * RATE


def test_a_class_of_a_tree_has_its_rate_and_borrows_up_to_its_ceiling_if_it_has_a_parent(lab: Lab) -> None:
    peer = python(lab, PEER, namespaces=("mnt", "pid", "uts"), detach=True)
    until(lambda: peer.stdout == "ready\n")
    container = python(lab, "time.sleep(1000)", detach=True)
    end = container.link(f"{MINE}/24").outside
    lab.take(MakeHtb(link=end, default="10"))
    assert speed(container, "ingress") > 3 * RATE, "a tree without classes holds nothing back"
    alone = SetClass(link=end, handle="1:10", rate=RATE // 4, ceil=RATE, burst=16384)
    lab.take(alone)
    assert speed(container, "ingress") == pytest.approx(RATE // 4, rel=0.1), "it has nobody to borrow from"
    lab.take(RemoveQdisc(link=end))
    above = SetClass(link=end, handle="1:1", rate=RATE, ceil=RATE, burst=16384)
    lab.take_all([MakeHtb(link=end, default="10"), above, replace(alone, parent="1:1")])
    assert speed(container, "ingress") == pytest.approx(RATE, rel=0.1)


def test_what_a_full_queue_drops_is_counted(lab: Lab, sleeper: Container) -> None:
    sleeper.link(f"{MINE}/24")
    sleeper.exec(["ping", "-c", "1", "-w", "5", HOSTS])  # they know each other's hardware address from now on
    sleeper.shape(egress="64k", latency=1)
    before = sleeper.traffic()
    sleeper.exec(["ping", "-c", "1", "-s", "60000", "-W", "1", HOSTS])  # 41 packets at once, and room for 11
    told = sleeper.traffic()
    assert told.sent_packets > before.sent_packets and told.sent_bytes > before.sent_bytes + 10_000
    assert told.sent_drops > before.sent_drops == 0 and told.received_drops == 0
    assert str(told).splitlines()[1].endswith(f"{told.sent_drops} dropped on the way")


# limits come and go


def test_limits_are_changed_one_by_one_and_taken_away(lab: Lab, sleeper: Container) -> None:
    sleeper.link(f"{MINE}/24")
    before = lab.snapshot("net")
    sleeper.shape(egress="8M")
    assert queues(lab) == {("eth0", RATE)}
    laid = sleeper.shape(ingress="1.5Mbit", egress=4_000_000)
    assert queues(lab) == {("eth0", 4_000_000), ("veth-c1", 1_500_000)}
    assert (laid.egress, laid.ingress) == (4_000_000, 1_500_000) and sleeper.cable == laid
    sleeper.shape(egress=None)
    assert queues(lab) == {("veth-c1", 1_500_000)}
    sleeper.shape(egress="max", ingress="max")
    assert lab.snapshot("net") == before


def test_the_plan_of_a_cable_is_walked_and_every_queue_undone(lab: Lab) -> None:
    born = Plan.of("born", ("born", [Spawn(child="c1", namespaces=("net",))]))
    plan = born + lab.plans.link("c1", f"{MINE}/24", egress="8M", ingress="4M")
    walk = lab.walk(plan)
    number = next(i for i, step in enumerate(plan, 1) if isinstance(step, ShapeLink) and step.who == "c1.net")
    walk.goto(number - 1)
    before = lab.snapshot(*PROBES)
    walk.next()
    assert "+ queue at the root of eth0 in net#2: kind tbf, handle 1:, rate 8 Mbit/s" in str(walk.diff)
    walk.back()
    assert "undone by: take the queue before eth0 away" in walk.way_back
    assert not Diff.between(before, lab.snapshot(*PROBES))
    walk.run()
    assert queues(lab) == {("eth0", RATE), ("veth-c1", 4_000_000)}


@pytest.mark.parametrize("plan", [pytest.param(plan, id=plan.name) for plan in EXAMPLES if room(plan[-1]) == "network"])
def test_each_step_goes_back_to_where_it_came_from(lab: Lab, plan: Plan) -> None:
    walk = lab.walk(plan).goto(len(plan) - 1)
    before = lab.snapshot(*PROBES)
    walk.next()
    assert walk.diff, "it does something"
    walk.back()
    assert not Diff.between(before, lab.snapshot(*PROBES)), walk.way_back
    walk.next()
    assert walk.diff, "and the way is open again"


@pytest.mark.parametrize("rate", [8_000, 64_000, 8_000_000, 123_456_784, 10**9, 32 * 10**9])
def test_a_changed_queue_is_put_back_as_it_was(lab: Lab, rate: int) -> None:
    macs = {"mac": "02:00:0a:09:00:01", "peer_mac": "02:00:0a:09:00:02"}
    first = ShapeLink(link="veth0", rate=rate, burst=16_384, limit=99_999)
    steps = [Spawn(child="c1", namespaces=("net",)), MakeVeth(name="veth0", target="c1", **macs), first]
    other = ShapeLink(link="veth0", rate=777_000, burst=20_000, limit=20_000)
    walk = lab.walk(Plan.of("p", ("", [*steps, other, RemoveQdisc(link="veth0")]))).goto(3)
    before = lab.snapshot(*PROBES)
    walk.run()
    walk.back()
    assert "undone by: let veth0 send 777 kbit/s at most" in walk.way_back
    walk.back()
    assert "undone by" in walk.way_back
    assert not Diff.between(before, lab.snapshot(*PROBES))


def test_undo_tells_two_containers_with_links_of_one_name_apart(lab: Lab) -> None:
    steps = [Spawn(child=name, namespaces=("net",)) for name in ("a", "b")]
    macs = {"mac": "02:00:0a:09:00:01", "peer_mac": "02:00:0a:09:00:02"}
    pairs = [MakeVeth(name=f"veth-{name}", target=name, **macs) for name in ("a", "b")]
    shaped = [ShapeLink(who=who, link="eth0", rate=RATE, burst=16384, limit=66384) for who in ("a", "b")]
    walk = lab.walk(Plan.of("p", ("", [*steps, *pairs, *shaped]))).run()
    walk.back()
    assert "take the queue before eth0 away" in walk.way_back
    assert queues(lab) == {("eth0", RATE)}


# what cannot be


@pytest.mark.parametrize(
    ("step", "errno"),
    [
        (ShapeLink(link="nowhere", rate=RATE, burst=16384, limit=66384), ENODEV),
        (RemoveQdisc(link="nowhere"), ENODEV),
        (RemoveLink(name="nowhere"), ENODEV),
        (SetLink(name="nowhere"), ENODEV),
        (AddAddress(link="nowhere", address="10.9.0.1/24"), ENODEV),
        (RemoveQdisc(link="lo"), ENOENT),
        (SetClass(link="lo", handle="1:10", rate=RATE, ceil=RATE, burst=16384), ENOENT),
        (AddAddress(link="lo", address="127.0.0.1/8"), EEXIST),
    ],
    ids=lambda value: value.title if not isinstance(value, int) else "",
)
def test_what_the_kernel_refuses_is_told_with_its_cause(lab: Lab, step: object, errno: int) -> None:
    from labkit.namespaces.names import LoopbackUp

    lab.take(LoopbackUp())
    before = lab.snapshot("net")
    with pytest.raises(StepFailed) as caught:
        lab.take(step)  # type: ignore[arg-type]  # a Step
    assert caught.value.errno == errno and caught.value.likely
    well_told(caught.value)
    assert lab.snapshot("net") == before


def test_nothing_more_is_done_after_a_refusal(lab: Lab) -> None:
    before = lab.snapshot(*PROBES)
    with pytest.raises(StepFailed, match=r'IFLA_IFNAME="nowhere".*, answered: ENODEV') as caught:
        lab.take_all([SetLink(name="nowhere"), SetLink(name="lo")])
    assert caught.value.made[-1].name == "recvfrom"
    assert not Diff.between(before, lab.snapshot(*PROBES))


def test_a_bucket_does_not_take_the_place_of_a_tree_of_the_same_name(lab: Lab) -> None:
    lab.take(MakeHtb(link="lo"))
    with pytest.raises(StepFailed) as caught:
        lab.take(ShapeLink(link="lo", rate=RATE, burst=16384, limit=66384))
    assert caught.value.errno == EINVAL and "another kind" in (caught.value.likely or "")


@pytest.mark.parametrize(
    ("act", "match"),
    [
        (lambda c: c.link("10.9.0.2"), "how long"),
        (lambda c: c.link("ten/24"), "no IPv4 address"),
        (lambda c: c.link("10.9.0.0/24"), "not the address of one machine"),
        (lambda c: c.link("10.9.0.2/24", via="10.8.0.1"), "not another address in"),
        (lambda c: c.link("10.9.0.2/32"), "no room for the lab host"),
        (lambda c: c.shape(egress="8M"), "has no cable"),
        (lambda c: c.traffic(), "has no cable"),
    ],
)  # fmt: skip
def test_a_cable_that_cannot_be_is_refused_and_nothing_is_left(
    lab: Lab, sleeper: Container, act: Callable[[Container], object], match: str
) -> None:
    before = lab.snapshot(*PROBES)
    with pytest.raises(SpecError, match=match) as caught:
        act(sleeper)
    well_told(caught.value)
    assert not Diff.between(before, lab.snapshot(*PROBES))


def test_there_is_one_cable_and_none_where_the_network_is_shared(lab: Lab, sleeper: Container) -> None:
    sleeper.link(f"{MINE}/24")
    with pytest.raises(SpecError, match="a cable already"):
        sleeper.link("10.9.1.2/24")
    shared = lab.run("busybox", ["sleep", "1000"], namespaces=("mnt", "pid"), detach=True)
    with pytest.raises(SpecError, match="no network namespace of its own"):
        shared.link("10.9.1.2/24")


def test_a_name_that_is_taken_leaves_what_was_there(
    lab: Lab, sleeper: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.container.cabling._PATIENCE", 0.1)
    other = lab.run("busybox", ["sleep", "1000"], name="c2", detach=True)
    lab.take(MakeVeth(name="veth-c1", target="c2", mac="02:00:00:00:00:01", peer_mac="02:00:00:00:00:02"))
    before = lab.snapshot("net")
    with pytest.raises(StepFailed) as caught:
        sleeper.link(f"{MINE}/24")
    assert caught.value.errno == EEXIST
    assert lab.snapshot("net") == before and sleeper.cable is None and other.running


def test_a_cable_that_fails_halfway_is_taken_back(
    lab: Lab, sleeper: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The helper is in the container, and what it is to shape is not there: helper and link go."""

    def lame(laid: wiring.Cable) -> Plan:
        *good, kill = wiring.laying(laid)
        return Plan.of("lame", ("", [*good, RemoveQdisc(who=laid.helper, link="nowhere"), kill]))

    monkeypatch.setattr("labkit.container.cabling.wiring", SimpleNamespace(**{**vars(wiring), "laying": lame}))
    before = lab.snapshot(*PROBES)
    with pytest.raises(StepFailed) as caught:
        sleeper.link(f"{MINE}/24")
    assert caught.value.errno == ENODEV and sleeper.cable is None
    assert not Diff.between(before, lab.snapshot(*PROBES))


def test_of_limits_that_come_to_one_end_only_that_one_is_known(
    lab: Lab, sleeper: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lab host's end is shaped, and then the helper dies."""

    def lame(old: wiring.Cable, new: wiring.Cable, **options: Any) -> Plan:
        (received, steps), (sent, (spawn, *rest)) = wiring.shaping(old, new, **options).by_goal()
        return Plan.of("lame", (received, steps), (sent, [spawn, Kill(target=new.helper), *rest]))

    sleeper.link(f"{MINE}/24")
    sleeper.shape(egress="4M", ingress="4M")
    names = {name: getattr(wiring, name) for name in ("shaped", "reached")}
    monkeypatch.setattr("labkit.container.cabling.wiring", SimpleNamespace(shaping=lame, **names))
    with pytest.raises(LabError) as caught:
        sleeper.shape(egress="8M", ingress="8M")
    well_told(caught.value)
    assert sleeper.cable and (sleeper.cable.egress, sleeper.cable.ingress) == (4_000_000, 8_000_000)
    assert queues(lab) == {("eth0", 4_000_000), ("veth-c1", 8_000_000)}


# ends


def test_a_link_that_is_gone_halfway_is_a_clear_error(lab: Lab, sleeper: Container) -> None:
    end = sleeper.link(f"{MINE}/24").outside
    lab.take(RemoveLink(name=end))
    assert links(lab) == set(), "a pair cannot be halved"
    for act in (lambda: sleeper.shape(egress="8M"), lambda: sleeper.shape(ingress="8M"), sleeper.traffic):
        with pytest.raises(LabError) as caught:
            act()
        well_told(caught.value)
    until(lambda: processes(lab) == {"init", "host", "c1"})


def test_the_cable_goes_with_the_container_and_a_new_one_of_that_name_gets_one(lab: Lab, sleeper: Container) -> None:
    sleeper.link(f"{MINE}/24")
    sleeper.shape(egress="8M", ingress="8M")
    sleeper.kill()
    sleeper.wait()
    for act in (sleeper.traffic, lambda: sleeper.shape(egress="1M"), lambda: sleeper.link(f"{MINE}/24")):
        with pytest.raises(HostDied, match="has ended"):
            act()
    again = lab.run("busybox", ["sleep", "1000"], name="c1", detach=True)
    again.link(f"{MINE}/24")  # the old link may still be there: the kernel takes its time
    assert pings(again) and again.cable and again.cable.egress == 0
    again.kill()
    until(lambda: links(lab) == set())


def test_a_container_that_dies_between_two_steps_fails_the_next_one(lab: Lab, sleeper: Container) -> None:
    plan = lab.plans.link("c1", f"{MINE}/24", egress="8M")
    joining = next(i for i, step in enumerate(plan) if step.title.startswith("join"))
    lab.take_all(plan.steps[:joining])
    sleeper.kill()
    sleeper.wait()
    with pytest.raises(StepFailed):
        lab.take_all(plan.steps[joining:])
    lab.take(Kill(target="c1.net"))
    until(lambda: links(lab) == set())


def test_a_long_name_still_gives_a_link_of_its_own(lab: Lab) -> None:
    names = [f"a-rather-long-name-{number}" for number in (1, 2)]
    for number, name in enumerate(names):
        container = lab.run("busybox", ["sleep", "1000"], name=name, detach=True)
        laid = container.link(f"10.9.{number}.2/24")
        assert len(laid.outside) <= 15 and laid.outside in links(lab)
    assert len(links(lab)) == 3


def test_many_containers_have_a_cable_each(lab: Lab) -> None:
    made = [lab.run("busybox", ["sleep", "1000"], detach=True) for _ in range(5)]
    for number, container in enumerate(made):
        container.link(f"10.9.{number}.2/24")
        container.shape(egress=(number + 1) * 1_000_000)
    assert {rate for _, rate in queues(lab)} == {n * 1_000_000 for n in range(1, 6)}
    lab.reset()
    assert links(lab) == set()
