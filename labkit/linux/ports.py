"""Who listens: the TCP ports of a network namespace, as the kernel's own table gives them.

One row a socket, addresses in hexadecimal and in the machine's byte order, the state as a number. A row
names the socket by its inode; whose it is, only the links in ``/proc/<pid>/fd`` say.

See: proc(5) "/proc/net/tcp", tcp(7).
"""

from __future__ import annotations

import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTEN = "0A"  # TCP_LISTEN in the kernel's net/tcp_states.h


def listening(pid: int) -> Iterator[tuple[str, int, int]]:
    """Address, port and inode of each TCP socket that listens in the network namespace of `pid`."""
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as rows:
                lines = list(rows)[1:]
        except OSError:  # the process has gone, or this kernel has no IPv6
            continue
        for words in map(str.split, lines):
            if words[3] == _LISTEN:
                address, _, port = words[1].partition(":")
                yield socket.inet_ntop(family, _words(address)), int(port, 16), int(words[9])


def _words(address: str) -> bytes:
    """The bytes of an address that is written as 32-bit words in the machine's byte order."""
    words = [bytes.fromhex(address[i : i + 8]) for i in range(0, len(address), 8)]
    return b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
