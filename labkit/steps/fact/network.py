"""Facts of a network namespace: links, addresses, routes, ports, queues."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.linux import rates
from labkit.steps.fact.base import Fact


@dataclass(frozen=True, slots=True)
class Link(Fact):
    """A network interface in one network namespace."""

    probe = "net"
    about = ("ns", "name")
    ns: str
    name: str
    kind: str = ""
    up: bool = False
    mtu: int = 0
    mac: str = ""
    master: str = ""

    @property
    def title(self) -> str:
        return f"link {self.name} in {self.ns}"


@dataclass(frozen=True, slots=True)
class Address(Fact):
    """An address on a link."""

    probe = "net"
    about = ("ns", "link", "address")
    ns: str
    link: str
    address: str

    @property
    def title(self) -> str:
        return f"address {self.address} on {self.link} in {self.ns}"


@dataclass(frozen=True, slots=True)
class Route(Fact):
    """A route of the main table."""

    probe = "net"
    about = ("ns", "destination")
    ns: str
    destination: str
    gateway: str = ""
    link: str = ""

    @property
    def title(self) -> str:
        return f"route {self.destination} in {self.ns}"


@dataclass(frozen=True, slots=True)
class Port(Fact):
    """A TCP port on which a process listens, in one network namespace."""

    probe = "net"
    about = ("ns", "address", "port")
    ns: str
    address: str
    port: int
    process: str = ""

    @property
    def title(self) -> str:
        return f"port {self.port} of {self.address} in {self.ns}"

    def __str__(self) -> str:
        return f"{self.title}: {self.process or 'somebody else'} listens"


class _Queueing(Fact):
    """What has rates and buckets, with their units."""

    __slots__ = ()

    def shown(self, name: str, value: object) -> str:
        if name in ("rate", "ceil") and isinstance(value, int):
            return rates.shown(value)
        return f"{value} bytes" if name in ("burst", "limit") else super().shown(name, value)

    def __str__(self) -> str:
        told = ", ".join(f"{name} {self.shown(name, value)}" for name, value in self.state.items() if value)
        return f"{self.title}: {told}"


@dataclass(frozen=True, slots=True)
class Qdisc(_Queueing):
    """A queueing discipline that somebody has put before a link. `rate` in bits a second, 0 where it has none.

    `burst` is what the bucket holds and `limit` what may wait, in bytes; `default` the class for what no filter sends
    elsewhere.
    """

    probe = "net"
    about = ("ns", "link", "parent")
    ns: str
    link: str
    parent: str
    kind: str = ""
    handle: str = ""
    rate: int = 0
    burst: int = 0
    limit: int = 0
    default: str = ""

    @property
    def title(self) -> str:
        where = "at the root" if self.parent == "root" else f"at {self.parent}"
        return f"queue {where} of {self.link} in {self.ns}"


@dataclass(frozen=True, slots=True)
class TrafficClass(_Queueing):
    """A class of a tree of queues: `rate` it is sure of, up to `ceil` it may borrow, both in bits a second."""

    probe = "net"
    about = ("ns", "link", "handle")
    ns: str
    link: str
    handle: str
    parent: str = ""
    rate: int = 0
    ceil: int = 0
    burst: int = 0

    @property
    def title(self) -> str:
        return f"class {self.handle} of {self.link} in {self.ns}"
