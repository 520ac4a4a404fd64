"""The examination: which checks there are, in which order, and what is done about what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from labkit.doctor.finding import Finding, Report
from labkit.doctor.patient import LINUX, Patient

Check = Callable[[Patient], Iterator[Finding]]


def checks(*, in_class: bool = False) -> Iterator[tuple[str, tuple[Check, ...]]]:
    """The groups of the page with their checks; on another system than Linux those that have a meaning there."""
    from labkit.doctor import clock, fonts, hall, kernel, room, software

    if not LINUX:
        yield "the machine", (kernel.elsewhere, room.disk, clock.clock)
        yield "the notebook", (software.jupyter, software.widgets, fonts.fonts)
        if in_class:
            yield "the class", (hall.theme, hall.answers, hall.offline)
        return
    from labkit.doctor import features, leftovers, network, security, stores, virtual, way

    yield "the machine", (kernel.kernel, room.memory, room.disk, clock.clock, virtual.nested)
    yield "the way into a lab", (way.way_in, way.switches, security.modules)
    yield "what the lessons need of the kernel", (features.features,)
    yield "the network", (network.forwarding, network.subnets, network.port)
    yield "the notebook", (software.jupyter, software.widgets, stores.images, stores.manual, fonts.fonts)
    yield "what dead labs left", (leftovers.leftovers,)
    if in_class:
        yield "the class", (hall.reset, hall.theme, hall.answers, hall.offline)


def examine(*, in_class: bool = False) -> Report:
    """The whole report; a lab is open meanwhile. With `in_class` also what counts five minutes before a class."""
    _draw()
    with Patient() as patient:
        return Report(
            tuple(
                (title, tuple(finding for check in group for finding in check(patient)))
                for title, group in checks(in_class=in_class)
            )
        )


def cure(report: Report) -> list[str]:
    """Do all that is safe about what was found; what was done, or could not be, a sentence each."""
    cures = dict.fromkeys(finding.cure for finding in report if finding.cure)  # one cure may be for many
    return [sentence for each in cures for sentence in each()]


def _draw() -> None:
    """In a notebook, let the report be drawn: only then is it worth importing what draws."""
    import sys

    if "IPython" in sys.modules:
        from labkit.doctor import picture

        picture.install()
