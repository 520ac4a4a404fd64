"""Whether one more process can be started in a container, and why not.

What is known is refused at once: that it has ended, is frozen, or has as many processes as it may have. Version 2
counts a process where it is born and refuses by itself; version 1 lets any number be moved in (the kernel's
admin-guide/cgroup-v1/pids.rst), so that there the limit is held here.

See: pids.max in the kernel's admin-guide/cgroup-v2.rst, fork(2) "EAGAIN".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.errors import HostDied, SpecError, StepError
from labkit.linux.constants import EAGAIN

if TYPE_CHECKING:
    from labkit.container.container import Container
    from labkit.container.engine import Engine

_PATIENCE = 0.5  # seconds for the end of a container to be told, in the midst of which somebody wanted to enter


def check(engine: Engine, target: Container) -> None:
    """Raises SpecError where nothing can be started in `target`, StepError where it has no room."""
    if not target.running:
        raise ended(target)
    if fault := frozen(engine, target, "nothing can be started in it"):
        raise fault
    if full := _full(engine, target):
        raise full


def ended(target: Container) -> SpecError:
    """Of one that has ended."""
    return SpecError(
        f"container {target.name} has ended with {target.returncode}: nothing can be started in it",
        likely="its program has come to its end", look="print(container.logs())",
    )  # fmt: skip


def frozen(engine: Engine, target: Container, so: str) -> SpecError | None:
    """Of one that is frozen, and `so`; None of any other."""
    still = engine.lab.backend.frozen(target.spec.name)
    return still and SpecError(f"container {target.name} is frozen: {so}", likely=still[0], look=still[1])


def explain(engine: Engine, target: Container, fault: StepError) -> Exception:
    """What a failure on the way into `target` comes from: what has become of it in between, or its limits."""
    if still := frozen(engine, target, "nothing can be started in it"):
        return still
    if target.wait(_PATIENCE) is not None:
        return ended(target)
    return (_full(engine, target) if fault.errno == EAGAIN else None) or fault


def _full(engine: Engine, target: Container) -> StepError | None:
    most = target.most_processes()
    try:
        used = engine.usage(target).processes if most is not None else None
    except HostDied:
        raise ended(target) from None
    if most is None or used is None or used < most:
        return None
    return StepError(
        f"container {target.name} has no room for one more process: pids.max is {most} and {used} "
        f"{'is' if used == 1 else 'are'} in use (EAGAIN)",
        call="clone3", errno=EAGAIN, likely="its own program, and every process and thread that it has, takes a place",
        look=f"container.limits(pids={used + 1})",
    )  # fmt: skip
