"""A signal to a number: whom it reaches depends on who sends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.linux.calls import Intent, kill
from labkit.linux.constants import SIGTERM, decode
from labkit.namespaces.processes import Kill, unsent
from labkit.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class SignalPid(Step):
    """Send a signal to whoever has this pid in the sender's own pid namespace.

    A pid is a number of one namespace: ``kill 1`` means the init of the namespace that the sender is in.
    And that init hears, from within, only signals that it has a handler for; not even SIGKILL. Else one
    stray kill would end a whole machine, or a whole container.

    See: kill(2), pid_namespaces(7) "The namespace init process".
    """

    pid: int
    signal: int = SIGTERM
    probes = Kill.probes

    @property
    def no_way_back(self) -> str:  # type: ignore[override]  # per step, not per class
        return unsent(self.signal)

    def calls(self) -> Iterator[Intent]:
        yield kill(self.pid, self.signal)

    def shell(self) -> str:
        return f"kill -{self._name().removeprefix('SIG')} {self.pid}"

    @property
    def title(self) -> str:
        return f"send {self._name()} to the process that is pid {self.pid} here"

    def _name(self) -> str:
        return decode("SIG", self.signal)
