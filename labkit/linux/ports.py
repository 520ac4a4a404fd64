"""Who listens: the TCP ports of a network namespace, as the kernel tells them.

Asked over netlink it tells of those that listen and of no others. Its older table, /proc/net/tcp, costs 5 to
50 ms however few sockets there are, because the kernel looks through every chain of a hash table that is as
large as the machine's memory. It serves where a kernel has no tcp_diag.

Either names a socket by its inode; whose it is, only the links in ``/proc/<pid>/fd`` say.

See: sock_diag(7), netlink(7), proc(5) "/proc/net/tcp", tcp(7).
"""

from __future__ import annotations

import socket
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Listener = tuple[str, int, int]

_LISTEN = 10  # TCP_LISTEN in the kernel's net/tcp_states.h
_SOCK_DIAG, _BY_FAMILY, _DUMP = 4, 20, 0x1 | 0x300  # NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP
_HEADER, _REQUEST = "=IHHII", "=BBBBI48x"  # struct nlmsghdr, struct inet_diag_req_v2
_ERROR, _DONE = 2, 3


def listening() -> Iterator[Listener]:
    """Address, port and inode of each TCP socket that listens in our network namespace."""
    try:
        yield from (row for family in (socket.AF_INET, socket.AF_INET6) for row in _asked(family))
    except OSError:  # no tcp_diag in this kernel
        yield from listed()


def _asked(family: int) -> list[Listener]:
    found: list[Listener] = []
    wanted = struct.pack(_REQUEST, family, socket.IPPROTO_TCP, 0, 0, 1 << _LISTEN)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
        kernel.send(struct.pack(_HEADER, 16 + len(wanted), _BY_FAMILY, _DUMP, 1, 0) + wanted)
        while True:
            answer = kernel.recv(1 << 16)
            while answer:
                size, kind = struct.unpack_from("=IH", answer)
                if kind == _DONE:
                    return found
                if kind == _ERROR:
                    raise OSError(-struct.unpack_from("=i", answer, 16)[0], "sock_diag")
                found.append(_told(family, answer[16:size]))
                answer = answer[size + 3 & ~3 :]


def _told(family: int, message: bytes) -> Listener:
    """One struct inet_diag_msg: 4 bytes of state, the port, then from byte 8 the address, and the inode at 68."""
    (port,), (inode,) = struct.unpack_from("!H", message, 4), struct.unpack_from("=I", message, 68)
    return socket.inet_ntop(family, message[8 : 12 if family == socket.AF_INET else 24]), port, inode


def listed(pid: int | str = "self") -> Iterator[Listener]:
    """The same of the network namespace of `pid`, from the table in /proc."""
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as rows:
                lines = list(rows)[1:]
        except OSError:  # the process has gone, or this kernel has no IPv6
            continue
        for words in map(str.split, lines):
            if int(words[3], 16) == _LISTEN:
                address, _, port = words[1].partition(":")
                yield socket.inet_ntop(family, _words(address)), int(port, 16), int(words[9])


def _words(address: str) -> bytes:
    """The bytes of an address that is written as 32-bit words in the machine's byte order."""
    words = [bytes.fromhex(address[i : i + 8]) for i in range(0, len(address), 8)]
    return b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
