"""Messages to the kernel's network stack, as bytes, and the calls that carry one there and back.

A message is 16 bytes of header, a structure, and attributes, all in the machine's byte order and padded to four
bytes. They are put together here by hand: a plan says what it would send on any machine, while pyroute2, which
decodes what the kernel answers (`labkit.linux.rtnl`) and judges these bytes in the tests, is there on Linux only.

See: netlink(7), rtnetlink(7).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from labkit.linux.calls import Index, Intent, Packed, Ret, bind, close, recv, send, socket
from labkit.linux.constants import (
    AF_NETLINK,
    IFLA_IFNAME,
    NETLINK_ROUTE,
    NLM_F_REQUEST,
    RTM_GETLINK,
    SOCK_CLOEXEC,
    SOCK_RAW,
)

HEADER = 16  #: bytes of struct nlmsghdr
NO_LINK = bytes(16)  #: a struct ifinfomsg that says nothing
_INDEX = slice(HEADER + 4, HEADER + 8)  # where ifinfomsg, ifaddrmsg and tcmsg alike have the link's number
_ADDRESS = bytes((AF_NETLINK, 0)) + bytes(10)  # any number for ourselves


def message(kind: int, flags: int, fixed: bytes, *attributes: bytes) -> bytes:
    """One request: its header, a structure that depends on its kind, and attributes."""
    body = fixed + b"".join(attributes)
    return struct.pack("=IHHII", HEADER + len(body), kind, NLM_F_REQUEST | flags, 0, 0) + body


def attribute(number: int, value: bytes | str | int) -> bytes:
    """One attribute. Text ends with NUL; a number is one of 32 bits; bytes may be attributes again."""
    raw = value.encode() + b"\0" if isinstance(value, str) else value
    raw = struct.pack("=I", raw) if isinstance(raw, int) else raw
    return struct.pack("=HH", 4 + len(raw), number) + raw + bytes(-len(raw) % 4)


def ask(request: bytes | Packed) -> Iterator[Intent]:
    """The calls that send a request and receive what comes of it."""
    yield socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
    yield bind(Ret(0), _ADDRESS)
    yield send(Ret(0), request)
    yield recv(Ret(0), 1024)
    yield close(Ret(0))


def ask_about(link: str, request: bytes) -> Iterator[Intent]:
    """The same for a request about a link, whose number the kernel is asked for first: it knows links by numbers.

    Of the first answer only the beginning is read, where the number stands.
    """
    yield socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
    yield bind(Ret(0), _ADDRESS)
    yield send(Ret(0), message(RTM_GETLINK, 0, NO_LINK, attribute(IFLA_IFNAME, link)))
    yield recv(Ret(0), 32)
    yield send(Ret(0), Packed((request[: _INDEX.start], Index(3), request[_INDEX.stop :])))
    yield recv(Ret(0), 1024)
    yield close(Ret(0))
