"""Who listens, read from the kernel's own table."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from labkit.linux import ports
from labkit.linux.calls import bind
from labkit.linux.ports import listed, listening
from labkit.namespaces.ports import Listen
from labkit.steps.call import render


@pytest.mark.parametrize("look", [listening, listed], ids=["asked over netlink", "in the table"])
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_listening_socket_is_seen_with_its_address_port_and_inode(
    family: int, address: str, look: Callable[[], Iterator[tuple[str, int, int]]]
) -> None:
    with socket.socket(family) as server:
        try:
            server.bind((address, 0))
        except OSError as error:
            pytest.skip(f"this machine has no {address}: {error}")
        mine = (address, server.getsockname()[1], os.fstat(server.fileno()).st_ino)
        assert mine not in list(look())
        server.listen()
        assert mine in list(look())
    assert mine not in list(look())


def test_a_kernel_that_does_not_answer_is_read_from_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(family: int) -> list[tuple[str, int, int]]:
        raise FileNotFoundError(2, "sock_diag")

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(ports, "_asked", refused)
        assert server.getsockname() in [row[:2] for row in listening()]


def test_nobody_listens_where_nobody_is() -> None:
    assert list(listed(2**22 + 1)) == []


def test_an_address_is_shown_as_the_headers_write_it() -> None:
    intent = next(intent for intent in Listen(port=8080, address="127.0.0.2").calls() if intent.name == "bind")
    assert 'sin_port=htons(8080), sin_addr=inet_addr("127.0.0.2")}, 16)' in render(*intent[:2])
    assert render(*bind(3, bytes(16))[:2]).endswith(", 16)")
