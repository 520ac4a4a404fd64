"""Verdict first, help on request: no hint and no model answer is shown before somebody has asked for it."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from learn_example import LESSON

from labkit import learn
from labkit.errors import LearnError
from labkit.learn import Check, Fault, course
from labkit.learn.check import Posed
from labkit.learn.fault import Planted
from labkit.learn.progress import Book
from labkit.learn.trial import Trial
from labkit.learn.verdict import Verdict
from labkit.steps.snapshot import Snapshot
from labkit.view import cards

CHECK, FAULT = LESSON.checks[0], LESSON.faults[0]
NAMES = ("hint 1", "hint 2", "model answer")
TASKS = [task for name in course.written() for task in (*learn.lesson(name).checks, *learn.lesson(name).faults)]


class FakeLab:
    """A lab in which nothing is ever found."""

    generation = 1

    def __init__(self) -> None:
        self.followers: list[Callable[[], None]] = []

    def snapshot(self, *probes: str) -> Snapshot:
        return Snapshot.of(probes, [])

    def on_reset(self, method: Callable[[], None]) -> None:
        self.followers.append(method)

    def reset(self) -> None:
        self.generation += 1
        for follower in self.followers:
            follower()


@pytest.fixture
def lab() -> Any:
    return FakeLab()


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(str(tmp_path / "progress.jsonl"))


def shown(trial: Trial) -> str:
    """All that a page has of it: the text, and what is sent to the browser."""
    bundle = trial._repr_mimebundle_()
    face = cards.face(trial)  # type: ignore[arg-type]  # a Posed or a Planted
    return "\n".join([*map(str, bundle.values()), str(trial.last), repr(trial.last), json.dumps(face)])


def secrets(task: Check | Fault) -> list[str]:
    """Every text that helps."""
    hints = [hint for _, hint in task.hints]
    rest = task.otherwise if isinstance(task, Check) else task.hint
    code = [line for line in task.model_answer.splitlines() if line.startswith("lab.") and line != "lab.reset()"]
    return [*hints, rest, task.second_hint, *code]


def test_the_first_verdict_is_alone_and_says_how_to_ask(lab: Any, book: Book) -> None:
    posed = CHECK.pose(lab, book=book)
    assert str(posed).split("\n") == [
        "exercise nb99/own-name: not yet",
        f"  task: {CHECK.task}",
        "  on request: hint=1, hint=2, answer=True",
    ]
    assert [each for each in secrets(CHECK) if each in shown(posed)] == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_no_card_of_the_course_has_help_in_it_before_it_is_asked_for(task: Check | Fault, lab: Any, book: Book) -> None:
    trial = Posed(task, lab, book) if isinstance(task, Check) else Planted(task, lab, (), book)
    seen = [shown(trial)]
    for hint in (task.hints[0][1] if task.hints else task.second_hint, secrets(task)[0]):
        trial.last = Verdict(task.id, False, hint=hint)
        seen.append(shown(trial))
    assert [each for each in secrets(task) for text in seen if each in text] == []
    assert trial.help == NAMES
    for name in NAMES:
        text = trial.ask(name)
        assert json.dumps(text)[1:-1] in json.dumps(cards.face(trial)) and text.split("\n")[0] in str(trial)


@pytest.mark.parametrize(
    ("asked", "given"),
    [({"hint": 1}, NAMES[:1]), ({"hint": 2}, NAMES[1:2]), ({"answer": True}, NAMES[2:]),
     ({"hint": 1, "answer": True}, (NAMES[0], NAMES[2]))],
)  # fmt: skip
def test_help_is_given_by_argument_and_each_request_is_written_down(
    asked: dict[str, Any], given: tuple[str, ...], lab: Any, book: Book
) -> None:
    verdict = CHECK.run(lab, **asked, book=book)
    assert tuple(name for name, _ in verdict.given) == given
    assert all(text.split("\n")[-1] in str(verdict) for _, text in verdict.given)
    assert [record["what"] for record in book.of(CHECK.id, "help")] == [*given]
    assert str(CHECK.pose(lab, **asked, book=book)).count("hint 1:") == ("hint 1" in given)


def test_hint_1_is_about_what_is_there(lab: Any, book: Book) -> None:
    [(name, text)] = CHECK.run(lab, hint=1, book=book).given
    assert (name, text) == ("hint 1", "there is no process yet that could have a name of its own")


@pytest.mark.parametrize("hint", [3, -1])
def test_there_are_two_hints(hint: int, lab: Any, book: Book) -> None:
    with pytest.raises(LearnError, match=f"there is no hint {hint}"):
        CHECK.run(lab, hint=hint, book=book)
    assert book.records() == []


def test_nobody_asks_for_a_hint_before_the_first_try(lab: Any, book: Book) -> None:
    planted = Planted(FAULT, lab, (), book)
    assert planted.help == ()
    with pytest.raises(LearnError, match="there is no hint 1 now") as error:
        planted.ask("hint 1")
    assert "before the first check" in (error.value.look or "")


def test_a_new_check_hides_the_help_again(lab: Any, book: Book) -> None:
    posed = CHECK.pose(lab, hint=2, book=book)
    assert CHECK.second_hint in shown(posed)
    posed.check()
    assert CHECK.second_hint not in shown(posed)


def test_a_card_follows_the_labs_reset(lab: Any, book: Book) -> None:
    posed, heard = CHECK.pose(lab, hint=1, book=book), []
    posed.on_change(lambda: heard.append(posed.state))
    lab.reset()
    assert heard == ["open"] and "open; the lab was reset since" in str(posed)
    face = cards.face(posed)
    assert face["verdict"] is None and not face["given"] and "The lab was reset" in face["state"]
    assert [button["op"] for button in face["buttons"]] == ["do"]


def test_a_fault_whose_lab_was_reset_offers_to_plant_it_again(lab: Any, book: Book) -> None:
    planted = Planted(FAULT, lab, (), book)
    lab.reset()
    face = cards.face(planted)
    assert [button["op"] for button in face["buttons"]] == ["plant"] and "Not planted any more" in face["state"]


def test_what_is_asked_again_is_open_and_what_was_written_stays(lab: Any, book: Book) -> None:
    posed = CHECK.pose(lab, hint=1, book=book)
    posed.ask_again()
    assert posed.state == "open" and cards.face(posed)["verdict"] is None
    assert [record["kind"] for record in book.of(CHECK.id)] == ["check", "help", "again"]


def test_a_card_keeps_no_lab_alive(book: Book) -> None:
    lab: Any = FakeLab()
    posed = Posed(CHECK, lab, book)
    del lab
    gc.collect()
    with pytest.raises(LearnError, match="is gone") as error:
        posed.check()
    assert posed.was_reset and "first cell" in (error.value.look or "")


def test_a_quiz_question_is_asked_again(lab: Any, book: Book) -> None:
    from dataclasses import replace

    quiz = learn.Quiz.of("nb00", own=[replace(LESSON.quiz.own[0], id="nb00/q", answer=lambda lab: 2, wrong=(1, 3))])
    sitting = quiz.sit(lab, book=book)
    sitting.answer(1, 3)
    sitting.ask_again(1)
    assert sitting.marked == {} and cards.face(sitting)["questions"][0]["verdict"] is None
    assert [record["kind"] for record in book.records()] == ["quiz", "again"]
    with pytest.raises(LearnError, match="there is no question 2"):
        sitting.ask_again(2)
