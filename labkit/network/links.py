"""A pair of links between two network namespaces, and what it takes until a packet gets through: addresses, and up.

Each step tells the kernel one thing over a netlink socket, in the network namespace of the process that takes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface

from labkit.errors import SpecError
from labkit.linux import netlink, requests
from labkit.linux.calls import Intent
from labkit.network.here import PROBES, here
from labkit.steps.fact import Address, Link
from labkit.steps.shell import pid_of
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")  # IFNAMSIZ is 16, with the NUL
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")  # an odd first byte would be an address of many


def link_name(name: str) -> str:
    """`name` itself if a link can have it. Raises SpecError."""
    if not _NAME.fullmatch(name):
        raise SpecError(
            f"a link cannot be called {name!r}", look='"eth0"',
            likely="it has 1 to 15 letters, digits, _ . and -, a letter or digit first",
        )  # fmt: skip
    return name


def interface(address: str) -> IPv4Interface:
    """An address with the length of its network, ``"10.9.0.2/24"``. Raises SpecError."""
    try:
        found = IPv4Interface(address)
    except ValueError as error:
        raise SpecError(f"{address!r} is no IPv4 address: {error}", look='"10.9.0.2/24"') from None
    if "/" not in address:
        raise SpecError(f"{address!r} does not say how long its network's part is", look=f'"{address}/24"')
    return found


@dataclass(frozen=True, kw_only=True)
class RemoveLink(Step):
    """Remove a link.

    Its addresses, routes and queues go with it; and a pair cannot be halved: the other end goes, too, in whatever
    network namespace it is.

    See: rtnetlink(7) "RTM_DELLINK", ip-link(8), veth(4).
    """

    name: str
    probes = ("net",)
    no_way_back = "its addresses, its queues and its other end went with it"

    def __post_init__(self) -> None:
        link_name(self.name)

    def calls(self) -> Iterator[Intent]:
        yield from netlink.ask(requests.remove_link(self.name))

    def shell(self) -> str:
        return f"ip link del {self.name}"

    @property
    def title(self) -> str:
        return f"remove the link {self.name}"


@dataclass(frozen=True, kw_only=True)
class MakeVeth(Step):
    """Make a pair of links, one of them here and the other in the network namespace of another process.

    What is sent into one end comes out of the other: a cable. A new network namespace has none; born with one end in
    it, the pair is its only way to anywhere. The hardware addresses are given here, as otherwise the kernel rolls dice.

    See: veth(4), rtnetlink(7) "RTM_NEWLINK", ip-link(8), network_namespaces(7).
    """

    name: str
    target: str
    mac: str
    peer_mac: str
    peer: str = "eth0"
    probes = ("net",)

    def __post_init__(self) -> None:
        link_name(self.name)
        link_name(self.peer)
        for mac in (self.mac, self.peer_mac):
            if not _MAC.fullmatch(mac):
                raise SpecError(f"{mac!r} is no hardware address of one link", look='"02:00:0a:09:00:02"')

    def calls(self) -> Iterator[Intent]:
        yield from netlink.ask(requests.veth(self.name, self.mac, self.peer, self.peer_mac, self.target))

    def shell(self) -> str:
        there = f"peer name {self.peer} address {self.peer_mac} netns {pid_of(self.target)}"
        return f"ip link add {self.name} address {self.mac} type veth {there}"

    def undo(self, before: Snapshot) -> Step | None:
        return RemoveLink(who=self.who, name=self.name)

    @property
    def title(self) -> str:
        return f"make the link {self.name}, whose other end is {self.peer} of {self.target}"


@dataclass(frozen=True, kw_only=True)
class SetLink(Step):
    """Set a link up or down.

    A link is born down: it has a name and an address, and nothing goes through. Of a pair both ends must be up. Set
    up, the network of its address becomes a route.

    See: rtnetlink(7) "RTM_NEWLINK", ip-link(8), netdevice(7) "IFF_UP".
    """

    name: str
    up: bool = True
    probes = PROBES
    no_way_back = "there was no such link before"

    def __post_init__(self) -> None:
        link_name(self.name)

    def calls(self) -> Iterator[Intent]:
        yield from netlink.ask(requests.set_link(self.name, up=self.up))

    def shell(self) -> str:
        return f"ip link set {self.name} {self._word}"

    def explanation(self) -> tuple[str, str]:
        if self.up:
            return "Set a link up.", super().explanation()[1]
        return "Set a link down.", (
            "Nothing goes through any more, and the routes that lead over it are gone. Its name and its addresses "
            "stay; of a pair the other end loses its carrier."
        )

    def undo(self, before: Snapshot) -> Step | None:
        was = next((link.up for link in here(before, self.who, Link) if link.name == self.name), None)
        return None if was is None else SetLink(who=self.who, name=self.name, up=was)

    @property
    def title(self) -> str:
        return f"set the link {self.name} {self._word}"

    @property
    def _word(self) -> str:
        return "up" if self.up else "down"


@dataclass(frozen=True, kw_only=True)
class AddAddress(Step):
    """Give a link an address.

    The address is the link's, not the machine's, and the length says who else is on the same cable: for them the
    kernel adds a route by itself. Without it there is nothing to send from.

    See: rtnetlink(7) "RTM_NEWADDR", ip-address(8), ip(7).
    """

    link: str
    address: str
    remove: bool = False
    probes = PROBES
    no_way_back = "it changed nothing"

    def __post_init__(self) -> None:
        link_name(self.link)
        interface(self.address)

    def calls(self) -> Iterator[Intent]:
        yield from netlink.ask_about(self.link, requests.address(interface(self.address), remove=self.remove))

    def shell(self) -> str:
        return f"ip address {'del' if self.remove else 'add'} {self.address} dev {self.link}"

    def explanation(self) -> tuple[str, str]:
        if not self.remove:
            return super().explanation()
        return "Take an address away from a link.", (
            "The route to its network, which the kernel had added, goes with it. Packets to that address find no one "
            "here."
        )

    def undo(self, before: Snapshot) -> Step | None:
        there = any((a.link, a.address) == (self.link, self.address) for a in here(before, self.who, Address))
        if there != self.remove:
            return None
        return AddAddress(who=self.who, link=self.link, address=self.address, remove=not self.remove)

    @property
    def title(self) -> str:
        if self.remove:
            return f"take the address {self.address} from {self.link}"
        return f"give {self.link} the address {self.address}"
