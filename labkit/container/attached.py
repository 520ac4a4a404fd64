"""The images that the lab host can see: attached when first needed, and anew when their directory is another one."""

from __future__ import annotations

import contextlib
import os

from labkit.container import spec
from labkit.container.names import image_of
from labkit.steps.backends.base import Backend
from labkit.steps.plan import Plan


class Attached:
    """The images of one lab host. `given` tells, by the name in the lab host, how the student named it."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.given: dict[str, str] = {}
        self._known: dict[str, tuple[int, int]] = {}

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
                if path.startswith(f"{spec.LAB}/images/"):
                    name = path.split("/")[4]
                    self.image(self.given.get(name, name))

    def clear(self) -> None:
        """The lab host that saw them is gone."""
        self._known.clear()


def _identity(directory: str) -> tuple[int, int]:
    """What tells a directory from another one that is made later in its place; zeros where it cannot be seen."""
    with contextlib.suppress(OSError):
        found = os.stat(directory)
        return found.st_dev, found.st_ino
    return 0, 0
