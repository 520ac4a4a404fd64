"""Links, addresses, routes and queues of the network namespace in which a netlink socket was born.

A socket stays in the namespace of its birth, whoever uses it; so the notebook can ask about a
namespace that it never enters, over a socket that the supervisor made there. The answers are
decoded by pyroute2, which is imported when first needed: it takes 0.3 s. (`warm` does it before, behind the
scenes, for whoever can foresee the need.)

See: rtnetlink(7), netlink(7), network_namespaces(7).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import lru_cache
from typing import Any

from labkit.linux import qdiscs
from labkit.linux.answers import refusal
from labkit.linux.constants import (
    NLM_F_DUMP,
    NLMSG_DONE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETQDISC,
    RTM_GETROUTE,
    RTM_GETTCLASS,
    RTM_NEWQDISC,
    TC_H_ROOT,
)
from labkit.linux.netlink import HEADER, NO_LINK, message

_MAIN = 254
_COUNTED = ("rx_bytes", "rx_packets", "rx_dropped", "tx_bytes", "tx_packets", "tx_dropped")
_MADE_UP = "fe80:"  # addresses that the kernel gives by itself, some time after a link has come up
Link = tuple[str, str, bool, int, str, str]


def fill(
    rows: Iterable[dict[str, Any]], fds: list[int], read: Callable[[socket.socket], dict[str, Any]] | None = None
) -> None:
    """Give each row the tables of the namespace in which its socket, number ``row["fd"]`` of `fds`, was born.

    They are taken out of the list, and closed however it ends: a socket left open keeps its namespace alive.
    """
    with ExitStack() as ended:
        sockets = []
        while fds:  # each is in one hand at a time, whatever interrupts this
            sockets.append(ended.enter_context(socket.socket(fileno=fds.pop(0))))
        for row in rows:
            row |= (read or _tables)(sockets[row.pop("fd")])


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
    """Links, addresses, routes and queues, each in a fixed order."""
    links = {m["index"]: m for m in _dump(sock, RTM_GETLINK)}
    names = {index: m.get_attr("IFLA_IFNAME") for index, m in links.items()}
    addresses = [(names[m["index"]], f"{m.get_attr('IFA_ADDRESS')}/{m['prefixlen']}") for m in _dump(sock, RTM_GETADDR)]
    routes = [_route(m, names) for m in _dump(sock, RTM_GETROUTE) if m.get_attr("RTA_TABLE") == _MAIN]
    rows = [_link(m, names) for m in links.values()]
    queues = [m for m in _queues(sock) if m["index"] in names]
    trees = {m["index"] for m in queues if m.get_attr("TCA_KIND") == "htb"}
    classes = [m for index in trees for m in _dump(sock, RTM_GETTCLASS, index)]
    return {
        "links": sorted(rows),
        "addresses": sorted(row for row in addresses if not row[1].startswith(_MADE_UP)),
        "routes": sorted(row for row in routes if not row[0].startswith(_MADE_UP)),
        "qdiscs": sorted(qdiscs.qdisc(m, names) for m in queues),
        "classes": sorted(qdiscs.htb_class(m, names) for m in classes),
    }


def counters(sock: socket.socket) -> dict[str, Any]:
    """By the names of the links what each has counted, and ``queue_dropped``: what the queue before it has."""
    links = {m["index"]: m for m in _dump(sock, RTM_GETLINK)}
    told = {index: {name: m.get_attr("IFLA_STATS64")[name] for name in _COUNTED} for index, m in links.items()}
    for counted in told.values():
        counted["queue_dropped"] = 0
    for queue in _queues(sock):
        if queue["parent"] == TC_H_ROOT and queue["index"] in told:
            told[queue["index"]]["queue_dropped"] = queue.get_attr("TCA_STATS2").get_attr("TCA_STATS_QUEUE")["drops"]
    return {"counters": {links[index].get_attr("IFLA_IFNAME"): counted for index, counted in told.items()}}


def _queues(sock: socket.socket) -> Iterator[Any]:
    """The queues with a handle: those that somebody has put there. None where the kernel knows of no queues at all."""
    try:
        for sort, body in _answers(sock, RTM_GETQDISC):
            if struct.unpack_from("=I", body, 8)[0]:  # tcm_handle
                yield _decoded(sort, body)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:  # CONFIG_NET_SCHED
            raise


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


def _dump(sock: socket.socket, kind: int, link: int = 0) -> Iterator[Any]:
    """The messages that answer one request for a table, decoded. Raises OSError if it is refused."""
    return (_decoded(sort, body) for sort, body in _answers(sock, kind, link))


def _answers(sock: socket.socket, kind: int, link: int = 0) -> Iterator[tuple[int, bytes]]:
    """The same as they come: kind and body. Of `link` only, where the table is that of one link."""
    fixed = struct.pack("=BxxxiIII", socket.AF_UNSPEC, link, 0, 0, 0) if kind >= RTM_NEWQDISC else NO_LINK
    sock.send(message(kind, NLM_F_DUMP, fixed))
    while True:
        answer = sock.recv(1 << 18)
        while answer:
            length, sort = struct.unpack_from("=IH", answer)
            if sort == NLMSG_DONE:
                return
            if refused := refusal(answer):
                raise OSError(refused, os.strerror(refused))
            yield sort, answer[HEADER:length]
            answer = answer[(length + 3) & ~3 :]


@lru_cache(maxsize=256)
def _decoded(sort: int, body: bytes) -> Any:
    """One message. A link at rest says the same at every look, in the same bytes: they are decoded once."""
    header = struct.pack("=IHHII", HEADER + len(body), sort, 0, 0, 0)
    (decoded,) = _decoder().parse(header + body)
    return decoded
