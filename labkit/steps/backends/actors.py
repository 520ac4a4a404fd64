"""The processes that take steps, as the notebook reaches them: a wire to each, by name.

A part of a plan goes down a wire and its rows come back. Who bears a child is sent a wire for it; who execs
answers by closing its own; who dies does the same, and is told of as what it was.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from labkit.agent import wire
from labkit.agent.client import Channel, Client, Stuck
from labkit.errors import ActorDied, HostDied, StepError
from labkit.linux.calls import Intent
from labkit.steps.backends.base import Part, Row
from labkit.steps.backends.silent import Silence

_SETTLING = 0.25  # seconds that the zygote has for it


class Actors:
    """The actors of one lab host; `host` is always one of them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.channels: dict[str, Channel] = {}
        self.silence = Silence(client)

    def begin(self, host: Channel, cgroup: str) -> None:
        """A lab host is there, and `host` is the wire to its zygote; `cgroup` is its own in the machine, or empty."""
        self.channels = {"host": host}
        self.silence = Silence(self.client, cgroup)

    def let_go(self, name: str = "") -> None:
        """Hang up on one, or on all; one that is not there is no error."""
        gone = [name] if name else list(self.channels)
        for each in gone:
            if channel := self.channels.pop(each, None):
                channel.close()

    def settle(self) -> None:
        """Have the zygote reap every child that has ended by now, so that their ends are told.

        Errors are ignored here, and so is a zygote that is busy, stopped or frozen: it is about to be killed.
        """
        channel = self.channels.get("host")
        if channel is None or not channel.lock.acquire(timeout=_SETTLING):
            return
        try:
            with contextlib.suppress(wire.Closed, Stuck, OSError, ValueError):
                channel.receive(channel.send({"reap": True}), _SETTLING)
        finally:
            channel.lock.release()

    def take(self, part: Part) -> list[Row]:
        """As `Backend.take`."""
        message: wire.Message = {}
        fds = wire.Owned()
        ours: dict[str, Channel] = {}
        for child in part.children[:1]:
            mine, theirs = wire.pair()
            ours[child] = Channel(mine)
            fds.append(theirs.detach())
            message["wire"] = 0
        try:
            rows = self.exchange(part, message, fds)
        except BaseException:
            for channel in ours.values():
                channel.close()
            raise
        self._adopt(part, rows, ours)
        return rows

    def _adopt(self, part: Part, rows: list[Row], ours: dict[str, Channel]) -> None:
        pid = next((row[0] for i, row in zip(part.intents, rows, strict=False) if i.name == "clone3"), 0)
        for name, channel in ours.items():
            if pid > 0:
                self.let_go(name)  # of one of the same name that has gone
                self.channels[name] = channel
                self.silence.spawned(part.who, pid, name)
                self.greet(channel, name)
            else:
                channel.close()

    def tell(self, who: str, message: wire.Message, fds: Sequence[int]) -> None:
        """Send an order to which there is no answer; the process carries it out before those that come later."""
        try:
            self._actor(who).send(message, fds)
        except wire.Closed:
            raise self._died(who) from None

    def exchange(
        self,
        part: Part,
        message: wire.Message,
        fds: wire.Owned | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Row]:
        """Send the part's calls, with `fds` (closed here), and return the rows: of the calls made, and of an exec.

        `meanwhile` is what can be done here while the calls are made there.
        """
        try:
            channel = self._actor(part.who)
            if part.init:
                message = {**message, "init": part.init}
            with channel.lock:
                number = channel.send({**message, "calls": packed(part.intents)}, fds or ())
                if meanwhile:
                    meanwhile()
                still: Callable[[], None] = lambda: self.silence.check(part.who)  # noqa: E731  asked while it is silent
                reply, _ = channel.receive(number, meanwhile=still)
                while reply.get("exec"):  # about to exec: the next thing heard is a failure, or the wire closing
                    begin = time.perf_counter_ns()
                    rows = reply["rows"]
                    try:
                        reply, _ = channel.receive(number, meanwhile=still)
                    except wire.Closed:
                        self.let_go(part.who)
                        return [*rows, [0, 0, time.perf_counter_ns() - begin, None]]
                return list(reply["rows"])
        except wire.Closed:
            raise self._died(part.who) from None
        except Stuck:
            last = part.intents[-1].name if part.intents else "its birth"
            raise StepError(
                f"process {part.who} does not come back from {last}",
                likely="the call waits for something that does not happen", look="walk.back() or lab.reset()",
            ) from None  # fmt: skip
        finally:
            if fds is not None:
                fds.close()

    def greet(self, newborn: Channel, name: str) -> None:
        """Wait until it says that it has put on its name; one that was born into a frozen cgroup does not."""
        with contextlib.suppress(wire.Closed, Stuck, StepError):
            newborn.receive(0, meanwhile=lambda: self.silence.check(name))

    def _actor(self, who: str) -> Channel:
        if self.client.channel.sock.fileno() < 0:
            self.client.ask("hello")  # says so
        channel = self.channels.get(who)
        if channel is None:
            if who == "host":
                raise self._died(who)
            raise ActorDied(
                f"there is no process called {who} that takes steps",
                likely="it was not spawned yet, or has turned into its program with exec, or died",
                look="print(walk.plan) shows who is born where; lab.reset()",
            )
        return channel

    def _died(self, who: str) -> Exception:
        self.let_go(who)
        if who == "host":
            return HostDied("the lab host is gone, and with it everything in it", look="lab.reset() starts a fresh one")
        return ActorDied(
            f"process {who} died before it could finish", likely="it was killed, or the init of its pid namespace was",
            look="walk.back(), or lab.reset()",
        )  # fmt: skip


def packed(intents: Sequence[Intent]) -> list[list[Any]]:
    """Intended calls as an actor takes them."""
    return [wire.pack_call(*intent) for intent in intents]
