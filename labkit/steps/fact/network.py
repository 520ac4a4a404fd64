"""Facts of a network namespace: links, addresses, routes, ports."""

from __future__ import annotations

from dataclasses import dataclass

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
