"""The lab: a machine of its own, to take apart. This is the front door.

    >>> from labkit import Lab
    >>> with Lab() as lab:                                   # doctest: +SKIP
    ...     plan = lab.plans.container("busybox", hostname="c1")
    ...     walk = lab.walk(plan)
    ...     walk.next()
    ...     lab.run("busybox", ["echo", "hi"]).stdout
    'hi\\n'

A Lab is made of namespaces, cgroups and an overlay; when it is closed, or the notebook is killed,
nothing of it is left. One Lab holds one lab host at a time; `reset` takes a fresh one.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from labkit.cgroups.hold import Held
from labkit.cgroups.limits import Limits
from labkit.closing import Closing
from labkit.container import shell_words, spec
from labkit.container.attached import Attached
from labkit.container.container import Container
from labkit.container.engine import Engine
from labkit.container.lacking import Lacking
from labkit.container.names import image_given
from labkit.container.plans import Plans
from labkit.container.terminal import Terminal
from labkit.errors import FIRST_CELL, AgentError, ClosedError, LabError
from labkit.image.finding import Images
from labkit.steps import display, reading
from labkit.steps.backends import choose
from labkit.steps.call import Call
from labkit.steps.display import Shown
from labkit.steps.fact import PROBES, Fact
from labkit.steps.naming import Naming
from labkit.steps.plan import Plan, parts
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step
from labkit.steps.taking import StepFailed, outcome

if TYPE_CHECKING:
    from labkit.container.machine import MachineUsage, MachineWatch
    from labkit.learn.course import Lesson
    from labkit.learn.predict import Predict
    from labkit.steps.walk import Walk
    from labkit.view import turns

_open: weakref.WeakSet[Lab] = weakref.WeakSet()


class Lab(Closing, Shown):
    """A lab. Use it in a ``with``, or `close` it.

    `generation` counts lab hosts; `host` is the lab itself, for reading as ``lab.host.facts("mounts")``.
    With a `lesson` it goes on from the lesson's recording where this machine cannot have a lab, or lacks what the
    lesson needs; `recorded` then says when and where that was made. Raises AgentError with cause and remedy
    where a lab cannot be had.

    In a notebook a cell has the labs of one run: those that it made when it was run before are closed, whatever
    still refers to them (a result that was shown, say).
    """

    def __init__(self, lesson: Lesson | None = None) -> None:
        cell = _this_cell()
        if cell is not None:
            _by_cell().clear(cell)
        if lesson is None:
            self.backend = choose(Images())
        else:
            from labkit.doctor import notice

            lacks = notice.of(lesson.id)
            self.backend = choose(Images(), lesson=lesson.id, lacks=lacks.lacking)
        self.info: dict[str, Any] = self.backend.hello()
        self.generation = 1
        self.naming = Naming()
        self.rootless = bool(self.info.get("rootless"))
        self.lacking = Lacking(self.info)
        self._closed = False
        self._owner = os.getpid()
        self._touched = False
        self._attached = Attached(self.backend)
        self._followers: list[weakref.WeakMethod[Callable[[], None]]] = []
        self.engine = Engine(self)
        self.plans = Plans(self.engine, self._attached.given)
        try:
            self.snapshot()
            _draw(self.recorded)
            if lesson:
                notice.show(lacks, self.recorded)
        except BaseException:  # an interrupt, say: nobody will ever have this lab to close it
            self.backend.close()
            raise
        _open.add(self)
        if cell is not None:
            _by_cell().add(self, cell)

    # running

    def run(
        self,
        image: str | os.PathLike[str],
        argv: Sequence[str] | str | None = None,
        *,
        name: str | None = None,
        hostname: str | None = None,
        env: Mapping[str, str] | None = None,
        user: str | int | None = None,
        workdir: str | None = None,
        tty: bool = False,
        stdin: str | bytes | None = None,
        detach: bool = False,
        namespaces: Sequence[str] = spec.NAMESPACES,
        init: bool = False,
        limits: Limits | None = None,
    ) -> Container:
        """Run a program in a container of its own.

        `image` is the name of an image or the path of any directory; `argv` a list of words (a string is
        split into words, and no shell reads it; None is a shell). Waits and returns a `Container` with `returncode`,
        `stdout` and `stderr`; with `detach` returns as soon as the program runs. With `init` a small init is pid 1.
        With `limits` it is held to them, and all that it uses is counted; ``Limits()`` only counts. A `user` is a name
        or a number, or two with a colon for the group, looked up in the image's /etc/passwd and /etc/group, which also
        say what HOME is, unless `env` does, and which supplementary groups there are.

        Raises SpecError, ImageError, StepError. A program that is missing or not executable is no error
        but ends with 127 or 126, as in a shell.
        """
        self.check_open()
        source = image_given(image)
        chosen = self.engine.describe(
            source, argv, name=name, hostname=hostname, env=env, user=user, workdir=workdir,
            namespaces=namespaces, init=init, tty=tty, limits=limits,
        )  # fmt: skip
        container = self.engine.run(source, chosen, tty=tty, stdin=stdin, detach=detach, limits=limits)
        container.hint = shell_words.hint(argv)
        return container

    @property
    def containers(self) -> Mapping[str, Container]:
        """The running containers by name."""
        return self.engine.running()

    def terminal(self, container: Container, argv: Sequence[str] | str = ("sh",)) -> Terminal:
        """A program with a terminal of its own in `container`, for who wants to read and write it by descriptor."""
        return self.engine.terminal(container, argv)

    def shell(self, container: Container) -> object:
        """A terminal in `container`: a widget in a notebook, else the command to paste."""
        from labkit.view.terminal import shell

        return shell(self, container)

    # looking

    def snapshot(self, *probes: str) -> Snapshot:
        """The facts of `probes` at this moment (none: no facts, but everything new gets its name)."""
        self.check_open()
        return reading.snapshot(self.backend.look([p for p in probes if p != "processes"]), probes, self.naming)

    def facts(self, *probes: str) -> tuple[Fact, ...]:
        """The facts of `probes` (none: of all)."""
        return self.snapshot(*(probes or PROBES)).facts

    @property
    def host(self) -> Lab:
        """The lab host: the lab itself, seen as a machine."""
        return self

    def usage(self) -> MachineUsage:
        """What the whole machine below has used since it was booted, to stand beside a container's own figures."""
        from labkit.container import machine

        return machine.usage(self.engine)

    def watch(self, *, hz: float = 5) -> MachineWatch:
        """The same `hz` times a second, until the lab is reset or closed, or nobody holds the watch."""
        from labkit.container import machine

        return machine.watch(self.engine, hz)

    # stepping

    def walk(self, plan: Plan, *, predict: Sequence[Predict] = ()) -> Walk:
        """The step player for `plan`, at its beginning in a fresh lab host; `predict`: questions before its steps."""
        self.check_open()
        from labkit.steps.walk import Walk

        walk = Walk(self, plan)
        if predict:
            from labkit.learn.gating import attach

            attach(walk, predict)
        return walk

    def take(self, step: Step) -> tuple[Call, ...]:
        """Take one step; raises StepFailed if one of its calls fails, or cannot be made in this lab."""
        self.touched()
        return self._take([step])

    def take_all(self, steps: Sequence[Step]) -> None:
        """Take steps without looking. Raises StepFailed at the first that fails."""
        self.touched()
        self._take(steps)

    def _take(self, steps: Sequence[Step]) -> tuple[Call, ...]:
        """The calls of the last part of `steps`: of all, where it is a single step."""
        calls: tuple[Call, ...] = ()
        self.lacking.check(steps)
        try:
            for part in parts(steps):
                calls = outcome(part, self.backend.take(part), self.naming)
        except StepFailed as fault:
            self.lacking.explain(fault, steps, self.backend.ceilings)
            raise
        return calls

    def ready(self, plan: Plan) -> None:
        """Attach the images that `plan` is made from."""
        self._attached.all_of(plan)

    def image(self, image: str) -> str:
        """Make an image visible to the lab host; returns its name there. Raises ImageError."""
        return self._attached.image(image)

    def trees(self, held: Held) -> None:
        """Have the lab host see the trees of cgroup version 1 in which a container is to be held."""
        self._attached.trees(held.trees)

    @property
    def recorded(self) -> str:
        """Of a replayed lab: ``recorded on Linux 6.18.5, 24 Nov 2026``. Empty for one that is live."""
        return getattr(self.backend, "recorded", "")

    def moment(self) -> str:
        """Where the recording stands, for a walk that wants to come back; empty if nothing is recorded."""
        return self.backend.moment()

    def returned(self, moment: str) -> None:
        """All that was done since then is undone."""
        self.backend.returned(moment)

    # lifetime

    def fresh(self) -> None:
        """A fresh lab host, unless this one has not been used yet."""
        self.check_open()
        if self._touched:
            self.reset()

    def reset(self) -> None:
        """Throw the lab host away with all that is in it and take a fresh one, in some 10 to 50 ms."""
        self.check_open()
        self.engine.stop_watching()
        self.backend.renew()
        self.engine.reset(self.backend.ends())
        self.generation += 1
        self.naming = Naming()
        self._attached.clear()
        self._touched = False
        self.snapshot()
        self._followers = [follower for follower in self._followers if follower() is not None]
        for follower in self._followers:
            if method := follower():
                method()

    def on_reset(self, method: Callable[[], None]) -> None:
        """Call this bound method after each reset, as long as its object lives."""
        self._followers.append(weakref.WeakMethod(method))

    def touched(self) -> None:
        """Something is about to be done in this lab host."""
        self.check_open()
        self._touched = True

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """While this lasts, all other labs of this Python stand still, so that they take no time from this one.

        For a measurement: a lab that a notebook has forgotten may still run, as long as a shown result refers to it.
        One without cgroups goes on.
        """
        others = [lab for lab in list(_open) if lab is not self and not lab._closed]
        for lab in others:
            lab._stand_still(True)
        try:
            yield
        finally:
            for lab in others:
                lab._stand_still(False)

    def _stand_still(self, still: bool) -> None:
        with contextlib.suppress(AgentError):  # it has died, or was closed meanwhile: it takes no time either
            self.backend.freeze(still)

    def close(self) -> None:
        """End everything and leave nothing behind. Safe to call twice; in a fork it does nothing."""
        if not self._closed and os.getpid() == self._owner:
            self.engine.stop_watching()
            self._closed = True
            try:
                self.backend.close()
            finally:
                self.engine.reset(self.backend.ends())

    def check_open(self) -> None:
        """Raise ClosedError if this lab was closed, or is the parent's: a fork has its memory, but shares its wires."""
        if self._closed:
            raise ClosedError("this lab is closed", look=FIRST_CELL)
        if os.getpid() != self._owner:
            raise ClosedError(
                "this lab belongs to the process that made it; a fork cannot use it",
                look="make a Lab() of its own in the child",
            )

    def machine(self) -> dict[str, object]:
        """What a trace says of the machine: the kernel and the cgroup version, nothing that names it."""
        told = {"kernel": "kernel", "cgroup": "cgroup_mode", "way": "way"}
        return {name: self.info.get(key, "") for name, key in told.items()}

    def __str__(self) -> str:
        if self._closed or os.getpid() != self._owner:
            return f"lab (closed): {FIRST_CELL}" if self._closed else "lab (of another process)"
        try:
            running = ", ".join(self.containers) or "nothing"
        except LabError as fault:  # of one that never became its program
            running = f"not known ({fault.message})"
        return f"lab: a machine of its own, {self.recorded or self.backend.name}; running: {running}"


def _this_cell() -> turns.Cell | None:
    """The cell of a notebook that runs now: only there is it worth importing the room that knows."""
    if "IPython" not in sys.modules:
        return None
    from labkit.view import turns

    return turns.cell()


@cache
def _by_cell() -> turns.Replaced[Lab]:
    from labkit.view import turns

    return turns.Replaced(Lab.close)


def _draw(recorded: str) -> None:
    """In a notebook, let the pictures be drawn: only then is it worth importing the room that draws."""
    display.recorded(recorded)
    if "IPython" in sys.modules:
        from labkit.view import announce, install

        install()
        announce()


@atexit.register
def _close_all() -> None:
    for lab in list(_open):
        with contextlib.suppress(Exception):
            lab.close()
