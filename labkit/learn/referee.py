"""The referee: a Python of its own that judges one check. ``python -I -c … < question > verdict``.

It imports the lesson from disk, reads the facts from the supervisor, and writes the outcome into the
progress file itself, marked as its own. Of what the notebook sends it believes only which lab and
which check are meant, and what the student calls their processes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from typing import Any

from labkit.errors import LearnError
from labkit.learn import course, outside
from labkit.learn.judging import write_down
from labkit.learn.progress import Book


def referee(question: dict[str, Any]) -> dict[str, Any]:
    """The reply to one question: a verdict, or why there is none."""
    try:
        task = course.find(question["id"])
        facts = outside.snapshot(question["run"], task.probes, question["labels"])
        verdict = replace(task.judge(facts), judge="referee")
        write_down(verdict, question["kind"], Book(question["progress"]))
        return asdict(verdict)
    except outside.NotSeen as reason:
        return {"no referee": str(reason)}
    except LearnError as error:
        return {"broken": [error.message, error.likely, error.look]}


def main() -> None:
    """Read a question, write its verdict."""
    json.dump(referee(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
