"""Exercises, faults and questions as declarations, and their verdicts on facts that were made up for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from learn_example import LESSON

from labkit import learn
from labkit.errors import LearnError
from labkit.learn import Question, Quiz, course
from labkit.learn.progress import Book
from labkit.namespaces.names import SetHostname
from labkit.steps.fact import Namespace, Process, Uts
from labkit.steps.naming import HOST, INIT
from labkit.steps.snapshot import Snapshot

CHECK, FAULT = LESSON.checks[0], LESSON.faults[0]
(QUESTION,) = LESSON.quiz.own
LAB = SimpleNamespace(generation=1)


def world(*, guest: str = "", apart: tuple[str, ...] = (), host_name: str = "lab", guest_name: str = "lab") -> Snapshot:
    """The lab host's two processes and one guest, in namespaces of its own for the kinds in `apart`."""
    people = (INIT, HOST, guest) if guest else (INIT, HOST)
    facts: list[Any] = [Process(who, pids=(n,), parent="", comm=who) for n, who in enumerate(people, 1)]
    for kind in ("uts", "pid"):
        shared = tuple(who for who in people if who != guest or kind not in apart)
        facts.append(Namespace(kind, f"{kind}#1", owner="user#1", members=shared))
        if guest and kind in apart:
            facts.append(Namespace(kind, f"{kind}#2", owner="user#1", members=(guest,)))
    facts.append(Uts("uts#1", hostname=host_name))
    if "uts" in apart:
        facts.append(Uts("uts#2", hostname=guest_name))
    return Snapshot.of(CHECK.probes, facts)


# exercises


@pytest.mark.parametrize(
    ("facts", "way"),
    [
        (world(guest="c1", apart=("uts",), guest_name="guest"), "only the name is its own"),
        (world(guest="c1", apart=("uts", "pid"), guest_name="guest"), "it has more of its own"),
    ],
)
def test_each_right_way_is_recognised_by_its_name(facts: Snapshot, way: str) -> None:
    verdict = CHECK.judge(facts)
    assert verdict and verdict.way == way and way in str(verdict)


@pytest.mark.parametrize(
    ("facts", "hint"),
    [
        (world(guest="c1", host_name="guest"), "the lab host itself is called guest"),
        (world(), "there is no process yet"),
        (world(guest="c1"), "shares the lab host's uts namespace"),
        (world(guest="c1", apart=("uts",)), "the namespace is right"),
    ],
)
def test_each_wrong_way_has_a_hint_of_its_own(facts: Snapshot, hint: str) -> None:
    verdict = CHECK.judge(facts)
    assert not verdict and hint in verdict.hint
    assert str(verdict) == "nb99/own-name: not yet" and hint not in repr(verdict), "a hint is shown on request only"


def test_a_predicate_that_breaks_is_the_lessons_mistake_and_named() -> None:
    broken = replace(CHECK, accept=[("breaks", lambda facts: facts.facts[99]), ("never", lambda facts: False)])
    with pytest.raises(LearnError, match="cannot judge this state: 'breaks': IndexError") as error:
        broken.judge(world())
    assert "seen" in error.value.look


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"accept": CHECK.accept[:1]}, "accepts 1 way"),
        ({"accept": [CHECK.accept[0], CHECK.accept[0]]}, "accepts 2 way"),
        ({"hints": CHECK.hints[:2]}, "has 2 hint"),
        ({"hints": [CHECK.hints[0]] * 3}, "has 3 hint"),
        ({"task": " "}, "task is empty"),
        ({"id": "own name"}, "lesson/name"),
        ({"probes": ("hostname",)}, "no probe called hostname"),
        ({"probes": ()}, r"probes is \(\)"),
        ({"probes": "uts"}, "probes is 'uts'"),
        ({"model": "lab.take("}, "model: '\\(' was never closed in line 1"),
        ({"model": "print(1)"}, "model does nothing with the lab"),
    ],
)
def test_an_exercise_that_teaches_too_little_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(LearnError, match=words):
        replace(CHECK, **change)


def test_an_exercise_without_a_model_says_so() -> None:
    with pytest.raises(LearnError, match="declares no model answer"):
        replace(CHECK, model="").solve(LAB)


@pytest.mark.parametrize("ask", [
    lambda facts: learn.seen.pids(facts, "nobody"), lambda facts: learn.seen.own_pid(facts, "nobody"),
    lambda facts: learn.seen.hostname(facts, "nobody"), lambda facts: learn.seen.apart(facts, "nobody", "uts"),
    lambda facts: learn.seen.together(facts, "nobody", "uts"), lambda facts: learn.seen.life(facts, "nobody"),
    lambda facts: learn.seen.mounts(facts, "nobody"), lambda facts: learn.seen.root(facts, "nobody"),
    lambda facts: learn.seen.id_map(facts, "nobody"), lambda facts: learn.seen.can(facts, "nobody", 21),
    lambda facts: learn.seen.held(facts, "uts"),
])  # fmt: skip
@pytest.mark.parametrize("facts", [world(), Snapshot.of(["uts"], [])])
def test_what_predicates_are_made_of_never_fails(ask: Callable[[Snapshot], object], facts: Snapshot) -> None:
    assert not ask(facts)


# faults


def test_a_fault_tells_the_symptom_and_the_tools_but_not_the_cause() -> None:
    assert FAULT.symptom in str(FAULT) and FAULT.tools[0] in str(FAULT)
    assert FAULT.hint not in str(FAULT) and "nobody'" not in str(FAULT)
    assert not FAULT.judge(world(host_name="nobody")) and FAULT.judge(world())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tools": ()}, "names no tools"),
        ({"symptom": ""}, "symptom is empty"),
        ({"breaks": lambda lab: None}, "planted by a function and has no model repair"),
        ({"probes": ("hostname",)}, "no probe called hostname"),
        ({"mends": "print(1)"}, "mends does nothing with the lab"),
    ],
)
def test_a_fault_that_cannot_be_found_or_taken_back_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(LearnError, match=words):
        replace(FAULT, **change)


# questions


def put(right: object, *wrong: object) -> Question:
    return replace(QUESTION, answer=lambda lab: right, wrong=wrong)


def test_the_right_answer_is_among_the_choices_once_and_in_no_telling_place() -> None:
    places = set()
    for number in range(20):
        asked = replace(put("4", "3", "4", "5"), id=f"nb99/q{number}").put(LAB)
        assert sorted(asked.choices) == ["3", "4", "5"]
        assert asked.choices == replace(asked.question).put(LAB).choices, "the same in every run"
        places.add(asked.choices.index("4"))
    assert places == {0, 1, 2}


@pytest.mark.parametrize("question", [put("4", "4", "3"), put("", "1", "2"), put("Yes", "yes", "no")])
def test_a_question_with_nothing_to_choose_is_refused(question: Question) -> None:
    with pytest.raises(LearnError, match="wrong answers beside"):
        question.put(LAB)


def test_a_question_that_cannot_be_computed_is_named() -> None:
    with pytest.raises(LearnError, match="nb99/pid-of-host cannot be computed: AttributeError"):
        QUESTION.put(LAB)
    with pytest.raises(LearnError, match="the answer is written down"):
        replace(QUESTION, answer="2")


def test_a_quiz_is_marked_and_each_last_answer_counts(tmp_path: Path) -> None:
    book = Book(str(tmp_path / "progress.jsonl"))
    sitting = Quiz.of("nb00", own=[replace(put("2", "1", "3"), id="nb00/q")]).sit(LAB, book=book)
    wrong = next(choice for choice in sitting.put[0].choices if choice != "2")
    assert not sitting.answer(1, wrong) and sitting.score == (0, 1)
    assert "the kernel says 2" in str(sitting)
    assert sitting.answer(1, "abc"[sitting.put[0].choices.index("2")]) and sitting.score == (1, 1)
    assert [record["right"] for record in book.records()] == [False, True]
    for number, said in ((2, "1"), (0, "1"), (1, "9")):
        with pytest.raises(LearnError):
            sitting.answer(number, said)


@pytest.mark.parametrize(
    ("own", "recall", "words"),
    [
        ([], ["nb01/a", "nb01/b"], "no question of its own"),
        ([QUESTION], ["nb01/a"], "recalls 1 questions"),
        ([QUESTION], ["nb01/a", "nb01/a"], "or one twice"),
        ([QUESTION], ["nb01/a", "nb99/b"], "does not come before it"),
        ([replace(QUESTION, id="nb98/q")], ["nb01/a", "nb01/b"], "is not its own"),
    ],
)
def test_a_quiz_that_forgets_the_earlier_lessons_is_refused(own: list[Any], recall: list[Any], words: str) -> None:
    with pytest.raises(LearnError, match=words):
        Quiz.of("nb99", own=own, recall=recall)


# lessons


@pytest.mark.parametrize("name", course.written())
def test_every_lesson_has_what_the_course_asks_of_it(name: str) -> None:
    lesson = learn.lesson(name)
    assert lesson.lacks() == ()
    assert lesson.quiz is not None and len(lesson.quiz.questions()) >= len(lesson.quiz.own)
    for item in lesson.items:
        assert str(item)


def test_things_are_found_by_either_name_and_what_is_missing_is_named() -> None:
    assert LESSON.check("own-name") is LESSON.check("nb99/own-name") is CHECK
    with pytest.raises(LearnError, match="has no 'own-nam'") as error:
        LESSON.check("own-nam")
    assert "nb99/own-name" in error.value.look
    with pytest.raises(LearnError, match="there is no lesson 'nb77'"):
        learn.lesson("nb77")
    with pytest.raises(LearnError, match="no lesson 'os'"):
        learn.lesson("os")


def test_only_what_a_module_declares_is_judged_by_its_name() -> None:
    """An exercise with the id of a lesson's own is not that one: the referee would judge another task."""
    real = learn.lesson("nb03").checks[0]
    assert course.declares(real) and not course.declares(replace(real)) and not course.declares(CHECK)


def test_a_lesson_with_a_strange_or_a_double_id_is_refused() -> None:
    with pytest.raises(LearnError, match="stands in lesson nb99"):
        replace(LESSON, predictions=(replace(LESSON.predictions[0], id="nb98/first-pid"),))
    with pytest.raises(LearnError, match="ids twice"):
        replace(LESSON, predictions=LESSON.predictions * 2)


def test_the_example_of_the_teachers_page_asks_each_kind_of_thing_in_ten_lines() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/teaching.md").read_text()
    for word, most in (("Predict", 10), ("Fault", 10), ("Question", 10), ("Check", 28)):
        start = page.index(f"= {word}(\n")
        assert page[start : page.index("\n)\n", start)].count("\n") < most
    assert {type(item).__name__ for item in LESSON.items} == {"Predict", "Check", "Fault", "Question"}
    assert LESSON.faults[0].breaks == [SetHostname(name="nobody")]
