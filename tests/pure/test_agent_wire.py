"""The wire: borders of messages, descriptors, what is too large for a datagram, and the end."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from labkit.agent import wire
from labkit.agent.client import Channel, Stuck
from labkit.agent.remedies import remedy
from labkit.linux.calls import Fd, Index, Joined, Packed, Pid, Ret
from labkit.steps.trace import unpack


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = wire.pair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("size", [0, 1, 59_000, 60_001, 3_000_000])
def test_a_message_arrives_whole_whatever_its_size(ends: tuple[socket.socket, socket.socket], size: int) -> None:
    ours, theirs = ends
    for number in range(2):
        wire.send(ours, {"seq": number, "text": "x" * size})
    assert [wire.receive(theirs) for _ in range(2)] == [({"seq": n, "text": "x" * size}, []) for n in range(2)]


def test_descriptors_travel_beside_it_and_do_not_survive_an_exec(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    read, write = os.pipe()
    wire.send(ours, {"large": "x" * 100_000}, [write])
    message, [given] = wire.receive(theirs)
    assert len(message["large"]) == 100_000
    assert not os.get_inheritable(given)
    os.close(write)
    os.write(given, b"through")
    os.close(given)
    with open(read, "rb") as end:
        assert end.read() == b"through", "the sender's own copy was the only other one"


def test_the_end_of_the_other_side_is_an_event(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire.send(theirs, {"last": "words"})
    theirs.close()
    assert wire.receive(ours)[0] == {"last": "words"}
    with pytest.raises(wire.Closed):
        wire.receive(ours)
    with pytest.raises(wire.Closed):
        wire.send(ours, {})


def test_who_closes_with_something_unread_takes_its_last_words_back(ends: tuple[socket.socket, socket.socket]) -> None:
    """So an agent that cannot start reads the request before it says why."""
    ours, theirs = ends
    wire.send(ours, {"op": "hello"})
    wire.send(theirs, {"error": "why"})
    theirs.close()
    with pytest.raises(wire.Closed):
        wire.receive(ours)


def test_values_and_references_are_told_apart() -> None:
    value = ("mount", b"\x00\xff", None, 3, Ret(0), Fd("tree"), Pid("c1"), Joined(("/proc/", Pid("c1"))), {"flags": 1})
    assert wire.pack(value) == [
        "mount", {"b": "\x00\xff"}, None, 3, {"ret": 0}, {"fd": "tree"}, {"pid": "c1"},
        {"joined": ["/proc/", {"pid": "c1"}]}, {"struct": {"flags": 1}},
    ]  # fmt: skip
    message = Packed((b"\x10", Index(3), Pid("c1")))
    assert wire.pack(message) == {"packed": [{"b": "\x10"}, {"index": 3}, {"pid": "c1"}]}
    assert unpack(wire.pack(message)) == message


def test_an_answer_that_nobody_waits_for_any_more_is_dropped(ends: tuple[socket.socket, socket.socket]) -> None:
    """A cell was interrupted between question and answer."""
    ours, theirs = ends
    channel = Channel(ours)
    forgotten = channel.send({"op": "look"})
    number = channel.send({"op": "look"})
    read, write = os.pipe()
    before = len(os.listdir("/proc/self/fd"))
    for seq in (forgotten, number):
        wire.send(theirs, {"seq": seq}, [write])
    reply, fds = channel.receive(number)
    assert reply["seq"] == number
    fds.close()
    assert len(os.listdir("/proc/self/fd")) == before, "nor is its descriptor kept"
    os.close(read)
    os.close(write)


def test_patience_ends_and_meanwhile_may_say_why(ends: tuple[socket.socket, socket.socket]) -> None:
    channel = Channel(ends[0])
    number = channel.send({})
    with pytest.raises(Stuck):
        channel.receive(number, patience=0.01)
    asked = []
    with pytest.raises(Stuck):
        channel.receive(number, patience=0.01, meanwhile=lambda: asked.append(1))
    assert asked

    def complain() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        channel.receive(number, patience=30, meanwhile=complain)


@pytest.mark.parametrize(
    ("op", "number", "text", "subject", "likely"),
    [
        ("hello", 1, "unshare: Operation not permitted", "", "does not let ordinary users"),
        ("hello", 1, "Operation not permitted", "/proc/self/uid_map", "does not let ordinary users"),
        ("host", 13, "mount: Permission denied", "tmpfs", "does not let ordinary users"),
        ("host", 22, "clone3: Invalid argument", "", "lacks a namespace kind"),
        ("host", 1, "mount: Operation not permitted", "/x/proc", "new /proc or /sys may not be mounted"),
        ("hello", 28, "No space left on device", "/run/labkit/lab-1", "the run directory is full"),
        ("hello", 13, "others may write there", "/run/labkit", "the run directory is somebody else's"),
        ("attach", 2, "open_tree: No such file or directory", "/gone", "there is no such directory"),
    ],
)
def test_an_errno_becomes_advice(op: str, number: int, text: str, subject: str, likely: str) -> None:
    cause, look = remedy("root", op, number, text, subject)
    assert cause is not None
    assert likely in cause
    assert look
    assert "{" not in look


def test_what_nobody_has_foreseen_leads_to_the_doctor() -> None:
    assert remedy("sudo", "host", 5, "mount: Input/output error", "") == (None, "labkit doctor (the way in was: sudo)")


@pytest.mark.parametrize("size", [0, 100_000])
def test_an_interrupt_at_any_instruction_leaves_no_descriptor_behind(size: int) -> None:
    """What came along holds a mount or a namespace: each instruction from the socket to the caller in turn."""
    begin, place, done = len(os.listdir("/proc/self/fd")), 1, False
    while not done:
        ours, theirs = wire.pair()
        channel = Channel(theirs)
        with ours, theirs, open("/dev/null") as null:
            for number in range(2):
                wire.send(ours, {"seq": number, "text": "x" * size}, [null.fileno()] * 2)
            done = _interrupted_at(place, lambda: channel.receive(1)[1].close())  # noqa: B023 (called at once)
        place += 1
        assert len(os.listdir("/proc/self/fd")) == begin, f"instruction {place}"
    assert place > 100


def _interrupted_at(place: int, act: Callable[[], object]) -> bool:
    """Whether `act` came to its end before the instruction of that number."""
    left = place

    def strike(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(("agent/wire.py", "agent/client.py")):
            return None
        if "__del__" in {each.f_code.co_name for each, _ in traceback.walk_stack(frame)}:
            return None  # there an exception goes no further: it is for when one is on its way already
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return strike

    sys.settrace(strike)
    try:
        act()
    except KeyboardInterrupt:
        return False
    finally:
        sys.settrace(None)
    return True
