"""Whose word counts: a prediction is answered by the kernel, an exercise judged outside the notebook's Python."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from learn_example import LESSON

from labkit import Lab, learn
from labkit.agent import window
from labkit.errors import LearnError
from labkit.learn import Check, Verdict
from labkit.learn.progress import book
from labkit.linux import proc
from labkit.namespaces.names import SetHostname
from labkit.namespaces.spawn import Spawn
from labkit.steps.fact import PROBES
from labkit.steps.plan import Plan
from labkit.steps.step import Step

TASK = learn.lesson("nb03").check("own-name")


def outcome() -> tuple[object, object]:
    """Who judged last, and how, as it was written down."""
    record = book.last(TASK.id, "check")
    assert record is not None
    return record["judge"], record["right"]


# predictions


@pytest.mark.parametrize(("spawn", "truth"), [(("pid",), "1"), ((), "3")])
def test_the_kernel_answers_the_question_of_the_teachers_page(lab: Lab, spawn: tuple[str, ...], truth: str) -> None:
    learn.gate(True)
    walk = lab.walk(Plan.of("a try", ("", [Spawn(child="c1", namespaces=spawn)])), predict=LESSON.predictions)
    walk.goto(0)
    walk.answer("1")
    walk.next()
    (feedback,) = walk.gate.feedback
    assert (feedback.truth, feedback.right) == (truth, truth == "1")


# exercises


def test_a_right_way_is_seen_by_the_referee_and_written_down_by_it(lab: Lab) -> None:
    before = TASK.run(lab)
    assert not before and before.judge == "referee" and outcome() == ("referee", False)
    TASK.solve(lab)
    after = TASK.run(lab)
    assert after and after.judge == "referee" and after.way and outcome() == ("referee", True)


def solved_elsewhere(new_lab: Callable[[], Lab]) -> Lab:
    other = new_lab()
    TASK.solve(other)
    return other


def patch_snapshot(lab: Lab, new_lab: Callable[[], Lab], patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    patch.setattr(lab, "snapshot", solved_elsewhere(new_lab).snapshot)


def patch_look(lab: Lab, new_lab: Callable[[], Lab], patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    patch.setattr(lab.backend, "look", solved_elsewhere(new_lab).backend.look)


def patch_judge(lab: Lab, new_lab: Callable[[], Lab], patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    patch.setattr(Check, "judge", lambda check, facts: Verdict(check.id, True, way="mine", judge="referee"))


def patch_predicates(lab: Lab, new_lab: Callable[[], Lab], patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = TASK.accept
    object.__setattr__(TASK, "accept", [("mine", lambda facts: True), ("mine too", lambda facts: True)])
    patch.setattr(patch, "undo", lambda undo=patch.undo: (object.__setattr__(TASK, "accept", old), undo()))


def shadow_the_package(lab: Lab, new_lab: Callable[[], Lab], patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "labkit").mkdir()
    (tmp_path / "labkit/__init__.py").write_text("raise SystemExit('mine')")
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(0)")
    patch.setenv("PYTHONPATH", str(tmp_path))
    patch.chdir(tmp_path)


def rename_a_process(lab: Lab, new_lab: Callable[[], Lab], patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The lab host's own zygote gets the name of a guest, and a guest that of the lab host."""
    lab.take_all([Spawn(child="c1", namespaces=("uts",)), SetHostname(who="host", name="bakery")])
    lab.snapshot()
    names = {"host": "c1", "c1": "host"}
    patch.setattr(lab.naming, "process", lambda pid, ask=lab.naming.process: names.get(ask(pid), ask(pid)))


@pytest.mark.parametrize(
    "forge", [patch_snapshot, patch_look, patch_judge, patch_predicates, shadow_the_package, rename_a_process]
)
def test_a_cell_that_changes_its_own_python_solves_nothing(
    forge: Callable[..., None], lab: Lab, new_lab: Callable[[], Lab], tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        forge(lab, new_lab, patch, tmp_path)
        verdict = TASK.run(lab)
    assert not verdict, f"forged: {verdict}"
    assert outcome() == ("referee", False)


def test_a_guest_that_takes_the_zygotes_title_is_still_a_guest(lab: Lab) -> None:
    """Else the lab host would be whoever calls itself so, and the exercise would ask for the wrong one's name."""
    TASK.solve(lab)
    poser = lab.run(
        "busybox", ["sh", "-c", "printf 'labkit:[zygote]' >/proc/self/comm; echo; sleep 60"], name="poser", detach=True
    )
    wait_for(lambda: poser.logs() != "")
    assert TASK.run(lab).judge == "referee" and TASK.run(lab)


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("journal", ["another's pid", "another's birth", "none"])
def test_who_only_listens_in_a_run_directory_is_not_believed(journal: str, lab: Lab, tmp_path: Path) -> None:
    me = {"supervisor": os.getpid(), "start": proc.start_time(os.getpid())}
    wrong = {"another's pid": me | {"supervisor": os.getppid()}, "another's birth": me | {"start": 1}}.get(journal)
    if wrong:
        (tmp_path / "journal").write_text(json.dumps(wrong) + "\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening, pytest.MonkeyPatch.context() as patch:
        listening.bind(str(tmp_path / window.NAME))
        listening.listen()
        patch.setitem(lab.info, "run", str(tmp_path))
        verdict = TASK.run(lab)
    assert (verdict.judge, bool(verdict)) == ("notebook", False)
    assert "is not the lab's supervisor" in verdict.note
    assert outcome() == ("notebook", False)


def test_what_a_notebook_declares_is_judged_there_and_the_progress_says_so(lab: Lab) -> None:
    task = LESSON.check("own-name")
    assert not task.run(lab)
    task.solve(lab)
    assert task.run(lab).way == "only the name is its own"
    assert [(r["judge"], r["right"]) for r in book.of(task.id)][-2:] == [("notebook", False), ("notebook", True)]


def test_a_posed_exercise_tells_its_listeners_of_each_verdict(lab: Lab) -> None:
    posed, heard = TASK.pose(lab), []
    assert posed.state == "not yet", "posing it grades it at once"
    posed.on_change(lambda: heard.append(posed.state))
    TASK.solve(lab)  # its model answer begins with lab.reset()
    posed.check()
    assert heard == ["open", "solved"] and "solved" in str(posed)
    lab.reset()
    assert heard == ["open", "solved", "open"] and "the lab was reset" in str(posed)


# faults and questions of the teacher's page


def everything(lab: Lab) -> str:
    return str(lab.snapshot(*PROBES))


def test_planting_and_repairing_leaves_no_difference(lab: Lab) -> None:
    fault = LESSON.fault("lost-name")
    before = everything(lab)
    planted = fault.plant(lab)
    assert everything(lab) != before and not planted.check()
    with pytest.raises(LearnError, match="planted in this lab already"):
        fault.plant(lab)
    fault.repair(lab)
    assert everything(lab) == before and fault.check(lab)
    with pytest.raises(LearnError, match="not there any more"):
        fault.repair(lab)


def test_a_fresh_lab_host_is_no_repair(lab: Lab) -> None:
    fault = LESSON.fault("lost-name")
    fault.plant(lab)
    lab.reset()
    verdict = fault.check(lab)
    assert not verdict and "nobody has found it" in verdict.note and not verdict.hint
    fault.plant(lab)
    assert not fault.check(lab)


def test_a_planted_fault_follows_its_labs_reset_and_is_planted_again(lab: Lab) -> None:
    planted = LESSON.fault("lost-name").plant(lab)
    assert planted.check(hint=1).given
    lab.reset()
    assert (planted.state, planted.open) == ("open", False) and "plant it again" in str(planted)
    planted.plant_again()
    assert planted.open and not planted.check()
    planted.repair()
    assert planted.check() and planted.state == "solved"


def test_a_fault_that_fails_half_way_is_taken_back(lab: Lab) -> None:
    steps: list[Step] = [SetHostname(name="nobody"), SetHostname(who="nowhere", name="x")]
    before = everything(lab)
    with pytest.raises(Exception, match="nowhere"):
        replace(LESSON.fault("lost-name"), breaks=steps).plant(lab)
    assert everything(lab) == before


def test_a_fault_that_only_death_would_undo_wants_a_repair_declared(lab: Lab) -> None:
    with pytest.raises(LearnError, match="cannot be taken back") as error:
        replace(LESSON.fault("lost-name"), breaks=[Spawn(child="c1", namespaces=("uts",))], mends=None).plant(lab)
    assert "mends=" in error.value.look


def test_the_quiz_of_the_teachers_page_asks_this_lab(lab: Lab) -> None:
    assert LESSON.quiz is not None
    sitting = LESSON.quiz.solve(lab)
    assert sitting.score == (3, 3) and "2: right" in str(sitting)
