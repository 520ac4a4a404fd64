"""What of the machine the lab host can see: attached when first needed, and images anew when they are others by now."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from labkit.cgroups.places import ROOT_V1
from labkit.container import spec
from labkit.container.names import image_of
from labkit.steps.backends.base import Backend
from labkit.steps.plan import Plan


class Attached:
    """Images and cgroup trees of one lab host. `given` tells, by an image's name there, how the student named it."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.given: dict[str, str] = {}
        self._known: dict[str, tuple[int, int]] = {}
        self._trees = False

    def image(self, image: str) -> str:
        """Make an image visible; returns its name in the lab host. Raises ImageError."""
        name, directory = image_of(image), self.backend.find(image)
        identity = _identity(directory)
        if self._known.get(name) != identity:
            self.backend.attach(name, directory)
            self._known[name] = identity
        return name

    def all_of(self, plan: Plan) -> None:
        """Make those visible from which `plan` is made."""
        for step in plan:
            for path in (*getattr(step, "lower", ()), getattr(step, "path", ""), getattr(step, "source", "")):
                self.trees([path] if path.startswith(f"{ROOT_V1}/") else ())
                if path.startswith(f"{spec.LAB}/images/"):
                    name = path.split("/")[4]
                    self.image(self.given.get(name, name))

    def trees(self, wanted: Iterable[str]) -> None:
        """Make the trees of cgroup version 1 visible, all of them, unless none of them is wanted."""
        if not self._trees and any(wanted):
            self.backend.open_trees()
            self._trees = True

    def clear(self) -> None:
        """The lab host that saw them is gone."""
        self._known.clear()
        self._trees = False


def _identity(directory: str) -> tuple[int, int]:
    """What tells a directory from another one that is made later in its place; zeros where it cannot be seen."""
    with contextlib.suppress(OSError):
        found = os.stat(directory)
        return found.st_dev, found.st_ino
    return 0, 0
