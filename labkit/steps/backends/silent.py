"""Why a process of a lab host does not answer, told while it is waited for and not when patience is at an end.

A process in a frozen cgroup, or one that a signal has stopped, says nothing, and nothing fails. A caller that waits for
one asks here twice a second whether that is so.

See: `labkit.linux.freezer`, the kernel's admin-guide/cgroup-v2.rst "cgroup.freeze", signal(7) "SIGSTOP".
"""

from __future__ import annotations

import contextlib

from labkit.agent.client import Client
from labkit.errors import AgentError, StepError
from labkit.linux import freezer
from labkit.steps.naming import HOST, Naming

_ROOT = "/sys/fs/cgroup"  # where the lab host sees its own cgroup


class Silence:
    """Knows the names of one lab host's processes. `base` is the lab host's cgroup in the machine, or empty."""

    def __init__(self, client: Client, base: str = "") -> None:
        self._client, self._base = client, base
        self._naming = Naming()

    def spawned(self, parent: str, pid: int, name: str) -> None:
        """Process `parent` got `pid` when it spawned `name`."""
        self._naming.spawned(parent, pid, name)

    def frozen(self, cgroup: str) -> tuple[str, str] | None:
        """Whether a cgroup at the top of the lab host's is frozen: the cause, and what lets it go on."""
        file = freezer.frozen_by(f"{self._base}/{cgroup}") if self._base else ""
        return self._thaw(file) if file else None

    def check(self, who: str) -> None:
        """Raises StepError if `who` is frozen or stopped."""
        with contextlib.suppress(AgentError):  # the lab is going: what is waited for will say so
            rows = self._client.ask("look", probes=[])[0]["processes"]
            self._naming.see(rows)
            for pid in [row["pid"] for row in rows if self._naming.process(row["pid"]) == who]:
                self._raise(who, pid, *freezer.why_still(pid))

    def _raise(self, who: str, pid: int, state: str, file: str) -> None:
        name = "the lab host" if who == HOST else f"process {who}"
        if state == "stopped":
            look = f"kill -CONT {pid} in a terminal of the machine"
            raise StepError(f"{name} is stopped, and does nothing", likely="it was sent SIGSTOP", look=look)
        if state == "frozen":
            likely, look = self._thaw(file)
            raise StepError(f"{name} is frozen, and does nothing", likely=likely, look=look)

    def _thaw(self, file: str) -> tuple[str, str]:
        """Cause and remedy where `file` says that a cgroup is frozen: a step, if the lab host is not frozen with it."""
        where, _, name = file.rpartition("/")
        if name == freezer.STATE:
            return f"{name} is FROZEN in {where}", f"echo THAWED >{file}"
        if not f"{where}/".startswith(f"{self._base}/"):
            return f"{name} is 1 in {where}", f"echo 0 >{file}"
        inside = f"{_ROOT}{where.removeprefix(self._base)}"
        if inside in (_ROOT, f"{_ROOT}/host"):
            return f"{name} is 1 in {inside}, where the lab host is, too", "lab.reset() takes a fresh lab host"
        return f"{name} is 1 in {inside}", f'lab.take(Freeze(path="{inside}", frozen=False)) lets it go on'
