"""Containers that are not there, and their watches: they use what a script says, within the limits that are set.

    from fake_watches import Pretended
    Panel(Pretended("web", cpu=0.6), Pretended("db", memory=3, past=600))

Samples are made up when they are asked for, so that a fake costs nothing and needs no thread; the past is made up too.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace

from labkit.cgroups.limits import Limits
from labkit.cgroups.samples import Event, Sample, events
from labkit.cgroups.usage import Usage
from labkit.errors import AgentError
from labkit.view.knobs import lines

MIB = 2**20


class Pretended:
    """A container that wants `cpu` CPUs and `memory` MiB more each second, and writes `disk` MiB a second."""

    def __init__(self, name, *, cpu=0.5, memory=2.0, disk=1.0, past=0.0, limits=None, phase=0.0, clock=time.time):
        self.name, self.cpu, self.memory, self.disk, self.phase = name, cpu, memory, disk, phase
        self.past, self.clock, self.set = past, clock, limits or Limits()
        self.watches = []
        self.broken = False

    def limits(self, **changes):
        """As a real one; `broken`: as one that has ended."""
        if self.broken:
            raise AgentError(f"{self.name} has ended", look="lab.run(…)")
        if changes:
            self.set = replace(self.set, **changes)
        return self.set

    def watch(self, *, hz=10):
        """Another watch of it."""
        self.watches.append(Watch(self, hz))
        return self.watches[-1]


class Watch:
    """What a watch is, made up to this moment whenever somebody asks."""

    def __init__(self, container, hz):
        self.name, self.hz, self.container = container.name, hz, container
        self.closed = False
        self.kept = []
        self._start = container.clock() - container.past
        self._ticks = itertools.count()
        self._next = next(self._ticks)
        self._usage = Usage(
            cpu=0, user=0, system=0, throttled=0, periods=0, periods_throttled=0, memory=8 * MIB, swap=0,
            events={"high": 0, "max": 0, "oom_kill": 0}, read=0, written=0, processes=3, refused=0, frozen=False,
            waited={"cpu": 0, "memory": 0, "io": 0},
        )  # fmt: skip
        self._told = None

    @property
    def samples(self):
        """All of them."""
        self._make()
        return tuple(entry for entry in self.kept if isinstance(entry, Sample))

    @property
    def events(self):
        """All of them."""
        self._make()
        return tuple(entry for entry in self.kept if isinstance(entry, Event))

    def since(self, number):
        """As a real one: what came after entry `number`."""
        self._make()
        return len(self.kept), tuple(self.kept[number:])

    def happens(self, kind, **about):
        """Let something happen now."""
        self._make()
        self.kept.append(Event(kind, self.container.clock(), **about))
        self.closed = kind == "ended"

    def close(self):
        """No more samples."""
        self.closed = True

    def _make(self):
        while not self.closed and self._start + self._next / self.hz <= self.container.clock():
            self._step(self._start + self._next / self.hz)
            self._next = next(self._ticks)

    def _step(self, at):
        box, old, step = self.container, self._usage, 1 / self.hz
        limits = lines(box.set)
        wave = 0.5 + 0.5 * math.sin((at + box.phase) / 4)
        wanted = box.cpu * (0.55 + 0.45 * wave)
        given = min(wanted, limits.get("cpu", 1e6) / 100)
        lack = wanted > given
        memory = old.memory + box.memory * MIB * step
        counts = dict(old.events)
        high = "memory_high" in limits and memory > limits["memory_high"]
        if high:
            counts["high"] += 1
            memory = old.memory + 0.2 * box.memory * MIB * step
        oom = memory > limits.get("memory", 256 * MIB)
        if oom:
            counts["oom_kill"] += 1
            memory = 8 * MIB
        pids = 3 + int(9 * wave)
        refused = pids > limits.get("pids", 1e6)
        read, written = box.disk * MIB * step * wave, box.disk * MIB * step * (1 - wave) * 0.6
        self._usage = replace(
            old, cpu=old.cpu + given * step, periods=old.periods + ("cpu" in limits),
            periods_throttled=old.periods_throttled + lack, throttled=old.throttled + (wanted - given) * step,
            memory=int(memory), events=counts, read=old.read + int(min(read, limits.get("rbps", 1e12) * step)),
            written=old.written + int(min(written, limits.get("wbps", 1e12) * step)),
            processes=min(pids, int(limits.get("pids", 1e6))), refused=old.refused + refused,
            waited={
                "cpu": old.waited["cpu"] + (1 - given / wanted) * step,
                "memory": old.waited["memory"] + 0.3 * step * high,
                "io": old.waited["io"] + 0.08 * step * wave * box.disk,
            },
        )  # fmt: skip
        told = Sample(at, self._usage)
        happened = events(self._told, told) if self._told else ()
        self.kept.append(told)
        self.kept += [replace(e, victim="dd", pid=4711) if e.kind == "oom" else e for e in happened]
        self._told = told
