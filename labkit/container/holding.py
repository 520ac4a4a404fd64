"""A running container is held to other limits than those with which it was started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from labkit.cgroups.limits import Limits
from labkit.errors import HostDied, SpecError

if TYPE_CHECKING:
    from labkit.container.container import Container
    from labkit.container.engine import Engine


def limit(engine: Engine, container: Container, changes: Mapping[str, Any]) -> Limits:
    """Hold it to these from now on; returns all that are in force. Raises SpecError, StepError, HostDied."""
    before = container._limits
    if before is None:
        raise SpecError(
            f"container {container.name} was started without limits, so that nobody is there to hold it",
            likely="it is in no cgroup of this lab that has controllers",
            look="lab.run(..., limits=Limits())",
        )
    if not changes:  # asking costs nothing, so that a panel may ask again and again
        return before
    if not container.running:
        raise HostDied(f"container {container.name} has ended: it uses nothing any more", look="lab.run(...) again")
    if unknown := set(changes) - {each.name for each in fields(Limits)}:
        raise SpecError(f"there is no limit called {min(unknown)}", look="help(Limits)")
    wanted = replace(before, **changes)
    engine.check_above(replace(Limits(), **changes))
    engine.lab.take_all(tuple(engine.lab.lacking.change(before, wanted).setting(container.name)))
    container._limits = wanted
    return wanted
