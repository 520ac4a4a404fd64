"""What has to be on this machine beforehand, because a lesson fetches nothing: images, and the manual."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient, installed, some
from labkit.errors import LabError
from labkit.learn.needs import Need

if TYPE_CHECKING:
    from labkit.steps.step import Step

_MANUAL = (Path("/usr/share/man"), Path("/usr/local/share/man"))


def images(patient: Patient) -> Iterator[Finding]:
    """The lab's own images."""
    from labkit.image import rootfs

    for name in rootfs.names():
        needs = tuple(need for need in Need if need.word == f"image:{name}")
        try:
            path = rootfs.image_path(name)
        except LabError as error:
            yield Finding(about="images", says=error.message, likely=error.likely or "", remedy=error.look or "",
                          needs=needs, cure=partial(_build, name), minor=patient.replayed)  # fmt: skip
        else:
            current = rootfs.is_current(name)
            yield Finding(
                about="images", says=f"{name}, in {path}" if current else f"{name} is not of this checkout's make",
                likely="" if current else "its build script or busybox was renewed since", minor=True, needs=needs,
                remedy="" if current else f"labkit image build {name}", cure=None if current else partial(_build, name),
            )  # fmt: skip


def _build(name: str) -> list[str]:
    from labkit.image import rootfs

    try:
        return [f"built the image {name} in {rootfs.build(name)}"]
    except LabError as error:
        return [f"could not build the image {name}: {error.message}"]


def manual(patient: Patient) -> Iterator[Finding]:
    """The pages that the step player opens, of every step that there is."""
    wanted = pages()
    missing = [page for page in wanted if not _installed(page)]
    yield Finding(
        about="manual", minor=True, needs=(Need.MANUAL,),
        says=f"{some(missing)} missing" if missing else f"all {len(wanted)} pages that the steps name are here",
        likely="minimal systems and container images leave the manual out" if missing else "",
        remedy=installed("man-db", "manpages", "manpages-dev") if missing else "",
    )  # fmt: skip


def pages() -> list[str]:
    """The manual pages that the steps of the lessons name: ``clone(2)`` and so on."""
    from labkit.doctor import lessons
    from labkit.steps.step import Step

    lessons.needs()  # which loads the lessons, and with them the steps
    return sorted({page for kind in _below(Step) for page in kind.man()})


def _below(kind: type[Step]) -> Iterator[type[Step]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _installed(page: str) -> bool:
    name, _, section = page.rstrip(")").partition("(")
    return any(found for place in _MANUAL for found in place.glob(f"man{section}/{name}.{section}*"))
