"""Answering from a recording: no kernel, no privileges, no Linux.

What was done before is hashed as in `labkit.steps.backends.recording`; the answer filed under that hash
is given. Where a student leaves the recorded paths, the error says so instead of inventing an answer.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.errors import ImageError, ReplayError
from labkit.steps.backends.base import CallFailed, Ended, Facts, Part, Row, Start
from labkit.steps.backends.recording import VERSION, History

_LOOK = "take the steps that the lesson takes; or run it live, in the VM or on a Linux machine"


class Replay:
    """A backend made of a recording."""

    name = "replay"

    def __init__(self, text: str) -> None:
        self.history = History()
        self.answers = _parse(text)

    @classmethod
    def from_environment(cls) -> Replay:
        """The recording that LABKIT_TRACE names. Raises ReplayError where there is none."""
        path = os.environ.get("LABKIT_TRACE", "")
        try:
            return cls(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ReplayError(
                f"there is no recording to replay: {error.strerror} ({path or 'LABKIT_TRACE is not set'})",
                look="LABKIT_TRACE=traces/NAME.jsonl names one",
            ) from error

    def _answer(self, what: str, *, default: Any = ...) -> Any:
        answer = self.answers.get((self.history.value, what), default)
        if answer is ...:
            raise ReplayError(
                f"the recording holds no answer to {what!r} here", likely="this way was not taken when it was recorded",
                look=_LOOK,
            )  # fmt: skip
        return answer

    def hello(self) -> Facts:
        return dict(self.answers["", "hello"])

    def renew(self) -> Facts:
        self.history = History()
        return {}

    def find(self, image: str) -> str:
        if ("", f"find {image}") not in self.answers:
            raise ImageError(f"no image {image!r} in this recording", look=_LOOK)
        return image

    def top(self, image: str) -> dict[str, str]:
        self.find(image)
        return dict(self.answers.get(("", f"top {image}"), {}))

    def user(self, image: str, name: str) -> tuple[int, int] | None:
        found = self.answers.get(("", f"user {image} {name}"))
        return (found[0], found[1]) if found else None

    def attach(self, name: str, path: str) -> None:
        self.history.add("attach", name)

    def take(self, part: Part) -> list[Row]:
        rows = []
        for intent in part.intents:
            self.history.add_call(part.who, intent)
            row = list(self._answer("call"))
            rows.append(row)
            if row[1] and row[1] not in intent.tolerate:
                break
            if intent.name == "execve" and not row[1]:
                break
        return rows

    def look(self, probes: Sequence[str]) -> Facts:
        wanted = "look " + " ".join(sorted(probes))
        if (self.history.value, wanted) not in self.answers:
            wanted = self._wider(set(probes)) or wanted
        facts: Facts = json.loads(json.dumps(self._answer(wanted)))
        return facts

    def _wider(self, probes: set[str]) -> str:
        """A recorded look at this point that includes the probes asked for."""
        for history, what in self.answers:
            if history == self.history.value and what.startswith("look") and probes <= set(what.split()[1:]):
                return what
        return ""

    def start(self, start: Start) -> int:
        failed = self._answer(f"start {start.name}", default=None)
        if failed:
            raise CallFailed(start.parts[failed["part"]], failed["rows"])
        self.history.add_start(start)
        return int(self._answer("pid"))

    def started(self, name: str) -> Ended | None:
        return _ended_from_json(self._answer(f"started {name}"))

    def wait(self, name: str, timeout: float | None = None) -> Ended | None:
        return _ended_from_json(self._answer(f"wait {name}", default=None))

    def logs(self, name: str) -> tuple[bytes, bytes]:
        out, err = self._answer(f"logs {name}", default=["", ""])
        return _to_bytes(out), _to_bytes(err)

    def forget(self, name: str) -> None:
        return

    def terminal(self, name: str) -> int:
        raise ReplayError("a terminal needs a live lab", look="the VM, or a Linux machine")

    def signal(self, name: str, number: int) -> None:
        self.history.add("signal", name, number)

    def close(self) -> None:
        return


def _parse(text: str) -> dict[tuple[str, str], Any]:
    rows: list[Any] = []
    answers: dict[tuple[str, str], Any] = {}
    try:
        lines = [json.loads(line) for line in text.splitlines() if line]
        if lines[0]["labkit-recording"] != VERSION:
            raise ReplayError(
                f"recording format {lines[0]['labkit-recording']} is not {VERSION}", look="record it anew"
            )
        for line in lines[1:]:
            if isinstance(line, dict):
                rows.append(line["row"])
                continue
            history, what, answer = line
            if what.startswith("look"):
                answer = {k: [rows[n] for n in v] if isinstance(v, list) else v for k, v in answer.items()}
            answers[history, what] = answer
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ReplayError(f"this is not a recording: {type(error).__name__}: {error}", look="record it anew") from error
    return answers


def _to_bytes(text: str) -> bytes:
    return base64.b64decode(text[1:]) if text.startswith("\ufffe") else text.encode()


def _ended_from_json(kept: Any) -> Ended | None:
    if kept is None:
        return None
    code, out, err, failed = kept
    return Ended(code, _to_bytes(out), _to_bytes(err), tuple(failed) if failed else None)
