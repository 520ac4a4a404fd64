"""Links, addresses and routes of the network namespace in which a netlink socket was born.

A socket stays in the namespace of its birth, whoever uses it; so the notebook can ask about a
namespace that it never enters, over a socket that the supervisor made there. The answers are
decoded by pyroute2, which is imported when first needed: it takes 0.3 s. (`warm` does it before, behind the
scenes, for whoever can foresee the need.)

See: rtnetlink(7), netlink(7), network_namespaces(7).
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import lru_cache
from typing import Any

from labkit.linux.constants.sockets import IFF_UP

_GETLINK, _GETADDR, _GETROUTE, _SETLINK = 18, 22, 26, 19
_DUMP = 0x1 | 0x300  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_HEADER = 16  # bytes of struct nlmsghdr
_MAIN = 254
Link = tuple[str, str, bool, int, str, str]


def link_up(index: int = 1) -> bytes:
    """The message that sets link number `index` up (1 is lo in every namespace), as bytes for sendto(2)."""
    header = struct.pack("=IHHII", 32, _SETLINK, 0x1 | 0x4, 0, 0)  # nlmsghdr; NLM_F_REQUEST | NLM_F_ACK
    return header + struct.pack("=BxHiII", 0, 0, index, IFF_UP, IFF_UP)  # ifinfomsg: flags, and which of them count


def refusal(answer: bytes) -> int:
    """The errno in an acknowledgement; 0 for one that says yes, or for another message. See: netlink(7) "nlmsgerr"."""
    if len(answer) < 20 or struct.unpack_from("=H", answer, 4)[0] != _ERROR:
        return 0
    return -int(struct.unpack_from("=i", answer, 16)[0])


def fill(rows: Iterable[dict[str, Any]], fds: Iterable[int]) -> None:
    """Give each row the tables of the namespace in which its socket, number ``row["fd"]`` of `fds`, was born.

    All of them are closed afterwards, however it ends: a socket left open keeps its namespace alive.
    """
    with ExitStack() as ended:
        sockets = [ended.enter_context(socket.socket(fileno=fd)) for fd in fds]
        for row in rows:
            row |= _tables(sockets[row.pop("fd")])


def warm() -> None:
    """Import the decoder in a thread, which ends with that; nothing is said of a failure: who needs it will meet it."""

    def in_silence() -> None:
        with suppress(ImportError):
            _decoder()

    threading.Thread(target=in_silence, name="labkit-warm", daemon=True).start()


def _decoder() -> Any:
    from pyroute2.netlink.rtnl.marshal import MarshalRtnl

    return MarshalRtnl()


def _tables(sock: socket.socket) -> dict[str, list[tuple[Any, ...]]]:
    """Links, addresses and routes, each in a fixed order."""
    links = {m["index"]: m for m in _dump(sock, _GETLINK)}
    names = {index: m.get_attr("IFLA_IFNAME") for index, m in links.items()}
    addresses = [(names[m["index"]], f"{m.get_attr('IFA_ADDRESS')}/{m['prefixlen']}") for m in _dump(sock, _GETADDR)]
    routes = [_route(m, names) for m in _dump(sock, _GETROUTE) if m.get_attr("RTA_TABLE") == _MAIN]
    rows = [_link(m, names) for m in links.values()]
    return {"links": sorted(rows), "addresses": sorted(addresses), "routes": sorted(routes)}


def _link(message: Any, names: dict[int, str]) -> Link:
    info = message.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info else "loopback" if message["ifi_type"] == 772 else ""
    master = names.get(message.get_attr("IFLA_MASTER") or 0, "")
    name = names[message["index"]]
    return (
        name,
        kind or "",
        bool(message["flags"] & 1),
        message.get_attr("IFLA_MTU"),
        message.get_attr("IFLA_ADDRESS") or "",
        master,
    )


def _route(message: Any, names: dict[int, str]) -> tuple[str, str, str]:
    destination = message.get_attr("RTA_DST")
    shown = f"{destination}/{message['dst_len']}" if destination else "default"
    return shown, message.get_attr("RTA_GATEWAY") or "", names.get(message.get_attr("RTA_OIF") or 0, "")


def _dump(sock: socket.socket, kind: int) -> Iterator[Any]:
    """The messages that answer one request for a table, decoded. Raises OSError if it is refused."""
    sock.send(struct.pack("=IHHIIB15x", 32, kind, _DUMP, 0, 0, socket.AF_UNSPEC))  # nlmsghdr; family, rest 0
    while True:
        answer = sock.recv(1 << 18)
        while answer:
            length, sort = struct.unpack_from("=IH", answer)
            if sort == _DONE:
                return
            if refused := refusal(answer):
                raise OSError(refused, os.strerror(refused))
            yield _decoded(sort, answer[_HEADER:length])
            answer = answer[(length + 3) & ~3 :]


@lru_cache(maxsize=256)
def _decoded(sort: int, body: bytes) -> Any:
    """One message. A link at rest says the same at every look, in the same bytes: they are decoded once."""
    header = struct.pack("=IHHII", _HEADER + len(body), sort, 0, 0, 0)
    (message,) = _decoder().parse(header + body)
    return message
