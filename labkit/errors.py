"""Everything that can go wrong, in one tree.

    LabError                 anything labkit raises on purpose
    ├── AgentError           the agent cannot be started, or died
    │   └── ClosedError      this lab was closed (or belongs to the parent of a fork)
    ├── HostDied             the lab host is gone; `lab.reset()` gives a fresh one
    ├── StepError            a step failed: which call, on what, with which errno, and why that usually is
    │   └── ActorDied        the process that should take the step has gone
    ├── PlanError            a plan that cannot be: refused before the kernel is asked
    │   └── SpecError        an argument of `lab.run` and friends that cannot be
    ├── WalkError            a position that is not there: Back at 0, Go to past the end
    ├── ImageError           no such image or root file system
    ├── ReplayError          the recording does not hold what was asked of it
    └── LearnError           a question, check, fault or quiz that is declared or used wrongly
        └── QuestionOpen     the walk stands before a step whose prediction has not been made

Each says what happened in its first line, then ``likely`` (the usual cause) and ``look`` (where to look
or what to do next). Nothing is swallowed, and nothing is printed and carried on.
"""

from __future__ import annotations

#: the remedy where a lab is gone for good: in a lesson its first cell opens one
FIRST_CELL = "run the first cell again: lab = Lab() opens a new one"


class LabError(Exception):
    """What happened, and if known the likely cause and where to look next."""

    def __init__(self, message: str, *, likely: str | None = None, look: str | None = None) -> None:
        super().__init__(message)
        self.message, self.likely, self.look = message, likely, look

    def __str__(self) -> str:
        lines = [self.message]
        if self.likely:
            lines.append(f"  likely: {self.likely}")
        if self.look:
            lines.append(f"  look:   {self.look}")
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        """IPython shows this instead of a traceback: the error is part of the lesson, the stack is not."""
        return [f"{type(self).__name__}: {self}"]


class AgentError(LabError):
    """The agent cannot be started, or has died."""


class ClosedError(AgentError):
    """The lab was closed, or belongs to another process."""


class HostDied(LabError):
    """The lab host has gone."""


class StepError(LabError):
    """A step failed. `call` is the call as text, `errno` its error number (0 if the kernel was not asked)."""

    def __init__(
        self, message: str, *, call: str = "", errno: int = 0, likely: str | None = None, look: str | None = None
    ) -> None:
        super().__init__(message, likely=likely, look=look)
        self.call, self.errno = call, errno


class ActorDied(StepError):
    """The process that should take the step has gone."""


class PlanError(LabError):
    """A plan that cannot be carried out, found before the kernel was asked."""


class SpecError(PlanError):
    """An argument that cannot be."""


class WalkError(LabError):
    """A position that does not exist."""


class ImageError(LabError):
    """No such image or root file system."""


class ReplayError(LabError):
    """The recording does not hold what was asked of it."""


class LearnError(LabError):
    """A question, check, fault or quiz that is declared or used wrongly."""


class QuestionOpen(LearnError):
    """The walk stands before a step whose prediction has not been made; nothing went wrong.

    `asked` shows the question, and in a notebook takes the answer: there it is displayed in place of a traceback
    (`labkit.view.asking`).
    """

    def __init__(self, message: str, *, asked: object, look: str | None = None) -> None:
        super().__init__(message, look=look)
        self.asked = asked


def errno_name(number: int) -> str:
    """``EINVAL`` for 22, on whatever system; the number itself where the kernel knows more than labkit."""
    from labkit.linux.constants import decode  # who makes no mistake needs no tables

    text = decode("ERRNO", number)
    return f"errno {number}" if text.isdigit() else text


def errno_meaning(number: int) -> str:
    """``Invalid argument`` for 22, as Linux says it."""
    from labkit.linux.constants.errnos import MEANINGS

    return MEANINGS.get(number, f"Unknown error {number}")


def errno_text(number: int) -> str:
    """``EINVAL (Invalid argument)``."""
    return f"{errno_name(number)} ({errno_meaning(number)})" if number else "not sent to the kernel"
