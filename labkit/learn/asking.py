"""Asking the kernel on behalf of a quiz: some steps in a fresh lab host, and what is seen after them."""

from __future__ import annotations

from typing import Protocol

from labkit.learn.judging import LabLike
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step


class Renewable(LabLike, Protocol):
    """A lab that can begin anew."""

    def reset(self) -> None:
        """A fresh lab host."""


def after(lab: Renewable, *steps: Step, look: tuple[str, ...] = ("processes", "namespaces")) -> Snapshot:
    """The facts of `look` after `steps` in a fresh lab host, which is left as it is then."""
    lab.reset()
    lab.take_all(steps)
    return lab.snapshot(*look)
