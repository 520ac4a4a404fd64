"""A quiz: questions about the lab as it is, whose answers and wrong answers are computed when it begins.

Two questions of a quiz come from earlier lessons: what is recalled after a while stays. A question
that needs the lab in a certain state brings it there itself (its `answer` is a function of the lab).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.errors import LabError, LearnError
from labkit.learn import answers
from labkit.learn.progress import Book, book
from labkit.steps.display import Shown

if TYPE_CHECKING:
    from labkit.learn.judging import LabLike

RECALLED = 2  # questions from earlier lessons, in every lesson but the first
FIRST = "nb00"


@dataclass(frozen=True, kw_only=True)
class Question(Shown):
    """One question. `answer` computes what is right from the lab; `wrong` what else is offered, from both.

    `wrong` may also be a plain tuple; whatever in it equals the right answer is left out.
    """

    id: str
    ask: str
    answer: Callable[..., object]
    wrong: Callable[..., Iterable[object]] | Sequence[object]
    why: str

    def __post_init__(self) -> None:
        answers.check_id(self.id, "question")
        answers.check_texts(f"question {self.id}", ask=self.ask, why=self.why)
        if not callable(self.answer):
            raise LearnError(
                f"question {self.id}: the answer is written down: {self.answer!r}", look="answer=lambda lab: …"
            )

    def put(self, lab: LabLike) -> Put:
        """The question as it stands for this lab at this moment. Raises LearnError if it cannot be asked."""
        try:
            right = answers.as_text(self.answer(lab))
            others = self.wrong(lab, right) if callable(self.wrong) else self.wrong
            wrong = {answers.as_text(other).casefold(): answers.as_text(other) for other in others}
        except LabError:
            raise
        except Exception as error:
            raise LearnError(f"question {self.id} cannot be computed: {type(error).__name__}: {error}",
                             likely="it takes a state of the lab for granted") from error  # fmt: skip
        wrong.pop(right.casefold(), None)
        if not right or len(wrong) < 2:
            raise LearnError(
                f"question {self.id} offers {len(wrong)} wrong answers beside {right!r}",
                look="two or more different ones",
            )
        return Put(self, right, answers.shuffled([right, *wrong.values()], self.id))

    def __str__(self) -> str:
        return f"question {self.id}: {self.ask}"


@dataclass(frozen=True)
class Put(Shown):
    """A question that was put, with the right answer and the choices in their order."""

    question: Question
    right: str
    choices: tuple[str, ...]

    def __str__(self) -> str:
        choices = [f"     {letter}) {choice}" for letter, choice in zip(answers.LETTERS, self.choices, strict=False)]
        return "\n".join([self.question.ask, *choices])


@dataclass(frozen=True)
class Marked(Shown):
    """An answer, marked."""

    id: str
    said: str
    truth: str
    why: str

    @property
    def right(self) -> bool:
        """Whether it was right."""
        return answers.same(self.said, self.truth)

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        return f"{self.said}: {'right' if self.right else f'no, the kernel says {self.truth}'}\n  why: {self.why}"


@dataclass(frozen=True)
class Quiz(Shown):
    """The quiz of a lesson: its own questions, and some from before, as questions or as their ids."""

    lesson: str
    own: tuple[Question, ...]
    recall: tuple[Question | str, ...] = ()

    @classmethod
    def of(cls, lesson: str, *, own: Sequence[Question], recall: Sequence[Question | str] = ()) -> Quiz:
        """A quiz. Raises LearnError without two questions from earlier lessons (but for the first lesson)."""
        return cls(lesson, tuple(own), tuple(recall))

    def __post_init__(self) -> None:
        subject = f"quiz of {self.lesson}"
        ids = [question if isinstance(question, str) else question.id for question in (*self.own, *self.recall)]
        if not self.own or len(set(ids)) < len(ids):
            raise LearnError(f"{subject} has no question of its own, or one twice", look=answers.names(ids))
        for question in self.own:
            if answers.lesson_of(question.id) != self.lesson:
                raise LearnError(f"{subject}: {question.id} is not its own", look=f'id="{self.lesson}/…", or recall=')
        for identity in ids[len(self.own) :]:
            answers.check_id(identity, "question")
            if not answers.lesson_of(identity) < self.lesson:
                raise LearnError(
                    f"{subject} recalls {identity}, which does not come before it", look="an earlier lesson's question"
                )
        if len(self.recall) < RECALLED and self.lesson != FIRST:
            raise LearnError(
                f"{subject} recalls {len(self.recall)} questions of earlier lessons", look=f"recall={RECALLED} or more"
            )

    def questions(self) -> tuple[Question, ...]:
        """All questions, the recalled ones first. Raises LearnError for an id that no lesson has."""
        from labkit.learn import course

        return (*(course.question(each) if isinstance(each, str) else each for each in self.recall), *self.own)

    def sit(self, lab: LabLike, *, book: Book = book) -> Sitting:
        """Put the questions to this lab; returns the quiz to be answered."""
        return Sitting(self, lab, book)

    def solve(self, lab: LabLike) -> Sitting:
        """Sit it and give every right answer: for CI. Nothing is written down."""
        return Sitting(self, lab, None).solve()

    def __str__(self) -> str:
        return f"quiz of {self.lesson}: {len(self.own)} questions and {len(self.recall)} from earlier lessons"


class Sitting(Shown):
    """A quiz that is being answered. Questions count from 1."""

    def __init__(self, quiz: Quiz, lab: LabLike, book: Book | None) -> None:
        self.quiz, self.book = quiz, book
        self.put = tuple(question.put(lab) for question in quiz.questions())
        self.marked: dict[int, Marked] = {}
        self._listeners: list[Callable[[], None]] = []

    def answer(self, number: int, said: object) -> Marked:
        """Answer question `number` by the choice's text or letter. Raises LearnError for another number or choice."""
        put = self._put(number)
        choice = answers.pick(said, put.choices, put.question.ask)
        marked = Marked(put.question.id, choice, put.right, put.question.why)
        self.marked[number] = marked
        if self.book is not None:
            self.book.add(
                "quiz", put.question.id, said=choice, truth=put.right, right=marked.right, of=self.quiz.lesson
            )
        self._changed()
        return marked

    def ask_again(self, number: int) -> None:
        """Ask question `number` once more; what was written down stays. Raises LearnError for another number."""
        put = self._put(number)
        if self.marked.pop(number, None) is not None and self.book is not None:
            self.book.add("again", put.question.id)
        self._changed()

    def solve(self) -> Sitting:
        """Give every right answer."""
        for number, put in enumerate(self.put, 1):
            self.answer(number, put.right)
        return self

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when a question was answered or is asked again."""
        self._listeners.append(listener)

    def _put(self, number: int) -> Put:
        if not (isinstance(number, int) and 1 <= number <= len(self.put)):
            raise LearnError(f"there is no question {number}", look=f"1 to {len(self.put)}")
        return self.put[number - 1]

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    @property
    def score(self) -> tuple[int, int]:
        """How many are right, of how many."""
        return sum(m.right for m in self.marked.values()), len(self.put)

    def __str__(self) -> str:
        right, total = self.score
        lines = [f"{self.quiz}; {right} of {total} right, {len(self.marked)} answered"]
        for number, put in enumerate(self.put, 1):
            lines.append(f"  {number}. {put!s}")
            if number in self.marked:
                lines += [f"     = {line.strip()}" for line in str(self.marked[number]).split("\n")]
        return "\n".join(lines)
