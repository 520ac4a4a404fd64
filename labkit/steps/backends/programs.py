"""Programs that run in a lab: started by an actor, looked after until they end, and told about.

There are two ways to start one. Where its plan can be made ready (`labkit.agent.prepared`) the zygote is
handed its name and its streams, and the answer says that it runs. Else its parts are sent one by one to the
actors they belong to, and the program's own process says on a wire of its own how far it came.
"""

from __future__ import annotations

import contextlib
import os
import socket
import termios
import time

from labkit.agent import wire
from labkit.agent.client import Channel
from labkit.agent.running import Pump, Running
from labkit.errors import LabError, StepError
from labkit.linux.calls import Pid, kill
from labkit.linux.constants import EACCES, ENOENT, ENOTDIR, SIGKILL
from labkit.steps.backends.actors import Actors, packed
from labkit.steps.backends.base import CallFailed, Ended, Part, Row, Start

_SLICE = 0.5  # seconds of silence after which one asks what keeps a process from becoming its program
_PATIENCE = 1.0  # seconds for the pipes of a lab host to close that is gone: they do so at once


class Programs:
    """The programs of one lab host."""

    def __init__(self, actors: Actors) -> None:
        self.actors = actors
        self.running: dict[str, Running] = {}
        self.ends: dict[str, Ended] = {}  # of those of the lab host that went last
        self._leaders: dict[str, int] = {}
        self._templates: dict[int, tuple[int, tuple[Part, ...]]] = {}
        self._pump: Pump | None = None

    def any_running(self) -> bool:
        """Whether there is one whose end is not known."""
        return any(not running.ended for running in self.running.values())

    def finish(self) -> None:
        """All of them are gone with their lab host: take what they left in their pipes, and note how each ended."""
        deadline = time.monotonic() + _PATIENCE
        self.ends = {}
        for name, running in list(self.running.items()):
            running.finish(deadline)
            self.ends[name] = _ended(running)
        self.running.clear()
        for leader in self._leaders.values():
            os.close(leader)
        self._leaders.clear()
        self._templates.clear()

    def close(self) -> None:
        """No program will be started any more."""
        if self._pump:
            self._pump.stop()
            self._pump = None

    def start(self, start: Start) -> int:
        """As `Backend.start`."""
        quick = self._quick(start)
        ends, streams, ours = _open_streams(start)
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
            if channel:
                running.watch()
                self._change_owner(start, [fds[place] for place in ours])
                pid = self._bear(start, running, channel, fds)
            else:
                pid = self._use(quick, start, running, fds, ours)
        except BaseException:
            wire.close_all(fds)  # those that were not handed on
            running.call_off()
            raise
        if start.tty and start.stdin:
            running.type(start.stdin)
        self.running[start.name] = running
        return pid

    def _change_owner(self, start: Start, streams: list[int]) -> None:
        """Have the zygote, root of the lab, change their owner. Nobody waits for it: orders are in order."""
        if start.owner is not None:
            self.actors.tell("host", {"own": [start.owner, list(range(len(streams)))]}, streams)

    def _bear(self, start: Start, running: Running, channel: Channel, fds: list[int]) -> int:
        """Send the parts; the one that spawns the process `start.name` carries its streams and a wire in `fds`."""
        helpers: list[str] = []
        try:
            return self._send_parts(start, channel, fds, helpers)
        finally:
            for helper in helpers:
                self.actors.let_go(helper)

    def _send_parts(self, start: Start, channel: Channel, fds: list[int], helpers: list[str]) -> int:
        parts, pid, index = list(start.parts), 0, 0
        program = start.program
        clear = {kind: list(paths) for kind, paths in start.clear.items()}
        if program != start.name:  # the wire in `fds` is the program's; its init takes steps first, on its own
            mine, theirs = wire.pair()
            self.actors.channels[start.name] = Channel(mine)
            helpers.append(start.name)
            fds += [theirs.detach()]
            fds[4], fds[5] = fds[5], fds[4]
        while index < len(parts):
            part = parts[index]
            index += 1
            if part.who == program:
                with contextlib.suppress(wire.Closed):  # killed already: its end tells that
                    channel.send({"calls": packed(part.intents), "quiet": True})
                continue
            if program in part.children and program != start.name:
                rows = self.actors.exchange(part, {"wire": 0}, wire.take(fds, [0]))
                self.actors.greet(channel, program)
            elif start.name not in part.children:
                rows = self.actors.take(part)
                helpers += part.children
            else:
                message: wire.Message = {"stdio": [0, 1, 2], "wire": 4, "clear": clear}
                if index < len(parts) and parts[index].who == program:
                    message["then"] = packed(parts[index].intents)
                    index += 1
                if part.who == "host":
                    message |= {"status": 3, **_counting(start)}
                status = os.dup(fds[3])
                rows = self.actors.exchange(part, message, wire.take(fds, [0] * 5))
                pid = next(
                    (row[0] for i, row in zip(part.intents, rows, strict=False) if i.name == "clone3" and row[0] > 0), 0
                )
                self.actors.silence.spawned("host", pid, start.name)
                if pid and part.who != "host":
                    adopt = {"adopt": [start.name, pid], "status": 0, "clear": clear, **_counting(start)}
                    self.actors.exchange(Part("host", ()), adopt, wire.Owned([status]))
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
            message = {"define": number, "then": packed(then.intents), "hole": start.hole}
            [kept] = self.actors.exchange(Part("host", first.intents), message)
            # holding the template keeps its id its own
            self._templates[key] = (number if not kept[1] else 0, start.template)
        return self._templates[key][0]

    def _use(self, number: int, start: Start, running: Running, fds: list[int], ours: list[int]) -> int:
        """One message, one answer: when it comes the process has become its program, or has failed to."""
        clear = {kind: list(paths) for kind, paths in start.clear.items()}
        message: wire.Message = {"use": number, "name": start.name, "status": 3, "clear": clear, **_counting(start)}
        if start.owner is not None:
            message["own"] = [start.owner, ours]
        rows = self.actors.exchange(Part("host", ()), message, wire.take(fds, [0] * 4), meanwhile=running.watch)
        first = start.template[0]
        if rows[-1][1] and rows[-1][1] not in first.intents[len(rows) - 1].tolerate:
            raise CallFailed(start.parts[0], rows)
        pid, _, _, failed = next(row for i, row in zip(first.intents, rows, strict=False) if i.name == "clone3")
        running.became(failed)
        self.actors.silence.spawned("host", pid, start.name)
        return int(pid)

    def wait(self, name: str, timeout: float | None) -> Ended | None:
        """As `Backend.wait`."""
        running = self.running.get(name)
        if running is None:  # its lab host went, and an interrupt kept that from its handle
            return self.ends.get(name, Ended(-9))
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while not running.ended:
                rest = None if deadline is None else max(0.0, deadline - time.monotonic())
                self._pump_once(running, rest)
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
            self._pump_once(running, None)
        if not running.ended:
            self._background(running)
            return None
        return _ended(running)

    def _pump_once(self, running: Running, rest: float | None) -> None:
        """As `Running.pump`; but one that comes to nothing before the program is there is to say why: StepError."""
        if running.started:
            running.pump(rest)
            return
        heard = running.pump(_SLICE if rest is None else min(rest, _SLICE))
        if not heard and rest != 0 and not running.started:
            self._check(running)

    def _check(self, running: Running) -> None:
        """Raises StepError where the process that should become the program is frozen or stopped; it is killed then."""
        try:
            self.actors.silence.check(running.name)
        except StepError:
            kill_it = Part("host", (kill(Pid(running.name), SIGKILL),))
            with contextlib.suppress(LabError):  # it may have gone meanwhile
                self.actors.exchange(kill_it, {})
            del self.running[running.name]
            running.call_off()
            raise

    def _background(self, running: Running) -> None:
        if self._pump is None:
            self._pump = Pump()
        self._pump.add(running)

    def logs(self, name: str) -> tuple[bytes, bytes]:
        """As `Backend.logs`."""
        running = self.running.get(name)
        if running is None:
            end = self.ends.get(name, Ended(-9))
            return end.stdout, end.stderr
        running.pump(0)
        return bytes(running.text["stdout"]), bytes(running.text["stderr"])

    def forget(self, name: str) -> None:
        """Drop the record of a program that has ended, or is about to, with its lab."""
        running = self.running.pop(name, None)
        if running:
            running.abandon()

    def terminal(self, name: str) -> int:
        """As `Backend.terminal`."""
        return self._leaders.pop(name)


def _ended(running: Running) -> Ended:
    failed = None
    if running.failed is not None:
        index = _telling(running.failed)
        failed = (index, running.failed[index])
    out, err = bytes(running.text["stdout"]), bytes(running.text["stderr"])
    return Ended(running.code, out, err, failed, running.counters, running.counters_before)


def _counting(start: Start) -> wire.Message:
    """What the zygote reads at its end, and where others share the files, at its start."""
    return {"count": [list(each) for each in start.counters], "shared": start.shared} if start.counters else {}


def _telling(rows: list[Row]) -> int:
    """Which of the failed calls at the end says why: of a search along PATH the one that found a file, as execvp(3)."""
    search = len(rows) - 1
    while search and rows[search - 1][1] in (ENOENT, ENOTDIR, EACCES):
        search -= 1
    found = (index for index in range(search, len(rows)) if rows[index][1] == EACCES)
    return next(found, len(rows) - 1)


def _open_streams(start: Start) -> tuple[list[int], dict[str, int], list[int]]:
    """The child's three standard descriptors, ours to read from, and which of the three were made for it alone.

    Only these may change their owner: /dev/null is the machine's.
    """
    if start.tty:
        leader, follower = os.openpty()
        termios.tcsetwinsize(follower, (24, 80))
        # The group tty is unknown in a rootless lab, whose root could then not change the owner: chown(2), CAP_CHOWN.
        os.fchown(follower, -1, os.getegid())
        os.fchmod(follower, 0o600)
        return [follower, os.dup(follower), os.dup(follower)], {"stdout": leader}, [0]
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
    made = [0, 1, 2] if start.stdin else [1, 2]
    return [source, out_write, err_write], {"stdout": out_read, "stderr": err_read}, made
