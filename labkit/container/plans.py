"""The plans that a lab offers: ``lab.plans.container(...)``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from labkit.container import spec
from labkit.container.engine import Engine
from labkit.container.names import image_given
from labkit.steps.plan import Plan


class Plans:
    """The plans that a lab offers. Making one asks the kernel nothing."""

    def __init__(self, engine: Engine, images: dict[str, str]) -> None:
        self._engine, self._images = engine, images

    def container(
        self, image: str | os.PathLike[str] = "busybox", argv: Sequence[str] | str | None = None, **options: Any
    ) -> Plan:
        """The steps of `lab.run(image, argv, **options)`, as a plan. Raises SpecError as `run` does."""
        options.setdefault("name", str(options.get("hostname") or "c1").partition(".")[0])
        source = image_given(image)
        described = self._engine.describe(source, argv, **options)
        self._images[described.image] = source
        return spec.plan(described)

    def link(
        self,
        container: str,
        address: str,
        *,
        via: str | None = None,
        egress: int | str | None = None,
        ingress: int | str | None = None,
    ) -> Plan:
        """The steps that lay a cable to a container that is there, and limit it: `Container.link` and `shape`."""
        from labkit.container import wiring

        laid = wiring.cable(container, address, via=via)
        return wiring.laying(wiring.shaped(laid, egress=egress, ingress=ingress))
