"""Predictions and the gate of a walk. The lab is dry: what is right is read off calls that no kernel made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from learn_example import LESSON

from labkit import Lab, learn
from labkit.errors import LabError, LearnError, QuestionOpen
from labkit.learn import NUMBER, Predict
from labkit.learn.gating import Asked, Gate, attach
from labkit.learn.progress import Book
from labkit.namespaces.names import SetHostname
from labkit.namespaces.spawn import Spawn
from labkit.steps.fact import Process
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Snapshot
from labkit.steps.trace import Taken
from labkit.steps.walk import Walk
from labkit.view import cards, describe

CALLS = Predict(
    id="nb99/calls", before=SetHostname, ask="How many system calls?", choices=("1", "2", "three or more"),
    answer=lambda taken: len(taken.calls), why="One step is one act.",
)  # fmt: skip


@pytest.fixture(autouse=True)
def gates_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABKIT_GATE", raising=False)
    monkeypatch.setattr("labkit.learn.gating._instructor", [])


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("LABKIT_BACKEND", "dry")
    with Lab() as dry:
        yield dry


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(str(tmp_path / "progress.jsonl"))


def walk_of(lab: Lab, *steps: object) -> Walk:
    return Walk(lab, Plan.of("a try", ("", steps or [SetHostname(name="one"), SetHostname(name="two")])))


def two() -> Predict:
    return replace(CALLS, id="nb99/second", before=2, ask="And how many the second time?")


# the gate


def test_next_waits_and_says_for_what_and_how_to_answer(lab: Lab, book: Book) -> None:
    walk = walk_of(lab)
    attach(walk, [CALLS], book=book)
    with pytest.raises(LearnError, match="step 1 waits for your prediction: How many system calls") as refusal:
        walk.next()
    assert "walk.answer(…) with a) 1   b) 2   c) three or more" in refusal.value.look
    assert (walk.position, len(walk.trace)) == (0, 0)
    assert walk.answer("a") == "1"
    walk.next()
    assert walk.position == 1


@pytest.mark.parametrize("far", ["run", "goto"])
def test_no_way_of_going_on_passes_a_question(lab: Lab, book: Book, far: str) -> None:
    walk = walk_of(lab)
    attach(walk, [two()], book=book)
    with pytest.raises(LearnError, match="the second time"):
        walk.run() if far == "run" else walk.goto(2)
    assert walk.position == 1


@pytest.mark.parametrize("word", ["off", "OFF", " no ", "0", "false"])
def test_a_machine_opens_all_gates_by_its_environment(
    lab: Lab, book: Book, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_GATE", word)
    walk = walk_of(lab)
    gate = attach(walk, [CALLS], book=book)
    walk.run()
    assert walk.position == 2
    told = gate.judged(CALLS)
    assert told is not None and (told.said, told.truth) == ("", "1"), "asked or not, the kernel's answer is there"


def test_an_instructor_opens_and_closes_the_gates(lab: Lab, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = walk_of(lab)
    attach(walk, [two()], book=book)
    assert learn.gate(False) is False
    walk.run()
    walk.goto(0)
    learn.gate(True)
    monkeypatch.setenv("LABKIT_GATE", "off")  # the instructor's word is the last
    with pytest.raises(LearnError, match="waits"):
        walk.run()


# the answer


def test_what_is_right_is_read_off_the_trace_and_changes_with_it() -> None:
    first = LESSON.prediction("first-pid")
    truths = []
    for pids in ((7, 1), (7, 2)):
        after = Snapshot.of(["processes"], [Process("c1", pids=pids, parent="host", comm="sh")])
        truths.append(first.truth(Taken(1, Spawn(child="c1"), (), Snapshot.of(["processes"], []), after)))
    assert truths == ["1", "2"]


def test_a_right_and_a_wrong_answer_are_told_so_and_written_down(lab: Lab, book: Book) -> None:
    walk = walk_of(lab)
    gate = attach(walk, [CALLS, two()], book=book)
    walk.answer("2")
    walk.next()
    (feedback,) = gate.feedback
    assert (feedback.said, feedback.truth, feedback.right) == ("2", "1", False)
    walk.answer("1")
    walk.next()
    assert [each.right for each in gate.feedback] == [True]
    assert [(r["id"], r.get("right")) for r in book.records()] == [
        ("nb99/calls", None), ("nb99/calls", False), ("nb99/second", None), ("nb99/second", True),
    ]  # fmt: skip


def test_after_the_kernel_has_answered_nobody_predicts(lab: Lab, book: Book) -> None:
    walk = walk_of(lab)
    attach(walk, [CALLS], book=book)
    walk.answer("2")
    walk.next()
    with pytest.raises(LearnError, match="the kernel has answered already"):
        walk.answer("1", where="nb99/calls")
    walk.back()
    walk.answer("1")
    walk.next()
    assert [r["right"] for r in book.records() if "right" in r] == [False, True]


def test_an_answer_survives_the_restart_of_the_notebook(lab: Lab, book: Book) -> None:
    attach(walk_of(lab), [CALLS], book=book).answer(None, "1")
    again = walk_of(lab)
    gate = attach(again, [CALLS], book=Book(book.file))
    assert (gate.question(), gate.said(CALLS)) == (None, "1")
    again.next()


def test_an_answer_that_is_not_offered_any_more_is_asked_for_again(lab: Lab, book: Book) -> None:
    attach(walk_of(lab), [CALLS], book=book).answer(None, "2")
    edited = replace(CALLS, choices=("0", "1"))
    gate = attach(walk_of(lab), [edited], book=book)
    assert gate.question() is edited


@pytest.mark.parametrize(
    ("choices", "said", "meant"),
    [
        (("yes", "no"), True, "yes"), (("yes", "no"), "B", "no"), (("yes", "no"), " Yes ", "yes"),
        (("b", "a"), "a", "a"),  # the text of a choice goes before its letter
        (NUMBER, "0x10", "0x10"), (NUMBER, 3, "3"), ("text", "  two  words ", "two words"),
    ],
)  # fmt: skip
def test_an_answer_may_be_given_by_text_letter_or_value(choices: tuple[str, ...], said: object, meant: str) -> None:
    assert replace(CALLS, choices=choices).pick(said) == meant


@pytest.mark.parametrize(
    ("choices", "said"), [(("yes", "no"), "c"), (("yes", "no"), ""), (NUMBER, "many"), ("text", "")]
)
def test_what_is_no_answer_is_refused_with_those_that_are(choices: tuple[str, ...], said: object) -> None:
    with pytest.raises(LearnError) as refusal:
        replace(CALLS, choices=choices).pick(said)
    assert refusal.value.look


# declarations


def test_an_answer_written_down_is_no_prediction() -> None:
    with pytest.raises(LearnError, match="the answer is written down: '1'"):
        replace(CALLS, answer="1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "calls"}, "lesson/name"), ({"ask": " "}, "ask is empty"), ({"why": ""}, "why is empty"),
        ({"choices": ("1",)}, "1 choices"), ({"choices": ("a", "A")}, "the same"), ({"choices": "word"}, "word"),
    ],
)  # fmt: skip
def test_a_declaration_that_cannot_be_asked_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(LearnError, match=words):
        replace(CALLS, **change)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (replace(CALLS, before=Spawn), "no step Spawn in 'a try'"),
        (replace(CALLS, before=3), "no step 3"),
        (replace(CALLS, before=2, settled_by=1), "settled by step 1, before it is asked"),
        (replace(CALLS, settled_by=Spawn), "no step Spawn"),
    ],
)
def test_a_question_without_its_step_is_refused_when_the_walk_is_made(
    lab: Lab, book: Book, question: Predict, words: str
) -> None:
    with pytest.raises(LearnError, match=words):
        attach(walk_of(lab), [question], book=book)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda taken: 17, "'17', which was not offered"),
        (lambda taken: None, "finds no answer"),
        (lambda taken: taken.after.facts[99], "cannot read its answer in step 1"),
    ],
)
def test_a_question_that_its_step_does_not_answer_says_so(lab: Lab, book: Book, answer: object, words: str) -> None:
    walk = walk_of(lab)
    attach(walk, [replace(CALLS, answer=answer)], book=book)
    walk.answer("1")
    with pytest.raises(LabError, match=words):
        walk.next()


def test_a_later_step_may_settle_it(lab: Lab, book: Book) -> None:
    walk = walk_of(lab)
    gate = attach(walk, [replace(CALLS, before=1, settled_by=2)], book=book)
    walk.answer("1")
    walk.next()
    assert gate.feedback == ()
    walk.next()
    assert [each.right for each in gate.feedback] == [True]


# a question that is open, one that is asked again, and verdicts that stay


@pytest.fixture
def three(lab: Lab, book: Book) -> Gate:
    """A walk of three steps, a question before the first and the second."""
    walk = walk_of(lab, *(SetHostname(name=name) for name in ("one", "two", "three")))
    return attach(walk, [CALLS, two()], book=book)


def test_an_open_question_is_an_error_that_shows_the_question(three: Gate) -> None:
    with pytest.raises(QuestionOpen) as stopped:
        three.walk.run()
    asked = stopped.value.asked
    assert isinstance(asked, Asked) and "a) 1   b) 2" in str(asked) and "run this cell again" in str(asked)
    face = cards.face(asked)
    assert face["title"] == "before step 1: set the hostname to one" and face["questions"][0]["verdict"] is None
    asked.answer("2")
    assert "You said 2. Now run this cell again" in cards.face(asked)["questions"][0]["verdict"]["text"]
    three.walk.goto(1)
    assert cards.face(asked)["questions"][0]["verdict"]["right"] is False


def test_while_a_question_stands_there_the_step_in_question_is_shown_without_its_outcome(three: Gate) -> None:
    three.answer(0, "1")
    three.walk.next()
    shown = describe.moment(three.walk, hide=cards.hidden(three))
    assert (shown["step"]["number"], shown["step"]["is"], shown["next"]) == (2, "asked", None)
    assert [call["text"] for call in shown["step"]["calls"]] == ['sethostname("two", 3)']
    assert shown["step"]["shell"] == "hostname two" and shown["step"]["changes"] == []
    assert not shown["step"]["why"] and not shown["step"]["what"] and not shown["step"]["probes"]
    assert shown["before"]["number"] == 1, "what the step before has changed is not lost"
    three.answer(1, "1")
    assert cards.hidden(three) is not None, "until Next"
    three.walk.next()
    assert cards.hidden(three) is None and describe.moment(three.walk)["before"] is None


def test_what_would_tell_the_answer_is_left_out(lab: Lab, book: Book) -> None:
    gate = attach(walk_of(lab), [replace(CALLS, hide=("calls", "shell"))], book=book)
    step = describe.moment(gate.walk, hide=cards.hidden(gate))["step"]
    assert (step["calls"], step["shell"], step["hidden"]) == ([], "", ["calls", "shell"])
    with pytest.raises(LearnError, match="hides"):
        replace(CALLS, hide=("title",))


def test_every_verdict_stays_in_the_list_however_far_the_walk_goes(three: Gate) -> None:
    assert cards.said(three) == []
    three.answer("nb99/calls", "2")
    three.answer("nb99/second", "1")
    assert [(each["id"], each["now"]) for each in cards.said(three)] == [("nb99/calls", True), ("nb99/second", False)]
    three.walk.goto(3)  # past both
    assert [(each["right"], each["now"]) for each in cards.said(three)] == [(False, False), (True, False)]
    assert cards.said(three)[0]["told"] == "You said 2; the kernel: 1. One step is one act."
    assert [record["right"] for record in three.book.records() if "right" in record] == [False, True]
    three.walk.back()
    three.walk.goto(0)
    assert [each["right"] for each in cards.said(three)] == [None, True], "the first waits for Next once more"


def test_a_question_is_asked_again_and_the_walk_goes_back_to_it(three: Gate) -> None:
    three.answer("nb99/calls", "2")
    three.answer("nb99/second", "1")
    three.walk.goto(3)
    three.ask_again("nb99/second")
    assert three.walk.position == 1 and three.question() is three.predictions[1]
    with pytest.raises(QuestionOpen):
        three.walk.next()
    three.answer(None, "2")
    three.walk.next()
    assert [each["right"] for each in cards.said(three)] == [False, False]
    first = [r["right"] for r in three.book.of("nb99/second") if "right" in r]
    assert first == [True, False], "the first answer stays in the book"
    with pytest.raises(LearnError, match="no question here"):
        three.ask_again("nb99/nothing")


def test_a_book_of_its_own_asks_what_another_book_has_answered(lab: Lab, book: Book, tmp_path: Path) -> None:
    """As `./lab up --class` begins: what was answered while the lesson was rehearsed does not count."""
    attach(walk_of(lab), [CALLS], book=book).answer(None, "1")
    gate = attach(walk_of(lab), [CALLS], book=Book(str(tmp_path / "class.jsonl")))
    assert gate.question() is CALLS and cards.said(gate) == []


def test_an_opened_gate_is_heard_by_what_is_on_the_screen(three: Gate) -> None:
    heard: list[object] = []
    three.on_change(lambda: heard.append(cards.question(three)))
    learn.gate(False)
    learn.gate(True)
    assert [each["waits"] for each in heard if isinstance(each, dict)] == [False, True]


def test_a_step_that_failed_has_answered_its_question(lab: Lab, book: Book) -> None:
    learn.gate(False)
    gate = attach(walk_of(lab), [CALLS], book=book)
    gate.walk.trace.taken.append(Taken(1, gate.walk.plan[0], (), Snapshot.of([], []), Snapshot.of([], [])))
    assert gate.question() is None and cards.question(gate) is None
