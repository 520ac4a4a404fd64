"""Running containers in a lab: names, start, exec, and what became of them.

This is `lab.run` without the images, volumes and networks that an engine also has. It makes the plan of
`labkit.container.spec` and has it carried out in one go, without looking: nobody asked to see it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar
from weakref import WeakValueDictionary

from labkit.cgroups import above
from labkit.cgroups.hold import Held
from labkit.cgroups.limits import Limits
from labkit.container import entering, looking, shell_words, spec, unstarted
from labkit.container.arguments import (
    account_of,
    argv_of,
    environment_of,
    input_of,
    namespaces_of,
    places_of,
    signal_of,
    typed_of,
    workdir_of,
)
from labkit.container.container import Container
from labkit.container.lacking import Lacking
from labkit.container.names import image_of, name_of
from labkit.container.sampler import Sampler
from labkit.container.spec import Spec
from labkit.container.terminal import Terminal
from labkit.errors import HostDied, LabError, SpecError, StepError
from labkit.image.accounts import Account, Files
from labkit.linux.constants import EEXIST, SIGKILL
from labkit.steps.backends.base import Backend, CallFailed, Ended, Start
from labkit.steps.fact import Fact
from labkit.steps.naming import Naming
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

if TYPE_CHECKING:
    from labkit.cgroups.usage import Usage

T = TypeVar("T")
_KILLED = Ended(-9)  # with its lab host
_GOING = 2.0  # seconds for what an interrupted start has left


class Ground(Protocol):
    """What the engine needs of the lab."""

    backend: Backend
    naming: Naming
    generation: int
    lacking: Lacking

    @property
    def containers(self) -> Mapping[str, Container]: ...
    def image(self, image: str) -> str: ...
    def trees(self, hold: Held) -> None: ...
    def take_all(self, steps: Sequence[Step]) -> None: ...
    def check_open(self) -> None: ...
    def snapshot(self, *probes: str) -> Snapshot: ...
    def shell(self, container: Container) -> object: ...
    def touched(self) -> None: ...


class Engine:
    """The containers of one lab host."""

    def __init__(self, lab: Ground) -> None:
        self.lab = lab
        self.containers: dict[str, Container] = {}
        self._interrupted: set[str] = set()  # names of containers whose start was; they may have left something
        self._handles: WeakValueDictionary[str, Container] = WeakValueDictionary()  # and of what was started in them
        self.sampler, self.beside = Sampler(), Sampler()  # of containers, and of the machine
        self._numbers = itertools.count(1)
        self._ceilings: list[above.Ceiling] | None = None  # read when they are asked for

    def stop_watching(self) -> None:
        """Their lab host is about to go: end what watches them."""
        self.sampler.end()
        self.beside.end()

    def reset(self, ends: Mapping[str, Ended]) -> None:
        """All of them are gone with their lab host; `ends` is what is known of how each ended."""
        for handle in list(self._handles.values()):
            if handle.returncode is None:
                with suppress(StepError):  # of one that never became its program: told to those who started it
                    self._settle(handle, ends.get(handle.name, _KILLED))
        self._handles.clear()
        self._interrupted.clear()
        self.containers.clear()
        self._numbers = itertools.count(1)

    def describe(
        self,
        image: str,
        argv: Sequence[str] | str | None = None,
        *,
        name: str | None = None,
        hostname: str | None = None,
        env: Mapping[str, str] | None = None,
        user: str | int | None = None,
        workdir: str | None = None,
        namespaces: Sequence[str] = spec.NAMESPACES,
        init: bool = False,
        tty: bool = False,
        limits: Limits | None = None,
    ) -> Spec:
        """The Spec of these arguments. Raises SpecError before anything is asked of the kernel."""
        known = image_of(image)
        missing, put_old = places_of(image, self.lab.backend.top(image))
        words, kinds = argv_of(argv), namespaces_of(namespaces)
        chosen, host = name_of(
            name,
            hostname,
            taken=self.running() if name in self.containers else self.containers,
            numbers=self._numbers,
            image=known,
        )
        if "user" in kinds and "mnt" not in kinds:
            raise SpecError("a user namespace may mount nothing in the mount namespace of others", look='add "mnt"')
        if hostname is not None and "uts" not in kinds:
            raise SpecError("without a uts namespace the hostname is that of the lab host", look="leave hostname out")
        lab, account = self.lab.lacking, self._account(user, image)
        who = None if user is None else account
        lab.check_user(who, kinds)
        self.check_above(limits)
        held = lab.hold(limits)
        lab.check_image(image, kinds, few_devices=held.devices is not None)
        return Spec(
            name=chosen, image=known, argv=words, hostname=host, namespaces=kinds,
            environment=environment_of(env, account.home), home_given="HOME" in (env or {}), user=who,
            workdir=workdir_of(workdir), init=init, tty=tty, missing=missing, put_old=put_old,
            cgroup=lab.cgroups, bind_devices=lab.rootless, hide_runtime=not lab.rootless,
            userxattr=lab.rootless, uids=lab.for_containers(), hold=held,
        )  # fmt: skip

    def _account(self, user: str | int | None, image: str) -> Account:
        return account_of(user, image, Files(*self.lab.backend.accounts(image)))

    def check_above(self, limits: Limits | None) -> None:
        """Raises SpecError for limits above those of the cgroups in which the lab runs; these are read once."""
        if limits is None or not above.concerns(limits):
            return
        if self._ceilings is None:
            self._ceilings = self.lab.backend.ceilings()
        if above.refusal(limits, self._ceilings):
            self._ceilings = self.lab.backend.ceilings()  # they may have been raised since
            if fault := above.refusal(limits, self._ceilings):
                raise fault

    def run(
        self,
        image: str,
        spec_: Spec,
        *,
        tty: bool,
        stdin: str | bytes | None,
        detach: bool,
        limits: Limits | None = None,
    ) -> Container:
        """Carry the plan of `spec_` out; wait for the end unless `detach`. `limits` are those that it was made from."""
        self.lab.image(image)
        self.lab.trees(spec_.hold)
        given = typed_of(stdin, at_end=not detach) if tty else input_of(stdin)
        start = Start(
            spec_.name, spec.template(spec_), spec.HOLE, given, tty, owner=spec_.owner(spec_.user),
            clear=spec.remains(spec_), counters=spec_.hold.counters(spec_.name),
        )  # fmt: skip
        try:
            container = self._start(start, spec_, spec_.argv, image)
            container._limits = limits
            self.containers[spec_.name] = container
        except LabError:
            raise
        except BaseException:  # an interrupt: no handle will ever end what has been started by now
            self._interrupted.add(spec_.name)
            with suppress(LabError, LookupError, OSError):
                self.lab.backend.signal(spec_.name, SIGKILL)
            raise
        return self._finish(container, detach)

    def exec(
        self,
        target: Container,
        argv: Sequence[str] | str,
        *,
        user: str | int | None,
        workdir: str | None,
        stdin: str | bytes | None,
        detach: bool,
    ) -> Container:
        """One more process in a running container; as its user and in its directory, if not told otherwise."""
        plan, name, words, owner = self._join(target, argv, user, workdir)
        kills = target.spec.hold.kills(target.spec.name)
        start = Start(name, plan.parts(), stdin=input_of(stdin), owner=owner, counters=kills, shared=True)
        container = self._enter(target, start, words, detach)
        container.hint = shell_words.hint(argv)
        return container

    def terminal(self, target: Container, argv: Sequence[str] | str = ("sh",)) -> Terminal:
        """A program with a terminal of its own in a running container."""
        plan, name, words, owner = self._join(target, argv, tty=True)
        start = Start(name, plan.parts(), tty=True, open_terminal=True, owner=owner)
        process = self._enter(target, start, words, detach=True)
        return Terminal(self.lab.backend.terminal(name), process)

    def _enter(self, target: Container, start: Start, words: tuple[str, ...], detach: bool) -> Container:
        """Start one more process in `target`."""
        try:
            process = self._start(start, target.spec, words, target.image)
            process.inside = target
            return self._finish(process, detach)
        except StepError as fault:
            raise entering.explain(self, target, fault) from fault

    def _join(
        self,
        target: Container,
        argv: Sequence[str] | str,
        user: str | int | None = None,
        workdir: str | None = None,
        tty: bool = False,
    ) -> tuple[Plan, str, tuple[str, ...], int | None]:
        """The plan for one more process in `target`, the process's name, its words, and its uid in the lab."""
        from labkit.container import joining

        self.lab.check_open()
        entering.check(self, target)
        words = argv_of(argv)
        who, spec_ = target.spec.user, target.spec
        if user is not None:
            who = self._account(user, target.image)
            spec_ = spec_.at_home(who)
        self.lab.lacking.check_user(who, target.spec.namespaces)
        where = target.spec.workdir if workdir is None else workdir_of(workdir)
        name = f"{target.name}.{next(target.numbers)}"
        plan = joining.plan(spec_, target.pid, name, words, workdir=where, user=who, tty=tty)
        return plan, name, words, spec_.owner(who)

    def _start(self, start: Start, spec_: Spec, argv: Sequence[str], image: str) -> Container:
        self.lab.touched()
        try:
            pid = self._spawn(start)
        except CallFailed as failed:
            raise unstarted.error(start.name, failed.part, failed.rows) from failed
        self.lab.naming.spawned("host", pid, start.name)
        handle = Container(self, replace(start, stdin=None), spec_, pid, argv, image)
        self._handles[start.name] = handle
        return handle

    def _spawn(self, start: Start) -> int:
        """Its pid. Where an earlier start of this name was interrupted, what that has left is given time to go."""
        deadline = time.monotonic() + _GOING
        while True:
            try:
                pid = self.lab.backend.start(start)
            except CallFailed as failed:
                if failed.rows[-1][1] != EEXIST or start.name not in self._interrupted or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
            else:
                self._interrupted.discard(start.name)
                return pid

    def _finish(self, container: Container, detach: bool) -> Container:
        if not detach:
            container._ended(self.wait(container, None))
            return container
        ended = self.lab.backend.started(container.name)
        if ended is not None:
            self._settle(container, ended)
        return container

    def wait(self, container: Container, timeout: float | None) -> Ended | None:
        """Its end. A program that could not be started has ended too, with the shell's code for why."""
        if self._gone(container):
            return None
        ended = self.lab.backend.wait(container.name, timeout)
        if ended is None or ended.failed is None:
            return ended
        self._settle(container, ended)
        return None

    def _settle(self, container: Container, ended: Ended) -> None:
        """Tell why a program did not start: as a shell does if the fault is its own, as an error if it is ours."""
        if ended.failed is not None:
            self.containers.pop(container.name, None)
        unstarted.settle(container, ended)

    def _gone(self, container: Container) -> bool:
        if container._generation != self.lab.generation:
            container._ended(_KILLED)
            return True
        self.lab.check_open()
        return False

    def kill(self, container: Container, number: int) -> None:
        """Send a signal."""
        if not self._gone(container):
            try:
                self.lab.backend.signal(container.name, signal_of(number))
            except StepError:
                if container.wait(0.5) is None:
                    raise

    def output(self, container: Container) -> tuple[str, str]:
        """What it has written so far."""
        if self._gone(container):
            return "", ""
        out, err = self.lab.backend.logs(container.name)
        return out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def running(self) -> dict[str, Container]:
        """Those that run, by name. Lets go of one whose end was told to a cell that was then interrupted."""
        for container in list(self.containers.values()):
            if container.wait(0) is not None:
                self.forget(container)
        return dict(self.containers)

    def forget(self, container: Container) -> None:
        """It has ended: its name is free again. Safe to call twice."""
        if container._generation == self.lab.generation:
            self.lab.backend.forget(container.name)
        if self.containers.get(container.name) is container:
            del self.containers[container.name]

    def facts(self, container: Container, probes: Sequence[str]) -> tuple[Fact, ...]:
        """Facts about the container's processes, their namespaces and what is in these alone."""
        if self._gone(container) or not container.running:
            raise HostDied(
                f"container {container.name} has ended: there are no facts about it", look="lab.run(...) again"
            )
        shot = self.lab.snapshot(*dict.fromkeys([*probes, "processes", "namespaces"]))
        return looking.facts_of(container.name, shot, probes)

    def usage(self, container: Container) -> Usage:
        """The counters of the container's cgroup at this moment, or at its end."""
        from labkit.cgroups.usage import Usage

        if last := container.at_end():
            return last
        name = container.name
        try:
            texts = self.counted(container, lambda pid: self.lab.backend.machine("counters", {name: pid})[name])
        except HostDied:
            if last := container.at_end():  # it has ended since
                return last
            raise
        return Usage.parse(texts)

    def counted(self, container: Container, ask: Callable[[int], T]) -> T:
        """What `ask` finds by the number that the machine knows the container's first process by."""
        self.lab.check_open()
        if not container.spec.cgroup:
            raise SpecError("this lab has no cgroups: nobody counts what a container uses", look="labkit doctor")
        try:
            if not self._gone(container) and container.running:
                if container._machine_pid is None:
                    container._machine_pid = looking.machine_pid(
                        container.name, container.pid, self.lab.backend.look([])
                    )
                if found := ask(container._machine_pid):
                    return found
        except (LookupError, ProcessLookupError):  # its cgroup is gone, or it is
            pass
        raise HostDied(
            f"container {container.name} has ended, and its counters with it",
            likely="the last counters are kept of a container that was started with limits=",
            look="lab.run(..., limits=Limits()) again",
        )

    def shell_command(self, container: Container) -> str:
        """The line that opens a shell in it from any terminal."""
        self.lab.check_open()
        return looking.shell_command(container.name, container.pid, self.lab.backend.look([]))
