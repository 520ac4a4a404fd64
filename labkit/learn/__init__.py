"""What makes it teach: predictions, exercises, planted faults, quizzes, and the progress.

Each of them is a small frozen object that a teacher declares in ten lines (docs/teaching.md), in the
module of its lesson (`labkit.learn.lessons`). None says what is right: a prediction is answered by the
trace, an exercise and a repair by the facts that the supervisor reads, a quiz by the lab.

    >>> from labkit import learn
    >>> lesson = learn.lesson("nb03")                        # doctest: +SKIP
    >>> walk = lab.walk(plan, predict=lesson.predict())      # doctest: +SKIP
    >>> lesson.check("own-name").pose(lab)                   # doctest: +SKIP
"""

from __future__ import annotations

from labkit.learn import progress, seen
from labkit.learn.answers import NUMBER, TEXT
from labkit.learn.check import Check
from labkit.learn.course import Lesson
from labkit.learn.course import load as lesson
from labkit.learn.fault import Fault, Planted
from labkit.learn.gating import Gate, attach, gate
from labkit.learn.predict import Feedback, Predict
from labkit.learn.quiz import Marked, Question, Quiz, Sitting
from labkit.learn.verdict import Verdict

__all__ = [
    "NUMBER", "TEXT", "Check", "Fault", "Feedback", "Gate", "Lesson", "Marked", "Planted", "Predict", "Question",
    "Quiz", "Sitting", "Verdict", "attach", "gate", "lesson", "progress", "seen",
]  # fmt: skip
