"""A recording: what was asked of labs, in which situation, and what they answered.

A situation is the hash of all that was done since the last fresh lab host. That makes it more than a tape:
going back, forth and back again leads to the same hashes, hence to answers that are there. Each fresh lab
host is a *visit*; within one the same question may have several answers (a sleeper wakes up), which are
given in their order, the last one for ever. A visit that was not recorded, because cells are run in another
order, borrows from the others.

On disk it is JSON Lines: a header, rows (each once, however often it was seen), and answers that name rows by
number. All labs of one Python write to one tape, and read from one: a lesson is a file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from labkit.agent.wire import pack
from labkit.errors import ReplayError
from labkit.linux.calls import Intent
from labkit.linux.constants import decode
from labkit.linux.signatures import signature
from labkit.steps.backends.base import Start

VERSION = 3
FRESH = "fresh"
_ANEW = "record it anew: ./lab record"
Key = tuple[int, str, str]  # visit (0: all of them), situation, question


class Tape:
    """Questions and answers. `date` is the day of the recording; `visits` counts the fresh lab hosts of this Python."""

    def __init__(self, date: str = "") -> None:
        self.date = date
        self.answers: dict[Key, list[Any]] = {}
        self.asked: set[tuple[str, str]] = set()  # situation, question
        self.visits = 0

    def keep(self, key: Key, answer: Any) -> None:
        """One more answer."""
        self.answers.setdefault(key, []).append(answer)

    def elsewhere(self, situation: str, what: str) -> int | None:
        """The latest visit with an answer to that."""
        return max((v for v, s, w in self.answers if v and (s, w) == (situation, what)), default=None)

    def idle(self) -> set[tuple[str, str]]:
        """What the recording knows of lab hosts and nobody has asked since it was loaded: situation, question."""
        return {(situation, what) for _, situation, what in self.answers if situation} - self.asked

    def looks(self, visit: int, situation: str) -> list[str]:
        """What was looked at there."""
        return [w for v, s, w in self.answers if (v, s) == (visit, situation) and w.startswith("look")]

    def to_jsonl(self) -> str:
        """The recording as text."""
        rows: dict[str, int] = {}
        lines = []
        for (visit, situation, what), given in self.answers.items():
            told = [_numbered(answer, rows) if what.startswith("look") else answer for answer in given]
            same = all(answer == told[0] for answer in told)
            lines.append(_line([visit, situation, what, told[:1] if same else told]))
        head = _line({"labkit-recording": VERSION, "date": self.date})
        return "\n".join([head, *(f'{{"row":{row}}}' for row in rows), *lines]) + "\n"

    @classmethod
    def from_jsonl(cls, text: str) -> Tape:
        """The tape that `to_jsonl` wrote. Raises ReplayError for another format or version."""
        tape = cls()
        rows: list[Any] = []
        try:
            lines = [json.loads(line) for line in text.splitlines() if line]
            if lines[0]["labkit-recording"] != VERSION:
                raise ReplayError(f"recording format {lines[0]['labkit-recording']} is not {VERSION}", look=_ANEW)
            tape.date = str(lines[0].get("date", ""))
            for line in lines[1:]:
                if isinstance(line, dict):
                    rows.append(line["row"])
                    continue
                visit, situation, what, given = line
                known = [_full(answer, rows) if what.startswith("look") else answer for answer in given]
                if not known:
                    raise ValueError(f"no answer to {what!r}")
                tape.answers[visit, situation, what] = known
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise ReplayError(f"this is not a recording: {type(error).__name__}: {error}", look=_ANEW) from error
        return tape


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _numbered(facts: dict[str, Any], rows: dict[str, int]) -> dict[str, Any]:
    return {
        k: [rows.setdefault(_line(row), len(rows)) for row in v] if isinstance(v, list) else v for k, v in facts.items()
    }


def _full(facts: dict[str, Any], rows: list[Any]) -> dict[str, Any]:
    return {k: [rows[number] for number in v] if isinstance(v, list) else v for k, v in facts.items()}


def asked_of_machine(question: str, names: Iterable[str]) -> str:
    """What a question about the machine below is filed under. Pids differ from run to run; names do not."""
    return " ".join(["machine", question, *sorted(names)])


def told(intent: Intent) -> list[Any]:
    """A call's arguments, the same on every machine: four flags of open(2) have other numbers on other processors."""
    kinds = [kind for _, kind, _ in signature(intent.name).parameters]
    return [_told(kind, value) for kind, value in zip_longest(kinds, intent.args)]


def _told(kind: str, value: Any) -> Any:
    if kind == "O" and isinstance(value, int):
        return decode("O", value)
    if kind == "open_how":
        value = {**value, "flags": decode("O", value.get("flags", 0))}
    return pack(value)


class Visit:
    """One lab host, from fresh to gone: where on the tape we are."""

    def __init__(self, tape: Tape) -> None:
        tape.visits += 1
        self.tape, self.number, self.situation = tape, tape.visits, FRESH
        self._turns: Counter[tuple[str, str]] = Counter()

    def did(self, *what: Any) -> None:
        """Something was done: from now on the situation is another."""
        text = json.dumps([self.situation, *what], sort_keys=True)
        self.situation = hashlib.sha256(text.encode()).hexdigest()[:12]

    def called(self, who: str, intent: Intent) -> None:
        """A call was made, with whatever result: the same call in the same situation has the same."""
        self.did(who, intent.name, told(intent), intent.keep)

    def started(self, start: Start) -> None:
        """A program was started."""
        parts = [
            [part.who, [[intent.name, told(intent), intent.keep] for intent in part.intents]] for part in start.parts
        ]
        self.did("start", start.name, parts, start.tty)

    def returned(self, situation: str) -> None:
        """What was done since `situation` has been undone: the lab is as it was then."""
        self.situation = situation

    def keep(self, what: str, answer: Any) -> None:
        """Record an answer."""
        self.tape.keep((self.number, self.situation, what), answer)

    def keep_once(self, what: str, answer: Any) -> None:
        """Record an answer that is the same on every visit."""
        self.tape.answers.setdefault((0, self.situation, what), [answer])

    def knows(self, what: str) -> bool:
        """Whether there is an answer, here or in another visit, which then is the one to go on with."""
        if self._always(what) or (self.number, self.situation, what) in self.tape.answers:
            return True
        other = self.tape.elsewhere(self.situation, what)
        self.number = self.number if other is None else other
        return other is not None

    def recall(self, what: str) -> Any:
        """The next answer. Raises KeyError if there is none."""
        if not self.knows(what):
            raise KeyError(what)
        self.tape.asked.add((self.situation, what))
        given = self._always(what) or self.tape.answers[self.number, self.situation, what]
        turn = self._turns[self.situation, what]
        self._turns[self.situation, what] += 1
        return given[min(turn, len(given) - 1)]

    def _always(self, what: str) -> list[Any] | None:
        return self.tape.answers.get((0, self.situation, what))
