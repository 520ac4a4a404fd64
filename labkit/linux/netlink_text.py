"""A message to the network stack in words, in the manner of strace: what it asks for, no more.

    >>> from labkit.linux.requests import set_link
    >>> words(set_link("eth0", up=True))
    '{RTM_SETLINK, NLM_F_REQUEST|NLM_F_ACK, {ifi_flags=IFF_UP}, IFLA_IFNAME="eth0"}'

Fields that are zero are left out. A number that is only known where the message is sent is told by what it is.

See: netlink(7), rtnetlink(7), strace(1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import ip_address

from labkit.linux.calls import Packed, Pid
from labkit.linux.constants import RTM_NEWADDR, RTM_NEWLINK, RTM_NEWQDISC, TC_H_ROOT, decode
from labkit.linux.netlink import HEADER

#: of a structure: its layout and its fields; "-" is one not worth a word
_STRUCTS: dict[str, tuple[str, str]] = {
    "ifinfomsg": ("=BxHiII", "ifi_family ifi_type ifi_index ifi_flags -"),
    "ifaddrmsg": ("=BBBBI", "ifa_family ifa_prefixlen ifa_flags ifa_scope ifa_index"),
    "tcmsg": ("=BxxxiIII", "tcm_family tcm_ifindex tcm_handle tcm_parent tcm_info"),
    "tbf_qopt": ("=BBHhHI12xIII", "- - - - - rate limit buffer mtu"),
    "htb_opt": ("=BBHhHIBBHhHIIIIII", "- - - - - rate - - - - - ceil buffer cbuffer quantum level prio"),
    "htb_glob": ("=5I", "version rate2quantum defcls debug direct_pkts"),
}
#: of a kind of attributes: each one's name, and how its value is read: as a structure, as attributes, or as below
_ATTRIBUTES: dict[str, dict[int, str]] = {
    "ifinfomsg": {1: "IFLA_ADDRESS mac", 3: "IFLA_IFNAME text", 18: "IFLA_LINKINFO info", 19: "IFLA_NET_NS_PID int"},
    "info": {1: "IFLA_INFO_KIND text", 2: "IFLA_INFO_DATA veth"},
    "veth": {1: "VETH_INFO_PEER ifinfomsg"},
    "ifaddrmsg": {1: "IFA_ADDRESS ip", 2: "IFA_LOCAL ip"},
    "tcmsg": {1: "TCA_KIND text", 2: "TCA_OPTIONS options"},
    "tbf": {1: "TCA_TBF_PARMS tbf_qopt", 6: "TCA_TBF_BURST int"},
    "htb": {1: "TCA_HTB_PARMS htb_opt", 2: "TCA_HTB_INIT htb_glob"},
}
_KINDS = {RTM_NEWLINK >> 2: "ifinfomsg", RTM_NEWADDR >> 2: "ifaddrmsg"}  # the rest, from RTM_NEWQDISC on: tcmsg
_Known = dict[int, str]  # offset in the message: what stands there


def words(message: bytes | Packed) -> str:
    """The message in words; empty for other bytes."""
    raw, known = _laid_out(message)
    if len(raw) < HEADER or struct.unpack_from("=I", raw)[0] != len(raw):
        return ""
    kind, flags = struct.unpack_from("=HH", raw, 4)
    structure = _KINDS.get(kind >> 2, "tcmsg" if kind >= RTM_NEWQDISC else "")
    if not structure:
        return ""
    parts = [decode("RTM", kind), decode("NLM_F", flags), *_fixed(structure, raw, HEADER, len(raw), known)]
    return "{" + ", ".join(parts) + "}"


def _laid_out(message: bytes | Packed) -> tuple[bytes, _Known]:
    raw, known = b"", {}
    for part in (message,) if isinstance(message, bytes) else message.parts:
        if not isinstance(part, bytes):
            known[len(raw)] = f"pid of {part.name}" if isinstance(part, Pid) else "number of that link"
        raw += part if isinstance(part, bytes) else bytes(4)
    return raw, known


def _fixed(structure: str, raw: bytes, start: int, end: int, known: _Known) -> Iterator[str]:
    """A structure, and the attributes after it."""
    shown = _fields(structure, raw, start, known)
    if shown != "{}":
        yield shown
    yield from _attributes(structure, raw, start + struct.calcsize(_STRUCTS[structure][0]), end, known)


def _fields(structure: str, raw: bytes, start: int, known: _Known) -> str:
    layout, names = _STRUCTS[structure]
    shown = []
    for name, value in zip(names.split(), struct.unpack_from(layout, raw, start), strict=True):
        word = known.get(start + 4) if name.endswith("index") else None
        if name != "-" and (value or word):
            shown.append(f"{name}={word or _number(name, value)}")
    return "{" + ", ".join(shown) + "}"


def _number(name: str, value: int) -> str:
    if name == "ifi_flags":
        return decode("IFF", value)
    if name.endswith("_family"):
        return decode("AF", value)
    if name in ("tcm_handle", "tcm_parent"):
        return "TC_H_ROOT" if value == TC_H_ROOT else handle(value)
    return str(value)


def handle(number: int) -> str:
    """The name of a queue or class as tc writes it, in hexadecimal: ``1:`` or ``1:10``."""
    below = number & 0xFFFF
    return f"{number >> 16:x}:{below:x}" if below else f"{number >> 16:x}:"


def _attributes(table: str, raw: bytes, start: int, end: int, known: _Known) -> Iterator[str]:
    kind = ""
    while start < end:
        length, number = struct.unpack_from("=HH", raw, start)
        name, _, reading = _ATTRIBUTES[table].get(number, f"attribute {number} hex").rpartition(" ")
        reading = kind if reading == "options" else reading
        value = _value(reading, raw, start + 4, start + length, known)
        kind = value.strip('"') if name == "TCA_KIND" else kind
        yield f"{name}={value}"
        start += length + 3 & ~3


def _value(reading: str, raw: bytes, start: int, end: int, known: _Known) -> str:
    if reading == "text":
        return f'"{raw[start : end - 1].decode()}"'
    if reading == "int":
        return known.get(start) or str(struct.unpack_from("=I", raw, start)[0])
    if reading == "ip":
        return str(ip_address(raw[start:end]))
    if reading == "mac":
        return raw[start:end].hex(":")
    if reading in _ATTRIBUTES:
        each = _fixed if reading in _STRUCTS else _attributes
        return "{" + ", ".join(each(reading, raw, start, end, known)) + "}"
    return _fields(reading, raw, start, known) if reading in _STRUCTS else f"0x{raw[start:end].hex()}"
