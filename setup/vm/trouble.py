"""What goes wrong with the course's machine, told as ./lab tells it."""

from __future__ import annotations


class Trouble(Exception):
    """The step that failed, why, and what helps."""

    def __init__(self, step: str, why: str, remedy: str) -> None:
        super().__init__(f'the step "{step}" failed\n  because: {why}\n  remedy:  {remedy}')
