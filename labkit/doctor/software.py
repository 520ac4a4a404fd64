"""Jupyter and the widgets: the Python half in the kernel, and the JavaScript half in the front end.

A widget is two programs that talk to each other. The kernel imports one from a Python package, the browser gets
the other from a *labextension*, a directory that JupyterLab finds along a path of its own; an old one in a home
directory, or one of another environment, answers in another language, and the cell stays empty.

See: jupyterlab.readthedocs.io "Extensions", jupyter_core.paths.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient, some
from labkit.learn.needs import Need

_INSTALL = "./lab up, which installs what pyproject.toml says"
#: Python package, its labextension, and the version of the labextension that a version of the package talks to
_HALVES = (
    ("anywidget", "anywidget", lambda version: version[:2]),  # before 1.0 the second number is the one that breaks
    ("ipywidgets", "@jupyter-widgets/jupyterlab-manager", lambda version: [version[0] - 3]),  # 8 goes with 5, 7 with 4
)


def jupyter(patient: Patient) -> Iterator[Finding]:
    """The packages that labkit declares, each in a version that it can work with."""
    wrong, there = [], []
    for name, wanted in _declared():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        there.append(f"{name} {version}")
        if not wanted.contains(version, prereleases=True):
            wrong.append(f"{name} is {version}, and labkit wants {wanted}")
    if wrong:
        yield Finding(
            about="packages", says="; ".join(wrong), needs=(Need.PLAYER,), remedy=_INSTALL,
            likely=f"this Python ({sys.executable}) is not the lab's, or its packages were changed by hand",
        )  # fmt: skip
    else:
        yield Finding(about="packages", says=some(there, 4))


def _declared() -> Iterator[tuple[str, Any]]:
    """What pyproject.toml says, as it came along with the installed package: name, and the versions that serve."""
    from packaging.requirements import Requirement

    for text in importlib.metadata.requires("labkit") or ():
        requirement = Requirement(text)
        if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name, requirement.specifier


def widgets(patient: Patient) -> Iterator[Finding]:
    """For each Python half, whether the browser would get the other half that belongs to it."""
    fine = []
    for package, extension, belongs in _HALVES:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # `jupyter` says so
        wanted = belongs(_numbers(version))
        place, found = _labextension(extension)
        if place is None:
            says, likely = f"JupyterLab has no {extension} for {package} {version}", "its labextension is not installed"
        elif extension in _disabled():
            says, likely = f"{extension} is switched off in JupyterLab", "somebody has disabled it"
        elif _numbers(found)[: len(wanted)] != wanted:
            says = f"the kernel has {package} {version}, and the browser gets {extension} {found} from {place}"
            likely = "one of the two is left from another installation, and found first"
        else:
            fine.append(f"{package} {version} with {found} in the browser")
            continue
        remedy = f"jupyter labextension enable {extension}" if "off" in says else _INSTALL
        if place is not None and not place.is_relative_to(sys.prefix):
            remedy = f"mv {place} {place}.old"
        yield Finding(about="widgets", says=says, likely=likely, remedy=remedy, needs=(Need.PLAYER,))
    if fine:
        yield Finding(about="widgets", says="; ".join(fine))


def _labextension(name: str) -> tuple[Path | None, str]:
    """The directory of the labextension that JupyterLab would take, and its version."""
    from jupyter_core.paths import jupyter_path

    for directory in jupyter_path("labextensions"):
        place = Path(directory, name)
        if (place / "package.json").is_file():
            return place, str(json.loads((place / "package.json").read_text(encoding="utf-8")).get("version", "0"))
    return None, ""


def _disabled() -> set[str]:
    """What page_config.json files switch off."""
    from jupyter_core.paths import jupyter_config_path

    places = [f"{sys.prefix}/share/jupyter/lab/settings", *(f"{place}/labconfig" for place in jupyter_config_path())]
    off: set[str] = set()
    for place in places:
        try:
            told = json.loads(Path(place, "page_config.json").read_text(encoding="utf-8")).get("disabledExtensions", {})
        except (OSError, ValueError):
            continue
        off |= {name for name in told if told[name]} if isinstance(told, dict) else set(told)
    return off


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:3] if part.isdecimal()]
