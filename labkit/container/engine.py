"""Running containers in a lab: names, start, exec, and what became of them.

This is `lab.run` without the images, volumes and networks that an engine also has. It makes the plan of
`labkit.container.spec` and has it carried out in one go, without looking: nobody asked to see it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from errno import EACCES, ENOENT, ENOEXEC, ENOTDIR
from typing import Protocol

from labkit.container import joining, spec
from labkit.container.arguments import argv_of, environment_of, image_of, input_of, name_of, user_of
from labkit.container.container import Container
from labkit.container.spec import Spec
from labkit.container.terminal import Terminal
from labkit.errors import HostDied, SpecError, StepError, errno_text
from labkit.linux import nsfs
from labkit.steps.backends.base import Backend, CallFailed, Ended, Part, Row, Start
from labkit.steps.call import Call
from labkit.steps.explain import TABLE
from labkit.steps.fact import Fact, Namespace, Process
from labkit.steps.naming import Naming
from labkit.steps.snapshot import Snapshot

_MISSING = (ENOENT, ENOTDIR)
_NOT_EXECUTABLE = (EACCES, ENOEXEC)


class Ground(Protocol):
    """What the engine needs of the lab."""

    backend: Backend
    naming: Naming
    generation: int
    rootless: bool
    has_cgroups: bool

    def image(self, image: str) -> str: ...
    def check_open(self) -> None: ...
    def snapshot(self, *probes: str) -> Snapshot: ...
    def shell(self, container: Container) -> object: ...
    def touched(self) -> None: ...


class Engine:
    """The containers of one lab host."""

    def __init__(self, lab: Ground) -> None:
        self.lab = lab
        self.containers: dict[str, Container] = {}
        self._numbers = itertools.count(1)

    def reset(self) -> None:
        """All of them are gone with their lab host."""
        for container in list(self.containers.values()):
            container._ended(Ended(-9))
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
    ) -> Spec:
        """The Spec of these arguments. Raises SpecError before anything is asked of the kernel."""
        known = image_of(image)
        self.lab.backend.find(image)
        words = argv_of(argv)
        chosen, host = name_of(name, hostname, taken=self.containers, numbers=self._numbers, image=known)
        try:
            nsfs.flags_of(tuple(namespaces))
        except ValueError as error:
            raise SpecError(str(error), look="man 7 namespaces") from error
        return Spec(
            name=chosen, image=known, argv=words, hostname=host, environment=environment_of(env),
            namespaces=tuple(namespaces), user=self._user(user, image), workdir=workdir or "/", init=init, tty=tty,
            cgroup=self.lab.has_cgroups, bind_devices=self.lab.rootless, userxattr=self.lab.rootless,
            uids=((0, 1, 65535),) if self.lab.rootless else ((0, 100000, 65536),),
        )  # fmt: skip

    def _user(self, user: str | int | None, image: str) -> tuple[int, int] | None:
        return user_of(user, lambda name: self.lab.backend.user(image, name))

    def run(self, image: str, spec_: Spec, *, tty: bool, stdin: str | bytes | None, detach: bool) -> Container:
        """Carry the plan of `spec_` out; wait for the end unless `detach`."""
        self.lab.image(image)
        start = Start(spec_.name, spec.template(spec_), spec.HOLE, input_of(stdin), tty, clear=spec.remains(spec_))
        container = self._start(start, spec_, spec_.argv, image)
        self.containers[spec_.name] = container
        return self._finish(container, detach)

    def exec(
        self,
        target: Container,
        argv: Sequence[str] | str,
        *,
        user: str | int | None,
        workdir: str,
        stdin: str | bytes | None,
        detach: bool,
    ) -> Container:
        """One more process in a running container."""
        self.lab.check_open()
        if not target.running:
            raise SpecError(
                f"container {target.name} has ended with {target.returncode}: nothing can be started in it",
                likely="its program has come to its end", look=f"print(lab.containers[{target.name!r}].logs())",
            )  # fmt: skip
        words = argv_of(argv)
        name = f"{target.name}.{next(self._numbers)}"
        plan = joining.plan(target.spec, target.pid, name, words, workdir=workdir, user=self._user(user, target.image))
        container = self._start(Start(name, plan.parts(), stdin=input_of(stdin)), target.spec, words, target.image)
        return self._finish(container, detach)

    def terminal(self, target: Container, argv: Sequence[str] | str = ("sh",)) -> Terminal:
        """A program with a terminal of its own in a running container."""
        self.lab.check_open()
        words = argv_of(argv)
        name = f"{target.name}.{next(self._numbers)}"
        plan = joining.plan(target.spec, target.pid, name, words, workdir="/", user=target.spec.user, tty=True)
        start = Start(name, plan.parts(), tty=True, open_terminal=True)
        process = self._finish(self._start(start, target.spec, words, target.image), detach=True)
        return Terminal(self.lab.backend.terminal(name), process)

    def _start(self, start: Start, spec_: Spec, argv: Sequence[str], image: str) -> Container:
        self.lab.touched()
        try:
            pid = self.lab.backend.start(start)
        except CallFailed as failed:
            raise _error(start.name, failed.part, failed.rows) from failed
        self.lab.naming.spawned("host", pid, start.name)
        return Container(self, start.name, spec_, pid, argv, image)

    def _finish(self, container: Container, detach: bool) -> Container:
        if not detach:
            container.wait()
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
        if ended.failed is None:
            container._ended(ended)
            return
        _, row = ended.failed
        part = next(p for p in reversed(self._parts(container)) if p.who == container.name)
        failed = part.intents[ended.failed[0]]
        self.containers.pop(container.name, None)
        if failed.name != "execve":
            container._ended(ended, 125)
            raise _error(container.name, part, [row], index=ended.failed[0])
        code = 127 if row[1] in _MISSING else 126
        why = {127: "not found", 126: "not executable"}[code]
        container._ended(ended, code, f"labkit: {container.argv[0]}: {why}: {errno_text(row[1])}\n")

    def _parts(self, container: Container) -> tuple[Part, ...]:
        if "." in container.name and container.name not in self.containers:
            plan = joining.plan(
                container.spec, 0, container.name, container.argv, workdir="/", user=container.spec.user
            )
            return plan.parts()
        return spec.plan(container.spec).parts()

    def _gone(self, container: Container) -> bool:
        if container._generation != self.lab.generation:
            container._ended(Ended(-9))
            return True
        self.lab.check_open()
        return False

    def kill(self, container: Container, number: int) -> None:
        """Send a signal."""
        if not self._gone(container):
            try:
                self.lab.backend.signal(container.name, number)
            except StepError:
                if container.wait(0.5) is None:
                    raise

    def output(self, container: Container) -> tuple[str, str]:
        """What it has written so far."""
        if self._gone(container):
            return "", ""
        out, err = self.lab.backend.logs(container.name)
        return out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def forget(self, container: Container) -> None:
        """It has ended: its name is free again."""
        if container._generation == self.lab.generation:
            self.lab.backend.forget(container.name)
        if self.containers.get(container.name) is container:
            del self.containers[container.name]

    def facts_of(self, container: Container, probes: Sequence[str]) -> tuple[Fact, ...]:
        """Facts about the container's processes, their namespaces and what is in these alone."""
        if self._gone(container):
            raise HostDied(f"container {container.name} is gone with its lab host", look="lab.run(...) again")
        wanted = tuple(dict.fromkeys([*probes, "processes", "namespaces"]))
        shot = self.lab.snapshot(*wanted)
        mine = {container.name}
        for process in shot.of_type(Process):  # parents stand before children in no order: repeat until it is stable
            if process.parent in mine or process.name in mine:
                mine.add(process.name)
        spaces = {n.name for n in shot.of_type(Namespace) if n.members and set(n.members) <= mine}
        return tuple(f for f in shot if f.probe in probes and _concerns(f, mine, spaces))

    def shell_command(self, container: Container) -> str:
        """nsenter with the pid that the real machine knows."""
        raw = self.lab.backend.look([])
        level = raw.get("depth", 1)
        for row in raw["processes"]:
            if len(row["nspid"]) > level and row["nspid"][level] == container.pid:
                return f"sudo nsenter --target {row['pid']} --all --wd=/ /bin/sh"
        raise HostDied(f"container {container.name} has no process any more", look=f"{container.name}.wait()")


def _concerns(fact: Fact, processes: set[str], spaces: set[str]) -> bool:
    about = {str(getattr(fact, name, "")) for name in ("name", "process", "ns")}
    return bool(about & (processes | spaces))


def _error(name: str, part: Part, rows: list[Row], *, index: int | None = None) -> StepError:
    """The StepError of the last row."""
    intent = part.intents[len(rows) - 1 if index is None else index]
    call = Call.from_row(part.who, intent, rows[-1])
    likely, look = TABLE.get((call.name, call.errno), (None, f"man 2 {call.name}"))
    return StepError(f"container {name}: {call}", call=call.text, errno=call.errno, likely=likely, look=look)
