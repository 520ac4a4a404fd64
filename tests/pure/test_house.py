"""The plan of the house: arrows run downward only, and a page stays a page."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "labkit"
#: from the cellar up; a room may import what stands before it in its own row or in a row above it
FLOORS = (
    ("linux",),
    ("agent",),
    ("steps",),
    ("overlay", "cgroups", "namespaces", "volumes", "network"),
    ("image",),
    ("container",),
    ("engine",),
    ("cluster", "aws"),
    ("learn",),
    ("view",),
)
ATTIC = len(FLOORS)
FRONT_DOOR = {"doctor", "top"}  # rooms there, beside the modules lab and cli
FOR_ALL = ("labkit.errors", "labkit.closing", "labkit.__version__")
MODULES = sorted(PACKAGE.rglob("*.py"))


def floor(module: str) -> tuple[int, str]:
    """The floor and the room of ``labkit.room.module``."""
    room = module.split(".")[1] if module.count(".") else ""
    return next(((number, room) for number, rooms in enumerate(FLOORS) if room in rooms), (ATTIC, ""))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(path: Path) -> Iterator[str]:
    """What of labkit a module imports, wherever in it; what is `FOR_ALL` is left out."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "labkit":
            names = [f"labkit.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        yield from (n for n in names if n.startswith("labkit.") and n not in FOR_ALL)


@pytest.mark.skipif(sys.platform != "linux", reason="the agent is a program for Linux")
def test_the_agent_needs_no_other_room_than_those_that_root_has_a_copy_of(tmp_path: Path) -> None:
    """The sudo rule starts that copy (setup/privilege.sh), where even `FOR_ALL` is not there to be imported."""
    for room in ("agent", "linux"):
        shutil.copytree(PACKAGE / room, tmp_path / "labkit" / room, ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import labkit.agent.supervisor, labkit.linux; print('up')"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("up\n", "")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_lower_room_never_imports_a_higher_one(path: Path) -> None:
    mine, room = floor(name_of(path))
    for other in imported(path):
        theirs, neighbour = floor(other)
        below = theirs < mine or (theirs == mine and neighbour == room)
        assert below or name_of(path) == "labkit", f"{name_of(path)} reaches up or across to {other}"


def test_tiny_stands_alone() -> None:
    assert list(imported(PACKAGE / "tiny.py")) == []
    assert len((PACKAGE / "tiny.py").read_text().splitlines()) <= 150


def test_who_closes_things_stands_on_nothing() -> None:
    assert list(imported(PACKAGE / "closing.py")) == []


def test_every_room_is_on_the_plan() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms <= {room for rooms_there in FLOORS for room in rooms_there} | FRONT_DOOR


def test_no_module_reaches_for_a_siblings_private_name() -> None:
    reached = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("labkit"):
                reached += [
                    f"{name_of(path)}: {a.name}" for a in node.names if a.name.startswith("_") and a.name[1] != "_"
                ]
    assert not reached
