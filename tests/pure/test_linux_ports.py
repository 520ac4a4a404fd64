"""Who listens, read from the kernel's own table."""

from __future__ import annotations

import os
import socket

import pytest

from labkit.linux.calls import bind
from labkit.linux.ports import listening
from labkit.namespaces.ports import Listen
from labkit.steps.call import render


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_listening_socket_is_seen_with_its_address_port_and_inode(family: int, address: str) -> None:
    with socket.socket(family) as server:
        try:
            server.bind((address, 0))
        except OSError as error:
            pytest.skip(f"this machine has no {address}: {error}")
        mine = (address, server.getsockname()[1], os.fstat(server.fileno()).st_ino)
        assert mine not in list(listening(os.getpid()))
        server.listen()
        assert mine in list(listening(os.getpid()))
    assert mine not in list(listening(os.getpid()))


def test_nobody_listens_where_nobody_is() -> None:
    assert list(listening(2**22 + 1)) == []


def test_an_address_is_shown_as_the_headers_write_it() -> None:
    intent = next(intent for intent in Listen(port=8080, address="127.0.0.2").calls() if intent.name == "bind")
    assert 'sin_port=htons(8080), sin_addr=inet_addr("127.0.0.2")}, 16)' in render(*intent[:2])
    assert render(*bind(3, bytes(16))[:2]).endswith(", 16)")
