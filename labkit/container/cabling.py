"""A running container on a cable: the plans of `labkit.container.wiring` carried out, and the traffic read.

What was half done is taken back: nothing of a cable is left that could not be laid.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv4Interface
from typing import TYPE_CHECKING

from labkit.container import looking, wiring
from labkit.container.wiring import Cable
from labkit.errors import HostDied, LabError, SpecError
from labkit.linux.constants import EEXIST
from labkit.namespaces.processes import Kill
from labkit.network.links import RemoveLink
from labkit.network.traffic import Traffic
from labkit.steps.step import Step
from labkit.steps.taking import StepFailed

if TYPE_CHECKING:
    from labkit.container.container import Container
    from labkit.container.engine import Ground

_PATIENCE = 3.0  # seconds: the kernel clears the network namespace of the dead when it has the time


def lay(lab: Ground, container: Container, address: str, *, via: str | None = None) -> Cable:
    """Lay a cable to a running container. Raises SpecError for one that cannot be, StepFailed where one step fails."""
    _check(lab, container)
    if "net" not in container.spec.namespaces:
        raise SpecError(
            f"container {container.name} has no network namespace of its own", look="lab.run(...) with it",
            likely="it shares the lab host's, and so all links that are there",
        )  # fmt: skip
    if container.cable is not None:
        raise SpecError(f"container {container.name} has a cable already", look="container.cable")
    cable = wiring.cable(container.name, address, via=via)
    _check_network(lab, cable)
    pair, *rest = wiring.laying(cable)
    _first(lab, pair)
    try:
        lab.take_all(rest)
    except BaseException:
        for step in (Kill(target=cable.helper), RemoveLink(name=cable.outside)):
            with suppress(LabError):  # it may not have come so far, or all may be gone
                lab.take_all([step])
        raise
    container.cable = cable
    return cable


def _check_network(lab: Ground, cable: Cable) -> None:
    """Raises SpecError where the lab host reaches addresses of the cable's network by another link already.

    The link of a container that has ended, or was killed, is waited for: it may take a moment to be gone.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        taken = _networks(lab)
        if (clash := wiring.clash(cable, taken)) is None:
            return
        ends = {other.cable.outside: other for other in lab.containers.values() if other.cable}
        owner = ends.get(clash)
        going = owner.killed if owner else clash.startswith("veth")
        if not going or time.monotonic() > deadline:
            raise wiring.clashing(cable, taken, clash, owner.name if owner else "")
        time.sleep(0.02)


def _networks(lab: Ground) -> dict[str, list[IPv4Interface]]:
    """The IPv4 addresses of the lab host, by link."""
    raw = lab.backend.look(["net"])
    init = raw["processes"][0]["ns"].get("net")
    found: dict[str, list[IPv4Interface]] = {}
    for row in raw["net"]:
        for link, address in row["addresses"] if row["ns"] == init else ():
            if ":" not in address:
                found.setdefault(link, []).append(IPv4Interface(address))
    return found


def _first(lab: Ground, pair: Step) -> None:
    """Make the pair; a link that went with a container of the same name may take a moment to be gone."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return lab.take_all([pair])
        except StepFailed as fault:
            if fault.errno != EEXIST or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def shape(
    lab: Ground, container: Container, changes: Mapping[str, object], *, burst: int | None, latency: int
) -> Cable:
    """Give the cable of a running container other limits."""
    _check(lab, container)
    old = _cable(container)
    new = wiring.shaped(old, **changes)
    plan = wiring.shaping(old, new, burst=burst, latency=latency)
    try:
        for goal, steps in plan.by_goal():  # one end after the other: the second may fail where the first has not
            lab.take_all(steps)
            container.cable = wiring.reached(container.cable or old, new, goal)
    except BaseException:
        with suppress(LabError):
            lab.take_all([Kill(target=old.helper)])
        raise
    container.cable = new
    return new


def traffic(lab: Ground, container: Container) -> Traffic:
    """What has gone over the cable. Raises HostDied if the container has ended meanwhile."""
    _check(lab, container)
    cable = _cable(container)
    try:
        if container._machine_pid is None:
            container._machine_pid = looking.machine_pid(container.name, container.pid, lab.backend.look([]))
        told = lab.backend.machine("traffic", {container.name: container._machine_pid})
        return Traffic.of(told[container.name][wiring.INSIDE], told["lab host"][cable.outside])
    except LookupError:
        raise HostDied(
            f"the cable of container {container.name} is gone, and its counters with it", look='lab.facts("net")'
        ) from None


def _cable(container: Container) -> Cable:
    if container.cable is None:
        raise SpecError(
            f"container {container.name} has no cable: its network namespace has only lo",
            look='container.link("10.9.0.2/24")',
        )  # fmt: skip
    return container.cable


def _check(lab: Ground, container: Container) -> None:
    lab.check_open()
    if not container.running:
        raise HostDied(
            f"container {container.name} has ended, and its network namespace with it", look="lab.run(...) again"
        )
