"""Writing down on the way what a lab was asked and what it answered: see `labkit.steps.backends.tape`.

Pids, inodes and mount ids are renumbered (`labkit.steps.backends.numbers`), and the machine's own paths dropped, so
that nothing but the kernel's version tells where a recording was made. A recorded lab shows no window: its
exercises are judged in the notebook, where what the judge sees is recorded too.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from labkit.errors import LabError
from labkit.steps.backends.base import Accounts, Backend, CallFailed, Ended, Facts, Part, Row, Start
from labkit.steps.backends.numbers import Numbers, renumber
from labkit.steps.backends.tape import Tape, Visit, asked_of_machine

T = TypeVar("T")
_PUBLIC = ("kernel", "cgroup_mode", "way", "rootless", "no_cgroup", "shared_root", "controllers", "trees")
_tapes: dict[Path, Tape] = {}  # of this Python, by file


class Recording:
    """A backend that passes everything on to another, and keeps the answers in the file `path` (LABKIT_TRACE)."""

    name = "recording"

    def __init__(self, below: Backend, path: str | None = None) -> None:
        self.below = below
        self.path = Path(path or os.environ.get("LABKIT_TRACE") or "labkit-trace.jsonl")
        self.tape = _tapes.setdefault(self.path, Tape(time.strftime("%Y-%m-%d", time.gmtime())))
        self.visit, self._numbers = Visit(self.tape), Numbers()
        self._ends: Mapping[str, Ended] = {}

    def _always(self, what: str, answer: Any) -> None:
        self.tape.answers[0, "", what] = [answer]

    def _kept(self, what: str, ask: Callable[[], T], told: Callable[[T], Any]) -> T:
        """The answer to `ask`, an error too, kept as `told` says it in the situation that it leads to."""
        try:
            answer = ask()
        except LabError as error:
            self.visit.keep(what, _error(error))
            raise
        self.visit.keep(what, told(answer))
        return answer

    def hello(self) -> Facts:
        full = self.below.hello()
        facts = {key: full[key] for key in _PUBLIC if key in full} | {"cgroup": bool(full.get("cgroup"))}
        self._always("hello", facts)
        return {key: value for key, value in full.items() if key != "run"}

    def machine(self, question: str, pids: Mapping[str, int]) -> Facts:
        return self._kept(asked_of_machine(question, pids), lambda: self.below.machine(question, pids), dict)

    def renew(self) -> Facts:
        facts = self.below.renew()
        self._keep_ends()
        self.visit, self._numbers = Visit(self.tape), Numbers()
        return facts

    def ends(self) -> Mapping[str, Ended]:
        return self._ends

    def _keep_ends(self) -> None:
        self._ends = self.below.ends()
        if self._ends:
            self.visit.keep("ends", {name: _ended_to_json(ended) for name, ended in self._ends.items()})

    def find(self, image: str) -> str:
        self._always(f"find {image}", True)
        return self.below.find(image)

    def top(self, image: str) -> dict[str, str]:
        found = self.below.top(image)
        self._always(f"top {image}", dict(sorted(found.items())))
        return found

    def accounts(self, image: str) -> Accounts:
        passwd, group, unread = self.below.accounts(image)
        self._always(f"accounts {image}", [_to_text(passwd), _to_text(group), unread])
        return passwd, group, unread

    def attach(self, name: str, path: str) -> None:
        self.below.attach(name, path)
        self.visit.did("attach", name)

    def open_trees(self) -> None:
        self.below.open_trees()
        self.visit.did("trees", "")

    def take(self, part: Part) -> list[Row]:
        try:
            rows = self.below.take(part)
        except LabError as error:
            self.visit.called(part.who, part.intents[0])
            self.visit.keep_once("call", _error(error))
            raise
        for intent, row in zip(part.intents, rows, strict=False):
            self.visit.called(part.who, intent)
            self.visit.keep_once("call", _unhurried(row))
        return rows

    def moment(self) -> str:
        return self.visit.situation

    def returned(self, moment: str) -> None:
        self.visit.returned(moment)

    def look(self, probes: Sequence[str]) -> Facts:
        what = "look " + " ".join(sorted(probes))
        return self._kept(
            what, lambda: self.below.look(probes), lambda facts: renumber(_without_machine(facts), self._numbers)
        )

    def start(self, start: Start) -> int:
        self.visit.started(start)
        try:
            pid = self.below.start(start)
        except CallFailed as failed:
            self.visit.keep("pid", {"part": list(start.parts).index(failed.part), "rows": failed.rows})
            raise
        self.visit.keep("pid", pid)
        return pid

    def started(self, name: str) -> Ended | None:
        return self._kept(f"started {name}", lambda: self.below.started(name), _ended_to_json)

    def wait(self, name: str, timeout: float | None = None) -> Ended | None:
        return self._kept(f"wait {name}", lambda: self.below.wait(name, timeout), _ended_to_json)

    def ceilings(self) -> list[tuple[str, str, str]]:
        return self.below.ceilings()  # paths of this machine, which no recording holds: what they refuse is not asked

    def frozen(self, name: str) -> tuple[str, str] | None:
        if found := self.below.frozen(name):
            self.visit.keep(f"frozen {name}", found)
        return found

    def logs(self, name: str) -> tuple[bytes, bytes]:
        return self._kept(f"logs {name}", lambda: self.below.logs(name), lambda logs: [_to_text(each) for each in logs])

    def forget(self, name: str) -> None:
        self.below.forget(name)

    def terminal(self, name: str) -> int:
        return self.below.terminal(name)

    def killed(self) -> Facts:
        return self.below.killed()

    def signal(self, name: str, number: int) -> None:
        self.visit.did("signal", name, number)
        self._kept("signalled", lambda: self.below.signal(name, number), lambda _: None)

    def freeze(self, frozen: bool) -> None:
        self.below.freeze(frozen)

    def close(self) -> None:
        self.below.close()
        self._keep_ends()
        self.visit.did("close")
        self.path.write_text(self.tape.to_jsonl(), encoding="utf-8")


def _error(error: LabError) -> Facts:
    return {"error": [type(error).__name__, error.message, error.likely, error.look]}


def _unhurried(row: Row) -> Row:
    """A call's row, its time in whole microseconds."""
    return [row[0], row[1], row[2] // 1000 * 1000, row[3]]


def _without_machine(facts: Facts) -> Facts:
    """Facts with the run directory and the cgroup's path replaced by what reading makes of them anyway."""
    scratch, base = str(facts.get("scratch") or ""), str(facts.get("cgroup_base") or "")
    text = json.dumps({key: value for key, value in facts.items() if key not in ("scratch", "cgroup_base")})
    if scratch:
        text = text.replace(json.dumps(scratch)[1:-1], "/run")
    result: Facts = json.loads(text)
    for row in result.get("cgroup", ()):
        row["path"] = (row["path"].partition(base)[2] if base and base in row["path"] else row["path"]) or "/"
    for row in result.get("mounts", ()):
        if row["fstype"] == "cgroup2":
            row["root"] = (row["root"].partition(base)[2] if base else row["root"]) or "/"
    return result | {"depth": facts.get("depth", 1)}


def _to_text(data: bytes) -> str:
    """Bytes as text where they are, else as base64 behind a mark that no UTF-8 text begins with."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "\ufffe" + base64.b64encode(data).decode()


def _ended_to_json(ended: Ended | None) -> Any:
    if ended is None:
        return None
    kept = [ended.code, _to_text(ended.stdout), _to_text(ended.stderr), ended.failed]
    return [*kept, dict(ended.counters), dict(ended.before)] if ended.counters else kept
