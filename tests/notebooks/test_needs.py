"""What a lesson declares that it needs is what its steps need, seen from a replay of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import learn
from labkit.learn.needs import A_CONTAINER, EVERY_LESSON, Need
from labkit.steps.backends import recordings

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
RECORDED = [path for path in NOTEBOOKS if recordings.of(f"nb{path.name[:2]}")]  # all: test_replay sees to that

#: takes all cells of a notebook, and prints the needs of the steps that were sent, their kinds, and their uids
PROGRAM = """
import contextlib, io, json, sys
from labkit.steps import plan
from labkit.steps.step import Step
taken, real = [], plan.parts
def spied(steps):
    taken.extend(steps := list(steps))
    return real(steps)
import labkit.lab, labkit.steps.walk, labkit.container.engine
for module in list(sys.modules.values()):
    if getattr(module, "parts", None) is real:
        module.parts = spied
cells = [cell for cell in json.load(open(sys.argv[1]))["cells"] if cell["cell_type"] == "code"]
names = {"__name__": "__main__"}
with contextlib.redirect_stdout(io.StringIO()):
    for cell in cells:
        exec("".join(cell["source"]), names)
needs, kinds = {need for step in taken for need in step.needs()}, {type(step).__name__ for step in taken}
uids = {step.uid for step in taken if hasattr(step, "uid")}
print(json.dumps([sorted(needs), sorted(kinds), sorted(uids)]))
"""


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_lesson_declares_what_its_steps_need(path: Path, tmp_path: Path) -> None:
    variables = {"LABKIT_BACKEND": "replay", "LABKIT_GATE": "off", "LABKIT_PROGRESS": str(tmp_path / "progress.jsonl")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], env={**os.environ, **variables}, cwd=path.parent,
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    words, kinds, uids = json.loads(done.stdout)
    used = {need for need in Need if need.word in words} - {Need.CGROUP}  # without one, a container does without
    if "MountOverlay" in kinds:
        used |= {Need.OVERLAY, Need.BUSYBOX}
    if "MapIds" in kinds:
        used |= {Need.IDS}
    if 1000 in uids:
        used |= {Need.ORDINARY_USER}
    declared = learn.lesson(f"nb{path.name[:2]}").needs
    assert len(used) > 1 or path.name.startswith("00"), "the steps of the lesson were not seen"
    assert used <= {*declared}
    assert {*EVERY_LESSON} <= {*declared}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_declares_nothing_twice(path: Path) -> None:
    declared = learn.lesson(f"nb{path.name[:2]}").needs
    assert len(declared) == len({*declared})


def test_a_word_means_one_thing() -> None:
    assert len({need.word for need in Need}) == len(Need)
    assert {*A_CONTAINER} & {*EVERY_LESSON} == set()
