"""What a student may say, and when it is the same as what the kernel says.

A question offers choices, or takes a number, or takes a word. Answers come from buttons, from cells
and from computed facts, so all three are first turned into the same kind of text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from labkit.errors import LearnError

#: in place of choices: any number, any word
NUMBER, TEXT = "number", "text"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LONGEST = 500  # characters of an answer that are kept

Choices = tuple[str, ...] | str


def as_text(value: object) -> str:
    """A value as an answer: yes and no for truths, else ``str``, with its white space tidied."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(value).split())[:LONGEST]


def same(one: object, other: object, choices: Choices = TEXT) -> bool:
    """Whether two answers are the same: numbers by value (``0x10`` is 16), words without regard to case."""
    left, right = as_text(one), as_text(other)
    if choices == NUMBER:
        return _number(left) == _number(right) is not None
    return left.casefold() == right.casefold()


def _number(text: str) -> int | float | None:
    for kind in (lambda t: int(t, 0), int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def pick(said: object, choices: Choices, ask: str) -> str:
    """The answer that is meant by `said`: a choice by its text or its letter. Raises LearnError for none of them."""
    text = as_text(said)
    if isinstance(choices, str):
        if not text or (choices == NUMBER and _number(text) is None):
            raise LearnError(f"{text or 'nothing'!r} is no {choices}: {ask}", look=f"answer with a {choices}")
        return text
    for choice in choices:
        if same(choice, text):
            return choice
    place = LETTERS.find(text.casefold()) if len(text) == 1 else -1
    if 0 <= place < len(choices):
        return choices[place]
    raise LearnError(f"{text!r} is not one of the answers to: {ask}", look=f"one of: {offered(choices)}")


def offered(choices: Choices) -> str:
    """The choices in one line: ``a) 1   b) 2``; for the others what they are."""
    if isinstance(choices, str):
        return f"a {choices}"
    return "   ".join(f"{letter}) {choice}" for letter, choice in zip(LETTERS, choices, strict=False))


def shuffled(choices: Iterable[str], seed: str) -> tuple[str, ...]:
    """The choices in an order that says nothing about which is right, and is the same in every run."""
    return tuple(sorted(choices, key=lambda choice: hashlib.sha256(f"{seed}\0{choice}".encode()).digest()))


def check_choices(choices: Choices, subject: str) -> None:
    """Raise LearnError unless there is something to choose from."""
    if isinstance(choices, str):
        if choices not in (NUMBER, TEXT):
            raise LearnError(f"{subject}: choices is {choices!r}", look='a tuple of texts, or "number", or "text"')
        return
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        raise LearnError(f"{subject}: every choice is a text", look='choices=("1", "the same as before")')
    if not 2 <= len({as_text(choice).casefold() for choice in choices}) == len(choices) <= len(LETTERS):
        raise LearnError(
            f"{subject}: {len(choices)} choices, or two that are the same", look="give two to five different ones"
        )


def check_id(identity: str, kind: str) -> None:
    """Raise LearnError unless `identity` is ``lesson/name``, by which progress and the referee find it."""
    lesson, slash, name = identity.partition("/")
    plain = all(part and part.replace("-", "").replace("_", "").isalnum() and part.isascii() for part in (lesson, name))
    if not slash or not plain:
        raise LearnError(f"{kind} {identity!r} needs an id of the form lesson/name", look='id="nb03/first-pid"')


def lesson_of(identity: str) -> str:
    """``nb03`` for ``nb03/first-pid``."""
    return identity.partition("/")[0]


def check_texts(subject: str, **texts: object) -> None:
    """Raise LearnError if one of the texts that the student will read is empty."""
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise LearnError(f"{subject}: {name} is empty", look=f'{name}="…" is what the student reads')


def names(items: Sequence[object]) -> str:
    """A few names for an error's text."""
    return ", ".join(str(item) for item in items) or "none"
