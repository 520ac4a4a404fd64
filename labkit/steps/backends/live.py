"""A real kernel: parts of plans go to the actors of an agent, facts come from its supervisor."""

from __future__ import annotations

import contextlib
import os
import socket
import termios
import threading
import time
from collections.abc import Sequence
from errno import EACCES, EEXIST, EINVAL, ENOENT, ENOTDIR
from typing import Any

from labkit.agent import wire
from labkit.agent.client import Channel, Client, Stuck
from labkit.agent.running import Pump, Running
from labkit.errors import ActorDied, AgentError, ClosedError, HostDied, ImageError, StepError
from labkit.linux.calls import Fd, Intent, Pid, close, kill, mkdir, move_mount, umount2
from labkit.linux.constants import MNT_DETACH, MOVE_MOUNT_F_EMPTY_PATH
from labkit.steps.backends.base import CallFailed, Ended, Facts, Images, Part, Row, Start

_STREAMS = ("stdin", "stdout", "stderr")


def _pack(intents: Sequence[Intent]) -> list[list[Any]]:
    return [wire.pack_call(*intent) for intent in intents]


class Live:
    """One agent and the lab host of the moment."""

    name = "live"

    def __init__(self, images: Images, client: Client | None = None) -> None:
        self.images = images
        self.client = client or Client()
        self.actors: dict[str, Channel] = {}
        self.running: dict[str, Running] = {}
        self.info: Facts = dict(self.client.info)
        self._leaders: dict[str, int] = {}
        self._templates: dict[int, tuple[int, tuple[Part, ...]]] = {}
        self._pump: Pump | None = None
        self._lock = threading.RLock()
        try:
            self.renew()
        except BaseException:
            self.client.close()
            raise

    def hello(self) -> Facts:
        return {**self.info, "way": self.client.way}

    def renew(self) -> Facts:
        with self._lock:
            self._let_go()
            reply, fds = self.client.ask("host")
            self.actors = {"host": Channel(socket.socket(fileno=fds[0]))}
            self.info |= reply
            return reply

    def _let_go(self) -> None:
        for running in self.running.values():
            running.abandon()
        self.running.clear()
        for leader in self._leaders.values():
            os.close(leader)
        self._leaders.clear()
        for channel in self.actors.values():
            channel.close()
        self.actors = {}
        self._templates.clear()

    def find(self, image: str) -> str:
        return self.images.find(image)

    def top(self, image: str) -> dict[str, str]:
        return self.images.top(image)

    def user(self, image: str, name: str) -> tuple[int, int] | None:
        return self.images.user(image, name)

    def attach(self, name: str, path: str) -> None:
        try:
            _, fds = self.client.ask("attach", path=path)
        except ClosedError:
            raise
        except AgentError as error:
            raise ImageError(f"{path} cannot serve as a root file system: {error.message}", likely=error.likely,
                             look=error.look) from error  # fmt: skip
        target = f"/run/lab/images/{name}"
        away = umount2(target, MNT_DETACH)._replace(tolerate=(EINVAL,))  # what lay there is another directory by now
        hang_up = move_mount(Fd("tree"), target, MOVE_MOUNT_F_EMPTY_PATH)
        part = Part("host", (mkdir(target, tolerate=(EEXIST,)), away, hang_up, close(Fd("tree"))))
        rows = self._exchange(part, {"give": {"tree": 0}}, fds)
        if rows[-1][1]:
            raise ImageError(f"image {name} cannot be attached: {os.strerror(rows[-1][1])}", look="lab.reset()")

    def take(self, part: Part) -> list[Row]:
        message: wire.Message = {}
        fds: list[int] = []
        ours: dict[str, Channel] = {}
        for child in part.children[:1]:
            mine, theirs = wire.pair()
            ours[child] = Channel(mine)
            fds.append(theirs.detach())
            message["wire"] = 0
        try:
            rows = self._exchange(part, message, fds)
        except BaseException:
            for channel in ours.values():
                channel.close()
            raise
        self._adopt(part, rows, ours)
        return rows

    def _adopt(self, part: Part, rows: list[Row], ours: dict[str, Channel]) -> None:
        born = any(i.name == "clone3" and row[0] > 0 for i, row in zip(part.intents, rows, strict=False))
        for name, channel in ours.items():
            if born:
                self.actors[name] = channel
                self._greet(channel)
            else:
                channel.close()

    @staticmethod
    def _greet(newborn: Channel) -> None:
        """Wait until it says that it has put on its name."""
        with contextlib.suppress(wire.Closed, Stuck):
            newborn.receive(0)

    def _exchange(self, part: Part, message: wire.Message, fds: Sequence[int]) -> list[Row]:
        """Send the part's calls, with `fds` (closed here), and return the rows: of the calls made, and of an exec."""
        try:
            channel = self._actor(part.who)
            if part.init:
                message = {**message, "init": part.init}
            with channel.lock:
                number = channel.send({**message, "calls": _pack(part.intents)}, fds)
                reply, _ = channel.receive(number)
                while reply.get("exec"):  # about to exec: the next thing heard is a failure, or the wire closing
                    begin = time.perf_counter_ns()
                    rows = reply["rows"]
                    try:
                        reply, _ = channel.receive(number)
                    except wire.Closed:
                        self.actors.pop(part.who).close()
                        return [*rows, [0, 0, time.perf_counter_ns() - begin, None]]
                return list(reply["rows"])
        except wire.Closed:
            raise self._died(part.who) from None
        except Stuck:
            raise StepError(
                f"process {part.who} does not come back from {part.intents[-1].name}",
                likely="the call waits for something that does not happen", look="walk.back() or lab.reset()",
            ) from None  # fmt: skip
        finally:
            for fd in fds:
                os.close(fd)

    def _actor(self, who: str) -> Channel:
        if self.client.channel.sock.fileno() < 0:
            self.client.ask("hello")  # says so
        channel = self.actors.get(who)
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
        channel = self.actors.pop(who, None)
        if channel:
            channel.close()
        if who == "host":
            return HostDied("the lab host is gone, and with it everything in it", look="lab.reset() starts a fresh one")
        return ActorDied(
            f"process {who} died before it could finish", likely="it was killed, or the init of its pid namespace was",
            look="walk.back(), or lab.reset()",
        )  # fmt: skip

    def look(self, probes: Sequence[str]) -> Facts:
        try:
            reply, fds = self.client.ask("look", probes=list(probes))
        except AgentError as error:
            if "lab host is gone" in error.message:
                raise HostDied(error.message, look="lab.reset() starts a fresh one") from error
            raise
        if fds:
            from labkit.linux import rtnl

            rtnl.fill(reply["net"], fds)
        reply.pop("seq", None)
        return reply

    def start(self, start: Start) -> int:
        with self._lock:
            return self._start(start)

    def _start(self, start: Start) -> int:
        quick = self._quick(start)
        ends, streams = _open_streams(start)
        if start.open_terminal:
            self._leaders[start.name] = streams.pop("stdout")
        status_read, status_write = (end.detach() for end in socket.socketpair())
        fds = [*ends, status_write]
        channel = None
        if not quick:
            mine, theirs = wire.pair()
            channel = Channel(mine)
            fds.append(theirs.detach())
        running = Running(start.name, channel, status_read, streams)
        try:
            pid = self._bear(start, running, channel, fds) if channel else self._use(quick, start, running, fds)
        except BaseException:
            for fd in fds:  # those that were not handed on
                os.close(fd)
            running.call_off()
            raise
        if start.tty and start.stdin:
            running.type(start.stdin)
        self.running[start.name] = running
        return pid

    def _bear(self, start: Start, running: Running, channel: Channel, fds: list[int]) -> int:
        """Send the parts; the one that spawns the process `start.name` carries its streams and a wire in `fds`."""
        helpers: list[str] = []
        try:
            return self._send_parts(start, channel, fds, helpers)
        finally:
            for helper in helpers:
                if gone := self.actors.pop(helper, None):  # one that died in between has been let go of already
                    gone.close()

    def _send_parts(self, start: Start, channel: Channel, fds: list[int], helpers: list[str]) -> int:
        parts, pid, index = list(start.parts), 0, 0
        program = start.program
        clear = {kind: list(paths) for kind, paths in start.clear.items()}
        if program != start.name:  # the wire in `fds` is the program's; its init takes steps first, on its own
            mine, theirs = wire.pair()
            self.actors[start.name] = Channel(mine)
            helpers.append(start.name)
            fds += [theirs.detach()]
            fds[4], fds[5] = fds[5], fds[4]
        while index < len(parts):
            part = parts[index]
            index += 1
            if part.who == program:
                channel.send({"calls": _pack(part.intents), "quiet": True})
                continue
            if program in part.children and program != start.name:
                rows = self._exchange(part, {"wire": 0}, _handed(fds, 1))
                self._greet(channel)
            elif start.name not in part.children:
                rows = self.take(part)
                helpers += part.children
            else:
                message: wire.Message = {"stdio": [0, 1, 2], "wire": 4, "clear": clear}
                if index < len(parts) and parts[index].who == program:
                    message["then"] = _pack(parts[index].intents)
                    index += 1
                if part.who == "host":
                    message["status"] = 3
                status = os.dup(fds[3])
                rows = self._exchange(part, message, _handed(fds, 5))
                pid = next(
                    (row[0] for i, row in zip(part.intents, rows, strict=False) if i.name == "clone3" and row[0] > 0), 0
                )
                if pid and part.who != "host":
                    adopt: wire.Message = {"adopt": [start.name, pid], "status": 0, "clear": clear}
                    self._exchange(Part("host", ()), adopt, [status])
                else:
                    os.close(status)
            if rows and rows[-1][1] and rows[-1][1] not in part.intents[len(rows) - 1].tolerate:
                raise CallFailed(part, rows)
        return pid

    def _quick(self, start: Start) -> int:
        """The number of the template that the zygote keeps for this kind of program; 0 if there is none."""
        key = id(start.template)
        if key not in self._templates:
            shape = [(part.who, part.children) for part in start.template]
            if not start.hole or shape != [("host", (start.hole,)), (start.hole, ())]:
                return 0
            number = len(self._templates) + 1
            first, then = start.template
            message = {"define": number, "then": _pack(then.intents), "hole": start.hole}
            [kept] = self._exchange(Part("host", first.intents), message, ())
            # holding the template keeps its id its own
            self._templates[key] = (number if not kept[1] else 0, start.template)
        return self._templates[key][0]

    def _use(self, number: int, start: Start, running: Running, fds: list[int]) -> int:
        """One message, one answer: when it comes the process has become its program, or has failed to."""
        clear = {kind: list(paths) for kind, paths in start.clear.items()}
        message: wire.Message = {"use": number, "name": start.name, "status": 3, "clear": clear}
        rows = self._exchange(Part("host", ()), message, _handed(fds, 4))
        first = start.template[0]
        if rows[-1][1] and rows[-1][1] not in first.intents[len(rows) - 1].tolerate:
            raise CallFailed(start.parts[0], rows)
        pid, _, _, failed = next(row for i, row in zip(first.intents, rows, strict=False) if i.name == "clone3")
        running.became(failed)
        return int(pid)

    def wait(self, name: str, timeout: float | None = None) -> Ended | None:
        running = self.running[name]
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while not running.ended:
                rest = None if deadline is None else max(0.0, deadline - time.monotonic())
                running.pump(rest)
                if rest == 0:
                    break
        finally:
            if not running.ended:
                self._background(running)
        if not running.ended:
            return None
        return _ended(running)

    def started(self, name: str) -> Ended | None:
        """Wait until `name` has become its program; its end if that is over already, or never came to be."""
        running = self.running[name]
        while not running.started or (running.failed is not None and not running.ended):
            running.pump(None)
        if not running.ended:
            self._background(running)
            return None
        return _ended(running)

    def _background(self, running: Running) -> None:
        if self._pump is None:
            self._pump = Pump()
        self._pump.add(running)

    def logs(self, name: str) -> tuple[bytes, bytes]:
        running = self.running[name]
        running.pump(0)
        return bytes(running.text["stdout"]), bytes(running.text["stderr"])

    def forget(self, name: str) -> None:
        """Drop the record of a program that has ended, or is about to, with its lab."""
        running = self.running.pop(name, None)
        if running:
            running.abandon()

    def terminal(self, name: str) -> int:
        return self._leaders.pop(name)

    def signal(self, name: str, number: int) -> None:
        row = self._exchange(Part("host", (kill(Pid(name), number),)), {}, ())[0]
        if row[1]:
            raise StepError(f"signal {number} to {name}: {os.strerror(row[1])}", errno=row[1])

    def close(self) -> None:
        with self._lock:
            if self._pump:
                self._pump.stop()
                self._pump = None
            self._let_go()
            self.client.close()


def _ended(running: Running) -> Ended:
    failed = None
    if running.failed is not None:
        index = _telling(running.failed)
        failed = (index, running.failed[index])
    return Ended(running.code, bytes(running.text["stdout"]), bytes(running.text["stderr"]), failed)


def _telling(rows: list[Row]) -> int:
    """Which of the failed calls at the end says why: of a search along PATH the one that found a file, as execvp(3)."""
    search = len(rows) - 1
    while search and rows[search - 1][1] in (ENOENT, ENOTDIR, EACCES):
        search -= 1
    found = (index for index in range(search, len(rows)) if rows[index][1] == EACCES)
    return next(found, len(rows) - 1)


def _handed(fds: list[int], count: int) -> list[int]:
    """The first `count` of `fds`, taken out: whoever gets them closes them."""
    handed, fds[:] = fds[:count], fds[count:]
    return handed


def _open_streams(start: Start) -> tuple[list[int], dict[str, int]]:
    """The child's three standard descriptors, and ours to read from."""
    if start.tty:
        leader, follower = os.openpty()
        termios.tcsetwinsize(follower, (24, 80))
        return [follower, os.dup(follower), os.dup(follower)], {"stdout": leader}
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    if start.stdin:
        source = os.memfd_create("labkit-stdin")
        view = memoryview(start.stdin)
        while view:
            view = view[os.write(source, view) :]
        os.lseek(source, 0, os.SEEK_SET)
    else:
        source = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    return [source, out_write, err_write], {"stdout": out_read, "stderr": err_read}
