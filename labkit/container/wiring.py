"""Plans for a container's cable: a link to the lab host, and how much may go over it. Pure functions.

A container's own process has turned into its program and takes no more steps, and the lab host never leaves its network
namespace. So a helper is born, joins the container's, does there what is to be done, and is sent away.

Ingress is shaped where it leaves the lab host, egress where it leaves the container (`labkit.network.shaping` says
why). Inside, only CAP_NET_ADMIN could take the queue away again, which no container is given.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface

from labkit.cgroups import sizes
from labkit.errors import SpecError
from labkit.linux import rates
from labkit.linux.rates import LATENCY
from labkit.namespaces.processes import Kill
from labkit.namespaces.spawn import Join, Spawn
from labkit.network.links import AddAddress, MakeVeth, SetLink, interface
from labkit.network.shaping import RemoveQdisc, ShapeLink, check_burst
from labkit.steps.display import Shown
from labkit.steps.plan import Plan
from labkit.steps.step import Step

INSIDE = "eth0"  #: what the link is called in the container
UNLIMITED = "max"  #: as in the files of a cgroup
_LIMITS = ("egress", "ingress")
_BURST, _MOMENT = 16_384, 100  # bytes at least; a hundredth of a second at higher rates
_RECEIVED, _SENT = "what the container receives", "what it sends"
_MOST_BURST, _MOST_LATENCY = 2**31, 10_000


@dataclass(frozen=True, kw_only=True)
class Cable(Shown):
    """The link between a container and the lab host. Rates in bits a second as the container sees it; 0: no limit."""

    container: str
    address: IPv4Interface
    host_address: IPv4Interface
    egress: int = 0
    ingress: int = 0

    @property
    def outside(self) -> str:
        """What its other end is called in the lab host: after the container, where that is short enough for a link."""
        name = f"veth-{self.container}"
        return name if len(name) <= 15 else f"veth{zlib.crc32(self.container.encode()):08x}"

    @property
    def helper(self) -> str:
        """The name of the process that takes steps in the container's network namespace."""
        return f"{self.container}.net"

    def __str__(self) -> str:
        ends = f"{INSIDE} of {self.container} has {self.address}, {self.outside} of the lab host {self.host_address}"
        rows = [f"a cable: {ends}"]
        for word, rate in zip(_LIMITS, (self.egress, self.ingress), strict=True):
            rows.append(f"  {word:8} {rates.shown(rate) if rate else 'as fast as it goes'}")
        return "\n".join(rows)


def cable(container: str, address: str, *, via: str | None = None) -> Cable:
    """The cable of `container`, which has `address` ("10.9.0.2/24"). Raises SpecError for what cannot be.

    `via` is the lab host's address on it: unless it is given, the first one of that network that is free.
    """
    mine = interface(address)
    _check(mine, f"address={address!r}")
    if via is None:
        other = next((ip for ip in mine.network.hosts() if ip != mine.ip), None)
        if other is None:
            raise SpecError(
                f"address={address!r}: there is no room for the lab host in that network", look='"10.9.0.2/24"'
            )
    else:
        try:
            other = IPv4Address(via)
        except ValueError as error:
            raise SpecError(f"via={via!r} is no IPv4 address: {error}", look='via="10.9.0.1"') from None
        if other == mine.ip or other not in mine.network:
            raise SpecError(f"via={via!r} is not another address in {mine.network}", look="leave via out")
    theirs = IPv4Interface((other, mine.network.prefixlen))
    _check(theirs, f"via={via!r}")
    return Cable(container=container, address=mine, host_address=theirs)


def clash(new: Cable, taken: Mapping[str, Sequence[IPv4Interface]]) -> str | None:
    """The link by which the lab host reaches a part of the network of `new` already, of those that have addresses."""
    own = new.address.network
    return next((link for link, each in taken.items() if any(one.network.overlaps(own) for one in each)), None)


def clashing(new: Cable, taken: Mapping[str, Sequence[IPv4Interface]], link: str, owner: str) -> SpecError:
    """The refusal of a cable whose network is in part that of `link`, the cable of container `owner` if it is one."""
    other = next(one for one in taken[link] if one.network.overlaps(new.address.network))
    whose = f"the cable of container {owner}" if owner else f"{link} of the lab host"
    size, offset = new.address.network.num_addresses, int(new.address) - int(new.address.network[0])
    first, prefix = int(new.address.network[0]) + offset, new.address.network.prefixlen
    others = (replace(new, address=IPv4Interface((first + step * size, prefix))) for step in range(1, 256))
    free = (str(each.address) for each in others if each.address.is_private and clash(each, taken) is None)
    elsewhere = next(free, "10.9.1.2/24")
    return SpecError(
        f"{new.address} is in the network of {whose}: {other.network}",
        likely=f"each cable is a network of its own; the lab host would send down {link} what is for {new.container}",
        look=f'container.link("{elsewhere}")',
    )


def _check(one: IPv4Interface, what: str) -> None:
    ends = (one.network.network_address, one.network.broadcast_address) if one.network.prefixlen < 31 else ()
    if one.ip in ends or one.is_multicast or one.is_loopback or one.is_unspecified:
        raise SpecError(f"{what} is not the address of one machine", look='"10.9.0.2/24"')


def shaped(laid: Cable, **changes: object) -> Cable:
    """The cable with other limits, `egress` and `ingress`: bits a second, ``"8M"``, or None for no limit."""
    for name in changes:
        if name not in _LIMITS:
            raise SpecError(f"a cable has no limit called {name!r}", look=" and ".join(_LIMITS))
    given = {name: 0 if value in (None, UNLIMITED) else rates.bits(name, value) for name, value in changes.items()}
    return replace(laid, egress=given.get("egress", laid.egress), ingress=given.get("ingress", laid.ingress))


def laying(laid: Cable) -> Plan:
    """The plan that lays a cable to a container that is there, with its limits if it has any."""
    far, near, helper = laid.address, laid.host_address, laid.helper
    pair = MakeVeth(name=laid.outside, target=laid.container, peer=INSIDE, mac=_mac(near), peer_mac=_mac(far))
    inside = [AddAddress(who=helper, link=INSIDE, address=str(far)), SetLink(who=helper, name=INSIDE)]
    return Plan.of(
        f"a cable for {laid.container}",
        ("a pair of links", [pair]),
        ("the lab host's end", [AddAddress(link=laid.outside, address=str(near)), SetLink(name=laid.outside)]),
        ("what the container receives", _limit("host", laid.outside, 0, laid.ingress)),
        ("the container's end, and what it sends", _inside(laid, [*inside, *_limit(helper, INSIDE, 0, laid.egress)])),
    )


def shaping(old: Cable, new: Cable, *, burst: int | None = None, latency: int = LATENCY) -> Plan:
    """The plan that changes the limits of a cable from `old` to `new`; also one that stays is written anew.

    `burst` bytes may go at once (unless it is given: 16 KiB, or a hundredth of a second), and no packet waits longer
    than `latency` milliseconds: what would, is dropped.
    """
    sent = _limit(new.helper, INSIDE, old.egress, new.egress, burst, latency)
    received = _limit("host", new.outside, old.ingress, new.ingress, burst, latency)
    return Plan.of(f"limits for {new.container}", (_RECEIVED, received), (_SENT, _inside(new, sent)))


def reached(old: Cable, new: Cable, goal: str) -> Cable:
    """The cable after this goal of `shaping`."""
    return replace(old, ingress=new.ingress) if goal == _RECEIVED else replace(old, egress=new.egress)


def _limit(who: str, link: str, old: int, new: int, burst: int | None = None, latency: int = LATENCY) -> list[Step]:
    if new:
        bucket = max(_BURST, new // 8 // _MOMENT) if burst is None else sizes.whole("burst", burst, 0, _MOST_BURST)
        check_burst(new, bucket)
        waiting = round(new / 8 * sizes.whole("latency", latency, 1, _MOST_LATENCY) / 1000)
        return [ShapeLink(who=who, link=link, rate=new, burst=bucket, limit=waiting + bucket)]
    return [RemoveQdisc(who=who, link=link)] if old else []


def _inside(laid: Cable, steps: list[Step]) -> list[Step]:
    """`steps` of a helper in the container's network namespace; nothing, if there are none."""
    if not steps:
        return []
    joined = Join(who=laid.helper, target=laid.container, namespaces=("net",))
    return [Spawn(child=laid.helper), joined, *steps, Kill(target=laid.helper)]


def _mac(address: IPv4Interface) -> str:
    """A hardware address that belongs to no maker (02), made from the other one: the same in every run."""
    return f"02:00:{address.ip.packed.hex(':')}"
