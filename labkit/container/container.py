"""The handle of a container: what `lab.run` returns.

For one that was waited for it reads like `subprocess.CompletedProcess`: `returncode`, `stdout`, `stderr`.
For one that runs on it has `exec`, `kill`, `wait`, `logs`. Exit codes are those of a shell: 127 not
found, 126 not executable, 128+n ended by signal n.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.cgroups import sizes
from labkit.cgroups.hold import KILLS
from labkit.cgroups.limits import Limits
from labkit.container import entering, holding
from labkit.container.spec import Spec
from labkit.errors import LabError
from labkit.linux.constants import SIGKILL
from labkit.linux.rates import LATENCY
from labkit.steps.backends.base import Ended, Start
from labkit.steps.display import Shown
from labkit.steps.fact import PROBES, Fact

if TYPE_CHECKING:  # methods load what they need of these: few containers are linked, or have their counters read
    from labkit.cgroups.rosetta import Rosetta
    from labkit.cgroups.usage import Usage
    from labkit.container.engine import Engine
    from labkit.container.watching import Watch
    from labkit.container.wiring import Cable
    from labkit.network.traffic import Traffic


_MOMENT = 0.5  # seconds for one that was killed to go


class Container(Shown):
    """A container, running or ended. `pid` is its first process as the lab host sees it."""

    def __init__(self, engine: Engine, start: Start, spec: Spec, pid: int, argv: Sequence[str], image: str) -> None:
        self.name, self.spec, self.pid, self.argv, self.image = start.name, spec, pid, tuple(argv), image
        self.returncode: int | None = None
        self.hint = ""  # what to say of its argv: `labkit.container.shell_words`
        #: whether, while it ran, the OOM killer killed a process in its cgroup; known of those started with limits=
        self.oom_killed = False
        self.inside: Container | None = None  # of a process that was started later: the container that it runs in
        self.cable: Cable | None = None
        self.start = start
        self.numbers = itertools.count(1)  # of the processes that are started in it later
        self._engine = engine
        self._output: tuple[str, str] = ("", "")
        self._machine_pid: int | None = None  # found when it is asked for
        self._generation = engine.lab.generation
        self.killed = False  # SIGKILL was sent to it from here
        self._counters: Mapping[str, str] = {}  # of those started with limits=, what had been counted at their end
        self._limits: Limits | None = None  # set by the engine where it was started with some

    @property
    def stdout(self) -> str:
        """What it has written to standard output so far; bytes that are not UTF-8 become U+FFFD."""
        return self._read()[0]

    @property
    def stderr(self) -> str:
        """What it has written to standard error so far."""
        return self._read()[1]

    def logs(self) -> str:
        """Both outputs, standard output first (of a flood, the last 4 MiB of each)."""
        return "".join(self._read())

    @property
    def running(self) -> bool:
        """Whether it runs at this moment."""
        return self.returncode is None and self.wait(0) is None

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit code, or None if it still runs after `timeout` seconds (None: wait as long as it takes).

        Raises SpecError where that would be for ever, as it is frozen.
        """
        if timeout is None and self.wait(_MOMENT) is None:
            fault = entering.frozen(self._engine, self, "it comes to no end")
            if fault is not None:
                raise fault
        if self.returncode is None:
            self._ended(self._engine.wait(self, timeout))
        return self.returncode

    def kill(self, signal: int = SIGKILL) -> None:
        """Send `signal` to its first process. One that has ended is not an error."""
        if self.returncode is None:
            self.killed |= signal == SIGKILL
            self._engine.kill(self, signal)

    def exec(
        self,
        argv: Sequence[str] | str,
        *,
        user: str | int | None = None,
        workdir: str | None = None,
        stdin: str | bytes | None = None,
        detach: bool = False,
    ) -> Container:
        """Run one more process in it, as `lab.run` does; returns a handle of that process.

        As the container's user and in its working directory, unless told otherwise.
        """
        return self._engine.exec(self, argv, user=user, workdir=workdir, stdin=stdin, detach=detach)

    def facts(self, *probes: str) -> tuple[Fact, ...]:
        """The facts that are about its processes or its namespaces."""
        return self._engine.facts(self, probes or PROBES)

    def usage(self) -> Usage:
        """What it has used until now, or had used at its end: CPU seconds, bytes, counts.

        Raises HostDied when it has ended and was started without ``limits=``, or ended with its lab.
        """
        return self._engine.usage(self)

    def watch(self, *, hz: float = 10) -> Watch:
        """Its counters `hz` times a second, and what happens in between, until it ends or nobody holds the watch."""
        from labkit.container import watching  # makes system calls: of no use where this lab is a recording

        return watching.watch(self._engine, self, hz)

    def limits(self, **changes: Any) -> Limits:
        """Change limits while it runs, by the names of `Limits`; None takes one away. Returns those now in force.

        In force when this returns. One that it already exceeds is refused on version 1 (EBUSY) if the kernel cannot
        take enough back; version 2 writes it down, takes back what it can, and kills. Raises SpecError where it was
        started without ``limits=``.
        """
        return holding.limit(self._engine, self, changes)

    def rosetta(self, *which: str, values: bool = True) -> Rosetta:
        """The files of its cgroups in version 2 and in version 1 side by side, with what they say at this moment.

        `which`: names of files of version 2, or of controllers; without them all. Without `values` nothing is read,
        and the table is the same on every machine. Raises HostDied when it has ended.
        """
        from labkit.cgroups.rosetta import rosetta

        backend, name = self._engine.lab.backend, self.name
        said = self._engine.counted(self, lambda pid: backend.machine("files", {name: pid})[name]) if values else {}
        return rosetta(said.get("2", {}), said.get("1", {}), *which, values=values)

    def link(self, address: str, *, via: str | None = None) -> Cable:
        """Lay a cable between it and the lab host: ``container.link("10.9.0.2/24")``.

        `via` is the lab host's address on the cable; unless it is given, the first of that network that is free.
        """
        from labkit.container import cabling

        return cabling.lay(self._engine.lab, self, address, via=via)

    def shape(self, *, burst: int | None = None, latency: int = LATENCY, **changes: Any) -> Cable:
        """Limit what it sends and receives, in bits a second: ``container.shape(egress="8M", ingress=None)``.

        None takes a limit away; what is not named stays. `burst` bytes may go at once, and what would have to wait
        longer than `latency` milliseconds is dropped.
        """
        from labkit.container import cabling

        return cabling.shape(self._engine.lab, self, changes, burst=burst, latency=latency)

    def traffic(self) -> Traffic:
        """What has gone over its cable until now: bytes, packets and drops. Raises HostDied when it has ended."""
        from labkit.container import cabling

        return cabling.traffic(self._engine.lab, self)

    def shell(self) -> object:
        """A terminal in it: a widget in a notebook, and the command for any other terminal as its text."""
        return self._engine.lab.shell(self)

    @property
    def shell_command(self) -> str:
        """The command that opens a shell in it from any terminal of the machine."""
        return self._engine.shell_command(self)

    # for the engine

    def most_processes(self) -> int | None:
        """How many processes and threads it may have, as it was told by ``limits=``."""
        return self._limits.pids if self._limits else None

    def at_end(self) -> Usage | None:
        """What it had used at its end; None while it runs, or where that was not counted."""
        if not self._counters:
            return None
        from labkit.cgroups.usage import Usage

        return Usage.parse(self._counters)

    def _read(self) -> tuple[str, str]:
        if self.returncode is None:
            self._output = self._engine.output(self)
        return self._output

    def _ended(self, ended: Ended | None, code: int | None = None, said: str = "") -> None:
        if ended is not None:
            self._output = (_text(ended.stdout), _text(ended.stderr) + said)
            status = ended.code if code is None else code
            self.returncode = 137 if status is None else status if status >= 0 else 128 - status
            self.oom_killed = _kills(ended.counters) > _kills(ended.before)
            self._counters = {} if self.start.shared else ended.counters
            self._engine.forget(self)

    def _end(self) -> str:
        """How it ended, in words."""
        if not self.oom_killed:
            return f"ended with {self.returncode}"
        limits = (self.inside or self)._limits
        where = f": memory.max {sizes.shown(limits.memory)}" if limits and limits.memory is not None else ""
        itself = self.returncode == 128 + SIGKILL and not self.killed
        what = "killed by the OOM killer" if itself else "the OOM killer killed a process in it"
        return f"ended with {self.returncode} ({what}{where})"

    def __str__(self) -> str:
        """Its state and its output; never an error: what cannot be asked, of a lab of another process, is said so."""
        try:
            state = "running" if self.running else self._end()
            (out, err), remark = self._read(), []
        except LabError as fault:
            state = "not known" if self.returncode is None else self._end()
            (out, err), remark = self._output, [f"  ({fault.message})"]
        lines = [f"container {self.name} ({self.spec.image}): {' '.join(self.argv)}: {state}", *remark]
        lines += [f"  {line}" for line in out.splitlines()] + [f"  ! {line}" for line in err.splitlines()]
        if self.hint:
            lines.append(f"  look: {self.hint}")
        return "\n".join(lines)


def _kills(counters: Mapping[str, str]) -> int:
    """How many processes the OOM killer has killed, by the files that count it."""
    told = {name: text for name, text in counters.items() if name in KILLS}
    if not told:
        return 0
    from labkit.cgroups.usage import Usage

    return Usage.parse(told).events.get("oom_kill", 0)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
