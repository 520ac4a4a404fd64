"""Answering from a recording: no kernel, no privileges, no Linux. See `labkit.steps.backends.tape`.

Where a student leaves the recorded paths, the error says so instead of inventing an answer.
"""

from __future__ import annotations

import base64
import copy
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit import errors
from labkit.errors import ImageError, ReplayError
from labkit.steps.backends import recordings
from labkit.steps.backends.base import Accounts, CallFailed, Ended, Facts, Part, Row, Start
from labkit.steps.backends.tape import Tape, Visit, asked_of_machine
from labkit.steps.call import render

_LOOK = "take the steps that the lesson takes, after walk.reset() or lab.reset(); or run it live, in Linux or the VM"
#: strftime's would be those of the locale
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_tapes: dict[Path, Tape] = {}  # of this Python, by file


def opened() -> list[Tape]:
    """The recordings that this Python has played from."""
    return [*_tapes.values()]


class Replay:
    """A backend made of a recording."""

    name = "replay"

    def __init__(self, tape: Tape, because: str = "") -> None:
        self.tape = tape
        self.because = because  # why it is not live
        self.visit = Visit(tape)
        self._ends: Mapping[str, Ended] = {}

    @classmethod
    def of(cls, lesson: str, because: str = "") -> Replay:
        """The recording of a lesson (its id), or of the one that this Python plays already. Raises ReplayError."""
        path = recordings.of(lesson)
        if path is None and len(_tapes) == 1:
            [path] = _tapes
        if path is None:
            what = f"lesson {lesson} is not recorded" if lesson else "a lab of no lesson has no recording"
            raise ReplayError(f"nothing to replay: {what}", look="Lab(learn.lesson('nb03')) plays that of lesson 03")
        try:
            if path not in _tapes:
                _tapes[path] = Tape.from_jsonl(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ReplayError(
                f"there is no recording to replay: {why} ({path})", look="LABKIT_TRACE=FILE names one"
            ) from error
        return cls(_tapes[path], because)

    def _always(self, what: str) -> Any:
        return self.tape.answers.get((0, "", what), [None])[0]

    def _answer(self, what: str, words: str = "") -> Any:
        """The recorded answer, or the recorded error. Raises ReplayError, in these words, where there is neither."""
        try:
            answer = copy.deepcopy(self.visit.recall(what))
        except KeyError:
            raise ReplayError(
                f"not in the recording: {words or what}",
                likely=f"this lab is not live but {self.recorded}; that was not done then, or not after the same steps",
                look=_LOOK,
            ) from None
        if isinstance(answer, dict) and "error" in answer:
            kind, message, likely, look = answer["error"]
            raise getattr(errors, kind, errors.LabError)(message, likely=likely, look=look)
        return answer

    @property
    def recorded(self) -> str:
        """Where and when: ``recorded on Linux 6.18.5, 24 Nov 2026`` (without what a distribution adds)."""
        try:
            day = datetime.date.fromisoformat(self.tape.date)
            date = f", {day.day} {_MONTHS[day.month - 1]} {day.year}"
        except ValueError:
            date = ""
        return f"recorded on Linux {self.hello().get('kernel', '').partition('-')[0]}{date}"

    def hello(self) -> Facts:
        return dict(self._always("hello") or {})

    def machine(self, question: str, pids: Mapping[str, int]) -> Facts:
        found: Facts = self._answer(asked_of_machine(question, pids), f"what the machine says about {question} here")
        return found

    def renew(self) -> Facts:
        self._find_ends()
        self.visit = Visit(self.tape)
        return {}

    def ends(self) -> Mapping[str, Ended]:
        return self._ends

    def _find_ends(self) -> None:
        """Those that were recorded here; where the lab host ended elsewhere in the recording, none."""
        kept = self._answer("ends") if self.visit.knows("ends") else {}
        self._ends = {name: ended for name, each in kept.items() if (ended := _ended_from_json(each))}

    def find(self, image: str) -> str:
        if not self._always(f"find {image}"):
            raise ImageError(f"no image {image!r} in this recording", look=_LOOK)
        return image

    def top(self, image: str) -> dict[str, str]:
        self.find(image)
        return dict(self._always(f"top {image}") or {})

    def accounts(self, image: str) -> Accounts:
        passwd, group, unread = self._always(f"accounts {image}") or ("", "", "the recording has none")
        return _to_bytes(passwd), _to_bytes(group), unread

    def attach(self, name: str, path: str) -> None:
        self.visit.did("attach", name)

    def open_trees(self) -> None:
        self.visit.did("trees", "")

    def take(self, part: Part) -> list[Row]:
        rows: list[Row] = []
        for intent in part.intents:
            self.visit.called(part.who, intent)
            row: Row = self._answer("call", render(intent.name, intent.args))
            rows.append(row)
            became = intent.name == "execve" and not row[1]  # nobody is there any more to make the next call
            if became or (row[1] and row[1] not in intent.tolerate):
                break
        return rows

    def moment(self) -> str:
        return self.visit.situation

    def returned(self, moment: str) -> None:
        self.visit.returned(moment)

    def look(self, probes: Sequence[str]) -> Facts:
        what = "look " + " ".join(sorted(probes))
        wider = (w for w in self.tape.looks(self.visit.number, self.visit.situation) if {*probes} <= {*w.split()[1:]})
        if (self.visit.number, self.visit.situation, what) not in self.tape.answers:
            what = next(wider, what)
        facts: Facts = self._answer(what, f"a look at {', '.join(sorted(probes)) or 'the processes'} here")
        return facts

    def start(self, start: Start) -> int:
        self.visit.started(start)
        answer = self._answer("pid", f"the start of {start.name}")
        if isinstance(answer, dict):
            raise CallFailed(start.parts[answer["part"]], answer["rows"])
        return int(answer)

    def started(self, name: str) -> Ended | None:
        return _ended_from_json(self._answer(f"started {name}"))

    def wait(self, name: str, timeout: float | None = None) -> Ended | None:
        what = f"wait {name}"
        return _ended_from_json(self._answer(what)) if self.visit.knows(what) else None

    def ceilings(self) -> list[tuple[str, str, str]]:
        return []

    def frozen(self, name: str) -> tuple[str, str] | None:
        what = f"frozen {name}"
        return tuple(self._answer(what)) if self.visit.knows(what) else None

    def logs(self, name: str) -> tuple[bytes, bytes]:
        what = f"logs {name}"
        out, err = self._answer(what) if self.visit.knows(what) else ("", "")
        return _to_bytes(out), _to_bytes(err)

    def forget(self, name: str) -> None:
        return

    def terminal(self, name: str) -> int:
        raise ReplayError("a terminal needs a live lab", look="the VM, or a Linux machine")

    def killed(self) -> Facts:
        raise ReplayError("watching needs a live lab", look="container.usage(); or run it live, in Linux or the VM")

    def signal(self, name: str, number: int) -> None:
        self.visit.did("signal", name, number)
        self._answer("signalled", f"signal {number} to {name}")

    def freeze(self, frozen: bool) -> None:
        return

    def close(self) -> None:
        self._find_ends()
        self.visit.did("close")


def _to_bytes(text: str) -> bytes:
    return base64.b64decode(text[1:]) if text.startswith("\ufffe") else text.encode()


def _ended_from_json(kept: Any) -> Ended | None:
    if kept is None:
        return None
    code, out, err, failed, *counted = kept
    return Ended(code, _to_bytes(out), _to_bytes(err), tuple(failed) if failed else None, *counted)
