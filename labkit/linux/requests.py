"""What labkit asks of the network stack: links, addresses, queues, each request as one message.

Where a request is about a link that is there, its number is left open: `labkit.linux.netlink.ask_about` fills it in.

See: rtnetlink(7), veth(4), tc-tbf(8), tc-htb(8).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from labkit.linux import rates
from labkit.linux.calls import Packed, Pid
from labkit.linux.constants import (
    AF_INET,
    IFA_ADDRESS,
    IFA_LOCAL,
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_NET_NS_PID,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_DELQDISC,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWQDISC,
    RTM_NEWTCLASS,
    RTM_SETLINK,
    TC_H_ROOT,
    TC_LINKLAYER_ETHERNET,
    TCA_HTB_INIT,
    TCA_HTB_PARMS,
    TCA_KIND,
    TCA_OPTIONS,
    TCA_TBF_BURST,
    TCA_TBF_PARMS,
    VETH_INFO_PEER,
)
from labkit.linux.netlink import NO_LINK, attribute, message

if TYPE_CHECKING:
    from ipaddress import IPv4Interface

_MAKE = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
_PUT = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE
_HTB_VERSION, _RATE_TO_QUANTUM = 3, 10


def veth(name: str, mac: str, peer: str, peer_mac: str, process: str) -> Packed:
    """Make a pair of links; the peer's end is born in the network namespace of `process`."""
    hole = b"\xff\xfe\xfd\xfc"
    end = [attribute(IFLA_IFNAME, peer), attribute(IFLA_ADDRESS, _mac(peer_mac)), attribute(IFLA_NET_NS_PID, hole)]
    data = attribute(VETH_INFO_PEER, NO_LINK + b"".join(end))
    info = attribute(IFLA_INFO_KIND, "veth") + attribute(IFLA_INFO_DATA, data)
    named = [attribute(IFLA_IFNAME, name), attribute(IFLA_ADDRESS, _mac(mac)), attribute(IFLA_LINKINFO, info)]
    before, after = message(RTM_NEWLINK, _MAKE, NO_LINK, *named).split(hole)
    return Packed((before, Pid(process), after))


def remove_link(name: str) -> bytes:
    """Remove a link; with one end of a pair the other goes, too."""
    return message(RTM_DELLINK, NLM_F_ACK, NO_LINK, attribute(IFLA_IFNAME, name))


def set_link(name: str, *, up: bool) -> bytes:
    """Set a link up or down: flags, and which of them count."""
    fixed = struct.pack("=BxHiII", 0, 0, 0, IFF_UP * up, IFF_UP)
    return message(RTM_SETLINK, NLM_F_ACK, fixed, attribute(IFLA_IFNAME, name))


def loopback_up() -> bytes:
    """Set the link with number 1 up, which is lo in every network namespace."""
    return message(RTM_SETLINK, NLM_F_ACK, struct.pack("=BxHiII", 0, 0, 1, IFF_UP, IFF_UP))


def address(what: IPv4Interface, *, remove: bool = False) -> bytes:
    """Give a link an address, or take it away."""
    fixed = struct.pack("=BBBBI", AF_INET, what.network.prefixlen, 0, 0, 0)  # flags, scope: universe; the link's number
    both = (attribute(number, what.ip.packed) for number in (IFA_LOCAL, IFA_ADDRESS))
    return message(RTM_DELADDR, NLM_F_ACK, fixed, *both) if remove else message(RTM_NEWADDR, _MAKE, fixed, *both)


def tbf(handle: int, *, rate: int, burst: int, limit: int) -> bytes:
    """Put a token bucket before a link: `rate` in bits a second, `burst` and `limit` in bytes."""
    parameters = _ratespec(rate) + bytes(12) + struct.pack("=III", limit, rates.ticks(rate, burst), 0)  # no peak rate
    options = attribute(TCA_TBF_PARMS, parameters) + attribute(TCA_TBF_BURST, burst)
    return message(RTM_NEWQDISC, _PUT, _tcmsg(handle, TC_H_ROOT), attribute(TCA_KIND, "tbf"), _options(options))


def htb(handle: int, *, default: int) -> bytes:
    """Put a tree of classes before a link; what no filter sends elsewhere goes to class `default`."""
    options = attribute(TCA_HTB_INIT, struct.pack("=5I", _HTB_VERSION, _RATE_TO_QUANTUM, default, 0, 0))
    return message(RTM_NEWQDISC, _MAKE, _tcmsg(handle, TC_H_ROOT), attribute(TCA_KIND, "htb"), _options(options))


def htb_class(handle: int, parent: int, *, rate: int, ceil: int, burst: int) -> bytes:
    """Make or change a class of such a tree: what it is sure of, and what it may have if others leave it."""
    buffers = (rates.ticks(rate, burst), rates.ticks(ceil, burst))
    options = attribute(TCA_HTB_PARMS, _ratespec(rate) + _ratespec(ceil) + struct.pack("=5I", *buffers, 0, 0, 0))
    return message(RTM_NEWTCLASS, _PUT, _tcmsg(handle, parent), attribute(TCA_KIND, "htb"), _options(options))


def remove_qdisc() -> bytes:
    """Take away the queue that was put before a link, and all below it."""
    return message(RTM_DELQDISC, NLM_F_ACK, _tcmsg(0, TC_H_ROOT))


def _options(raw: bytes) -> bytes:
    return attribute(TCA_OPTIONS, raw)


def _tcmsg(handle: int, parent: int) -> bytes:
    return struct.pack("=BxxxiIII", 0, 0, handle, parent, 0)


def _ratespec(rate: int) -> bytes:
    return struct.pack("=BBHhHI", 0, TC_LINKLAYER_ETHERNET, 0, 0, 0, rate // 8)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
