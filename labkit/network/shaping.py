"""How fast a link may send: queues that let out no more than so much.

Only the sender of a packet can hold it back. So a queue shapes what leaves a link, its *egress*, and the *ingress* of a
container is shaped where it leaves the lab host: at the other end of the pair. What has arrived could only be thrown
away (the kernel's "policing"); the sender then learns of the limit by what it has lost, while before a queue it simply
waits.

No cgroup does this today. Version 1 had two controllers for the network: net_cls wrote a class number on the packets of
a cgroup, for a filter of tc to send them to the class of that number; net_prio wrote their priority, link by link. Both
only *marked*, the limits were tc's even then, and neither has a successor in version 2: there, nftables and BPF
programs match the cgroup itself. A container has a link of its own, so that its limit can stand there, as here.

See: tc(8), the kernel's admin-guide/cgroup-v1/net_cls.rst and net_prio.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from labkit.errors import SpecError
from labkit.linux import netlink, rates, requests
from labkit.linux.calls import Intent
from labkit.network.here import PROBES, here
from labkit.network.links import link_name
from labkit.steps.fact import Qdisc, TrafficClass
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

PACKET = 1514  #: bytes of a full packet on a link with the usual MTU of 1500, its Ethernet header included
_LARGEST = 2**32 - 1
_HANDLE = re.compile(r"([0-9a-f]{1,4}):([0-9a-f]{0,4})")


def check_burst(rate: int, burst: int) -> None:
    """Raises SpecError for a bucket into which a packet does not fit, or whose filling the kernel cannot count."""
    if burst < PACKET:
        raise SpecError(
            f"burst={burst}: a full packet has {PACKET} bytes and would never go out", look="burst=16384",
            likely="the bucket must hold the tokens for the largest packet, else the kernel drops it, silently",
        )  # fmt: skip
    if rates.ticks(rate, burst) > _LARGEST:
        raise SpecError(f"burst={burst} takes minutes at {rates.shown(rate)}", look="burst=16384")


def number_of(handle: str) -> int:
    """The number of a queue (``"1:"``) or class (``"1:10"``), written in hexadecimal. Raises SpecError."""
    found = _HANDLE.fullmatch(handle)
    if not found or not int(found.group(1), 16):
        raise SpecError(f"{handle!r} names no queue and no class", look='"1:" or "1:10"')
    return int(found.group(1), 16) << 16 | int(found.group(2) or "0", 16)


@dataclass(frozen=True, kw_only=True)
class RemoveQdisc(Step):
    """Take away the queue that was put before a link.

    All classes and queues below it go, too, and the packets that wait in them are lost. The kernel puts back what it
    had chosen at first.

    See: tc(8), rtnetlink(7) "RTM_DELQDISC".
    """

    link: str
    probes = PROBES
    no_way_back = "it was not a single bucket"

    def __post_init__(self) -> None:
        link_name(self.link)

    def calls(self) -> Iterator[Intent]:
        yield from netlink.ask_about(self.link, requests.remove_qdisc())

    def shell(self) -> str:
        return f"tc qdisc del dev {self.link} root"

    def undo(self, before: Snapshot) -> Step | None:
        return _put_back(self.who, _at_root(before, self.who, self.link))

    @property
    def title(self) -> str:
        return f"take the queue before {self.link} away"


@dataclass(frozen=True, kw_only=True)
class ShapeLink(Step):
    """Let a link send no faster than a rate: put a token bucket before it, or change the one that is there.

    Tokens drip into the bucket at the rate, one for each byte, and no more than it holds; a packet leaves when there
    are as many as it has bytes. So the mean is the rate and nothing bursts beyond the bucket. Who sends faster waits in
    a queue, and what no longer fits there is dropped: from this, TCP finds its speed.

    See: tc-tbf(8), tc(8), rtnetlink(7) "RTM_NEWQDISC".
    """

    link: str
    rate: int
    burst: int
    limit: int
    handle: str = "1:"
    probes = PROBES
    no_way_back = "another kind of queue was there before"

    def __post_init__(self) -> None:
        link_name(self.link)
        rates.bits("rate", self.rate)
        check_burst(self.rate, self.burst)
        number_of(self.handle)
        if not self.burst <= self.limit <= _LARGEST:
            raise SpecError(f"limit={self.limit}: at least one burst has to fit into the queue", look="limit=65536")

    def calls(self) -> Iterator[Intent]:
        bucket = requests.tbf(number_of(self.handle), rate=self.rate, burst=self.burst, limit=self.limit)
        yield from netlink.ask_about(self.link, bucket)

    def shell(self) -> str:
        sizes = f"burst {self.burst}b limit {self.limit}b"
        return f"tc qdisc replace dev {self.link} root handle {self.handle} tbf rate {self.rate}bit {sizes}"

    def undo(self, before: Snapshot) -> Step | None:
        was = _at_root(before, self.who, self.link)
        return _put_back(self.who, was) if was else RemoveQdisc(who=self.who, link=self.link)

    @property
    def title(self) -> str:
        return f"let {self.link} send {rates.shown(self.rate)} at most"


@dataclass(frozen=True, kw_only=True)
class MakeHtb(Step):
    """Put a tree of classes before a link.

    A bucket has one rate for everybody; a tree divides a link among classes, each sure of its own rate. By itself it
    holds nothing back: packets for a class that is not there go out unhindered.

    See: tc-htb(8), tc(8), rtnetlink(7) "RTM_NEWQDISC".
    """

    link: str
    handle: str = "1:"
    default: str = "10"
    probes = ("net",)

    def __post_init__(self) -> None:
        link_name(self.link)
        number_of(self.handle + self.default)

    def calls(self) -> Iterator[Intent]:
        tree = requests.htb(number_of(self.handle), default=int(self.default, 16))
        yield from netlink.ask_about(self.link, tree)

    def shell(self) -> str:
        return f"tc qdisc add dev {self.link} root handle {self.handle} htb default {self.default}"

    def undo(self, before: Snapshot) -> Step | None:
        return RemoveQdisc(who=self.who, link=self.link)

    @property
    def title(self) -> str:
        return f"put a tree of classes before {self.link}"


@dataclass(frozen=True, kw_only=True)
class SetClass(Step):
    """Make a class in the tree before a link, or change its rates.

    It may always send at `rate`; up to `ceil` it borrows what other classes leave, and borrows it from the class above:
    one that hangs directly at the tree has none to borrow from, and its ceiling means nothing. Two with the same
    ceiling and different rates share a busy link in the proportion of their rates.

    See: tc-htb(8), tc(8), rtnetlink(7) "RTM_NEWTCLASS".
    """

    link: str
    handle: str
    rate: int
    ceil: int
    burst: int
    parent: str = "1:"
    probes = PROBES
    no_way_back = "it was not there before, and goes with its tree"

    def __post_init__(self) -> None:
        link_name(self.link)
        rates.bits("rate", self.rate)
        rates.bits("ceil", self.ceil)
        check_burst(self.rate, self.burst)
        check_burst(self.ceil, self.burst)
        number_of(self.handle)
        number_of(self.parent)
        if self.ceil < self.rate:
            raise SpecError(f"ceil={self.ceil} is less than the rate, of which the class is sure", look="ceil=rate")

    def calls(self) -> Iterator[Intent]:
        numbers = number_of(self.handle), number_of(self.parent)
        wanted = requests.htb_class(*numbers, rate=self.rate, ceil=self.ceil, burst=self.burst)
        yield from netlink.ask_about(self.link, wanted)

    def shell(self) -> str:
        where = f"dev {self.link} parent {self.parent} classid {self.handle}"
        sizes = f"burst {self.burst}b cburst {self.burst}b"
        return f"tc class replace {where} htb rate {self.rate}bit ceil {self.ceil}bit {sizes}"

    def explanation(self) -> tuple[str, str]:
        if self.ceil > self.rate:
            return super().explanation()
        return super().explanation()[0], (
            "It may always send at its rate, and never faster: with the ceiling at the rate it borrows nothing from "
            "other classes, even where they send nothing."
        )

    def undo(self, before: Snapshot) -> Step | None:
        for was in here(before, self.who, TrafficClass):
            if (was.link, was.handle) == (self.link, self.handle):
                return replace(self, rate=was.rate, ceil=was.ceil, burst=was.burst)
        return None

    @property
    def title(self) -> str:
        borrowed = f", and {rates.shown(self.ceil)} at most" if self.ceil != self.rate else ""
        return f"promise class {self.handle} of {self.link} {rates.shown(self.rate)}{borrowed}"


def _at_root(shot: Snapshot, who: str, link: str) -> Qdisc | None:
    return next((q for q in here(shot, who, Qdisc) if (q.link, q.parent) == (link, "root")), None)


def _put_back(who: str, was: Qdisc | None) -> Step | None:
    if was is None or was.kind != "tbf":
        return None
    return ShapeLink(who=who, link=was.link, rate=was.rate, burst=was.burst, limit=was.limit, handle=was.handle)
