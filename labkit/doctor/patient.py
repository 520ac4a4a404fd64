"""The machine under examination, with a lab open on it if one can be had."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from labkit.errors import AgentError, StepError

if TYPE_CHECKING:
    from labkit.steps.backends.live import Live
    from labkit.steps.step import Step

LINUX = sys.platform == "linux"


class Patient:
    """`lab` is there or `ill` says why not; `replayed` where recordings were asked for, and no lab is wanted.

    `now` is the clock on the wall, which no namespace can set: the one thing here that tests put something in for.
    """

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.replayed = os.environ.get("LABKIT_BACKEND") == "replay"
        self.lab: Live | None = None
        self.ill: AgentError | None = None
        if self.replayed:
            return
        try:
            self.lab = _open()
        except AgentError as error:
            self.ill = error

    @property
    def way(self) -> str:
        """The way into the lab; empty where there is none."""
        return self.lab.client.way if self.lab else ""

    def refuses(self, *steps: Step) -> StepError | None:
        """Take `steps` in the lab; the error of the one that the kernel refuses, None when all were taken."""
        from labkit.steps.naming import Naming
        from labkit.steps.plan import parts
        from labkit.steps.taking import outcome

        if not self.lab:
            return None
        try:
            for part in parts(steps):
                outcome(part, self.lab.take(part), Naming())
        except StepError as error:
            return error
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.lab:
            self.lab.close()


def _open() -> Live:
    """A lab that buries nobody: to look is not to touch. What it takes is imported on Linux only."""
    from labkit.agent import start

    start.choose()
    from labkit.agent.client import Client
    from labkit.image.finding import Images
    from labkit.steps.backends.live import Live

    return Live(Images(), Client(bury=False))


def installed(*packages: str) -> str:
    """The command that brings Debian packages."""
    return f"sudo apt-get install {' '.join(packages)}"


def one_line(text: str) -> str:
    """The first line of a text that may have many, or none."""
    return (text.strip().splitlines() or [""])[0]


def some(names: Sequence[str], most: int = 6) -> str:
    """A list in words, its end left out when it is long."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
