"""What the uts, ipc, net and time namespaces hold: names, queues, links, clocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from labkit.linux import netlink, requests
from labkit.linux.calls import Intent, msgget, setdomainname, sethostname, write_file
from labkit.steps.fact import Uts
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class SetHostname(Step):
    """Give the machine another name, as far as this uts namespace reaches.

    Without a uts namespace of its own a container would rename the whole host. The name is only a
    string that uname returns; no network learns of it.

    See: sethostname(2), uts_namespaces(7).
    """

    name: str
    probes = ("uts",)

    def calls(self) -> Iterator[Intent]:
        yield sethostname(self.name)

    def shell(self) -> str:
        return f"hostname {quote(self.name)}"

    def undo(self, before: Snapshot) -> Step | None:
        names = before.of_type(Uts)
        return SetHostname(who=self.who, name=names[0].hostname) if len(names) == 1 else None

    no_way_back = "there are several uts namespaces, and which name this one had is not told apart"

    @property
    def title(self) -> str:
        return f"set the hostname to {self.name}"


@dataclass(frozen=True, kw_only=True)
class SetDomainname(Step):
    """Give the machine another NIS domain name, as far as this uts namespace reaches.

    The second of the two names that a uts namespace holds; it has nothing to do with DNS.

    See: setdomainname(2), uts_namespaces(7).
    """

    name: str
    probes = ("uts",)
    no_way_back = SetHostname.no_way_back

    def calls(self) -> Iterator[Intent]:
        yield setdomainname(self.name)

    def shell(self) -> str:
        return f"domainname {quote(self.name)}"

    @property
    def title(self) -> str:
        return f"set the NIS domain name to {self.name}"


@dataclass(frozen=True, kw_only=True)
class LoopbackUp(Step):
    """Set the loopback interface up.

    A new network namespace has one link, lo, and it is down: not even 127.0.0.1 answers. The kernel adds
    the addresses by itself when the link comes up.

    See: network_namespaces(7), rtnetlink(7) "RTM_NEWLINK", ip-link(8).
    """

    probes = ("net",)
    no_way_back = "it could be set down, but what the kernel learned in between stays"

    def calls(self) -> Iterator[Intent]:
        yield from netlink.ask(requests.loopback_up())

    def shell(self) -> str:
        return "ip link set lo up"

    @property
    def title(self) -> str:
        return "set the loopback interface up"


@dataclass(frozen=True, kw_only=True)
class MakeMessageQueue(Step):
    """Make a System V message queue.

    It lives in the ipc namespace, not in any process or file: it outlives its maker, and only members
    of the same ipc namespace can find its key.

    See: msgget(2), sysvipc(7), ipc_namespaces(7).
    """

    key: int
    probes = ("ipc",)
    no_way_back = "its id is spent: a queue made again has another"

    def calls(self) -> Iterator[Intent]:
        yield msgget(self.key, 0o1000 | 0o600)

    def shell(self) -> str:
        return f"perl -e 'defined msgget({self.key}, 01600) or die $!'"

    @property
    def title(self) -> str:
        return f"make a message queue with key {self.key}"


@dataclass(frozen=True, kw_only=True)
class SetClockOffsets(Step):
    """Shift the monotonic and the boot-time clock of the time namespace that the next child will be in.

    After moving a container to another machine, time since boot must not jump. The offsets can be
    written only while no process is in the namespace yet; the wall clock has none.

    See: time_namespaces(7).
    """

    monotonic: int = 0
    boottime: int = 0
    probes = ("time",)
    no_way_back = "the offsets are fixed as soon as a process is inside"

    def calls(self) -> Iterator[Intent]:
        yield from write_file("/proc/self/timens_offsets", self._text())

    def shell(self) -> str:
        return f"printf {quote(self._text())} >/proc/self/timens_offsets"

    def _text(self) -> str:
        return f"monotonic {self.monotonic} 0\nboottime {self.boottime} 0\n"

    @property
    def title(self) -> str:
        return f"shift the clocks of the next time namespace by {self.monotonic} s and {self.boottime} s"
