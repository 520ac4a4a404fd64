"""Watching a container: its counters many times a second, and what happened in between.

    >>> watch = container.watch(hz=10)                     # doctest: +SKIP
    >>> for each in watch: print(each)                     # doctest: +SKIP
    oom: python3 (pid 4711)
    ended

What is counted goes with its cgroup: of what happened between the last sample and the end nothing is known, but whom
the kernel killed, for that its log keeps.

The kernel announces the changes of one file, cgroup.events: frozen, thawed and ended are told at once. All other
events are counters, told with the next sample.

The notebook reads the files of the container's cgroups itself; the supervisor is asked only whom the kernel has
killed, for that is root's to know. Where a controller is handed down, for another container maybe, a cgroup gets more
files: once a second a glance says whether that is so, and then the files are looked for again.

See: `labkit.linux.open_files`, `labkit.linux.kernel_log`, the kernel's admin-guide/cgroup-v2.rst, poll(2) "POLLPRI".
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labkit.cgroups import sizes
from labkit.cgroups.samples import Event, Sample, events
from labkit.cgroups.usage import Usage
from labkit.container.stream import Stream
from labkit.errors import AgentError
from labkit.linux import cgroup_files, proc
from labkit.linux.open_files import OpenFiles

if TYPE_CHECKING:
    from labkit.container.container import Container
    from labkit.container.engine import Engine

_MOST_HZ = 50
_GIVEN, _STATE = "cgroup.controllers", "cgroup.events"
_GLANCE = 1.0  # seconds


class Watch(Stream[Sample]):
    """What is seen of one container: samples, and events."""


class Counters:
    """The files of a container whose first process is `pid` in the machine, as a source of samples and events.

    `killed` asks the supervisor (`Backend.killed`); what happened up to record `told` of the log was before our time.
    Raises LookupError or ProcessLookupError where it has ended already.
    """

    def __init__(self, pid: int, killed: Callable[[], Mapping[str, Any]], told: int, root: str = "/proc") -> None:
        self._pid, self._killed, self._told, self._root = pid, killed, told, root
        self._before: Sample | None = None
        self._texts: Mapping[str, str] = {}
        self._glanced = 0.0
        self._open()
        self._taken(time.time(), self._files.texts())  # what happens from now on is news, the first sample or not

    def _open(self) -> None:
        files = cgroup_files.counters(self._pid, self._root)
        cgroup = os.path.dirname(dict(files)[_STATE])
        self._place = "/".join(cgroup.split("/")[-2:])  # h1/web: so the log calls it, too
        self._places = OpenFiles([("cgroup", f"{self._root}/{self._pid}/cgroup"), (_GIVEN, f"{cgroup}/{_GIVEN}")])
        self._seen = self._places.texts()
        self._files = OpenFiles(files)
        self.alarm = self._files.descriptor(_STATE)  # the kernel announces what changes in it

    def look(self, at: float) -> list[Sample | Event]:
        """A sample, unless the cgroup has gone, what happened since the one before, and ``ended`` if that is so."""
        texts = self._files.texts()
        moment: list[Sample | Event] = []
        alive = "populated 1" in texts.get(_STATE, "")
        if _STATE in texts:
            moment = self._taken(at, texts)
        killed = sum(each.count for each in moment if isinstance(each, Event) and each.kind == "oom")
        if killed or not alive:  # the last one's death may have taken the counter along
            moment = [each for each in moment if not (isinstance(each, Event) and each.kind == "oom")]
            moment += self._victims(at, killed, all_of_them=not alive)
        if not alive:
            moment.append(Event("ended", at))
        elif abs(at - self._glanced) >= _GLANCE:
            self._glanced = at
            self._glance()
        return moment

    def news(self, at: float) -> list[Sample | Event]:
        """What the kernel has just announced: ``frozen``, ``thawed``, or all that is to be said at the end.

        The next sample does not repeat it. No sample is taken before its turn: two in quick succession would show
        rates that nobody had.
        """
        said = self._files.texts(_STATE).get(_STATE, "")
        if "populated 1" not in said:
            return self.look(at)
        before, frozen = self._before, "frozen 1" in said
        if before is None or before.usage.frozen in (None, frozen):
            return []
        self._before = replace(before, usage=replace(before.usage, frozen=frozen))
        self._texts = {**self._texts, _STATE: said}
        return [Event("frozen" if frozen else "thawed", at)]

    def _taken(self, at: float, texts: Mapping[str, str]) -> list[Sample | Event]:
        """The sample that these texts are, and the events; of who sleeps they say what they said before."""
        before, same = self._before, texts == self._texts
        self._before = sample = Sample(at, before.usage if before and same else Usage.parse(texts))
        self._texts = texts
        return [sample, *(events(before, sample) if before and not same else ())]

    def _victims(self, at: float, count: int, *, all_of_them: bool) -> Iterator[Event]:
        """An event for each of `count` that were killed, as far as the log tells who they were, and one for the rest.

        The log is ahead of the counter by a moment: what it tells beyond the count belongs to the next sample.
        """
        try:
            rows = self._killed()["kills"]
        except AgentError:  # the lab is going, and with it who could tell
            rows = []
        mine = [row for row in rows if row[0] > self._told and f"/{self._place}/" in f"/{row[1]}/"]
        for self._told, _, name, pid in mine if all_of_them else mine[:count]:
            count -= 1
            yield Event("oom", at, victim=name, pid=pid)
        if count > 0:
            yield Event("oom", at, count)

    def _glance(self) -> None:
        """Look where the files are, if the process has moved, or its cgroup was given other controllers."""
        try:
            moved = self._places.texts() != self._seen
            if (
                moved and proc.stat(self._pid, self._root).state not in "ZX"
            ):  # the dead have left the trees of version 1
                old = self._files, self._places
                self._open()
                for files in old:
                    files.close()
        except (LookupError, ProcessLookupError):  # it is ending: the files that we have will tell
            pass

    def close(self) -> None:
        """Close the files."""
        self._files.close()
        self._places.close()


def watch(engine: Engine, container: Container, hz: float) -> Watch:
    """A watch of a container. Raises SpecError and HostDied as `usage` does, and ReplayError where nothing is live."""
    stream = Watch(container.name, sizes.number("hz", hz, 0.1, _MOST_HZ))
    engine.lab.check_open()
    killed = engine.lab.backend.killed
    told = killed()["last"]
    engine.sampler.add(stream, engine.counted(container, lambda pid: Counters(pid, killed, told)))
    return stream
