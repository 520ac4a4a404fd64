"""Writing down everything that a lab asks of its kernel, so that it can be asked again without one.

What a kernel answers depends on what was done before, so each answer is filed under the *history*: a
hash over all calls since the last fresh lab host. That makes a recording more than a tape: going back,
forth and back again leads to the same histories, hence to answers that are there.

A recording is JSON Lines: a header, rows (each once, however often it is seen), and answers that name
rows by number. Pids, inodes and mount ids are renumbered in order of appearance and the machine's own
paths are dropped, so that nothing but the kernel's version tells where it was made.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from labkit.agent.wire import pack
from labkit.linux.calls import Intent
from labkit.steps.backends.base import Backend, CallFailed, Ended, Facts, Part, Row, Start

VERSION = 1
FRESH = "fresh"
_NUMBERED = {
    "processes": ("pid", "parent"), "mounts": ("id", "parent", "shared", "master"),
    "namespaces": ("inode", "owner", "parent"),
}  # fmt: skip
_PUBLIC = ("kernel", "cgroup_mode", "way", "rootless", "no_cgroup")


class History:
    """The hash of all that was done since the last fresh lab host."""

    def __init__(self) -> None:
        self.value = FRESH

    def add(self, *what: Any) -> None:
        """Something was done."""
        text = json.dumps([self.value, *what], sort_keys=True)
        self.value = hashlib.sha256(text.encode()).hexdigest()[:16]

    def add_call(self, who: str, intent: Intent) -> None:
        """A call was made, with whatever result: the same call after the same history has the same."""
        self.add(who, intent.name, pack(intent.args), intent.keep)

    def add_start(self, start: Start) -> None:
        """A program was started."""
        self.add("start", start.name, [[p.who, [pack(tuple(i)) for i in p.intents]] for p in start.parts], start.tty)


class Numbers:
    """Small numbers for the kernel's big ones, in order of first appearance. 0 and -1 mean something and stay."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], int] = {}

    def __call__(self, kind: str, value: Any) -> Any:
        if not isinstance(value, int) or isinstance(value, bool) or value in (0, -1):
            return value
        return self._known.setdefault((kind, value), len(self._known) + 1)


def renumber(facts: Facts, number: Numbers) -> Facts:
    """Raw facts with numbers that are the same in every run."""
    result: Facts = {}
    for probe, rows in facts.items():
        if not isinstance(rows, list):
            result[probe] = rows
            continue
        result[probe] = [_renumbered(probe, row, number) for row in rows]
    return result


def _renumbered(probe: str, row: dict[str, Any], number: Numbers) -> dict[str, Any]:
    new = dict(row)
    kind = {"mounts": "mount", "namespaces": "ns"}.get(probe, "pid")
    for key in _NUMBERED.get(probe, ()):
        peer = probe == "mounts" and key in ("shared", "master")
        new[key] = number("peer" if peer else kind, new[key])
    if "ns" in new:
        ns = new["ns"]
        new["ns"] = {k: number("ns", v) for k, v in ns.items()} if isinstance(ns, dict) else number("ns", ns)
    if probe not in _NUMBERED and "pid" in new:
        new["pid"] = number("pid", new["pid"])
    if "nspid" in new:
        new["nspid"] = [number("pid", new["nspid"][0]), *new["nspid"][1:]]
    if "held_by" in new:
        new["held_by"] = [[how, number("pid", by) if how == "fd" else by] for how, by in new["held_by"]]
    return new


class Recording:
    """A backend that passes everything on to another, and keeps the answers."""

    name = "recording"

    def __init__(self, below: Backend, path: str | None = None) -> None:
        self.below = below
        self.path = Path(path or os.environ.get("LABKIT_TRACE") or "labkit-trace.jsonl")
        self.history = History()
        self.answers: dict[tuple[str, str], Any] = {}
        self._numbers = Numbers()

    def _keep(self, what: str, answer: Any) -> None:
        self.answers[self.history.value, what] = answer

    def hello(self) -> Facts:
        full = self.below.hello()
        facts = {key: full[key] for key in _PUBLIC if key in full} | {"cgroup": bool(full.get("cgroup"))}
        self.answers["", "hello"] = facts
        return full

    def renew(self) -> Facts:
        self.history, self._numbers = History(), Numbers()
        return self.below.renew()

    def find(self, image: str) -> str:
        self.answers["", f"find {image}"] = True
        return self.below.find(image)

    def top(self, image: str) -> dict[str, str]:
        found = self.below.top(image)
        self.answers["", f"top {image}"] = dict(sorted(found.items()))
        return found

    def user(self, image: str, name: str) -> tuple[int, int] | None:
        found = self.below.user(image, name)
        self.answers["", f"user {image} {name}"] = found
        return found

    def attach(self, name: str, path: str) -> None:
        self.below.attach(name, path)
        self.history.add("attach", name)

    def take(self, part: Part) -> list[Row]:
        rows = self.below.take(part)
        for intent, row in zip(part.intents, rows, strict=False):
            self.history.add_call(part.who, intent)
            self._keep("call", row)
        return rows

    def look(self, probes: Sequence[str]) -> Facts:
        facts = self.below.look(probes)
        self._keep("look " + " ".join(sorted(probes)), renumber(_without_machine(facts), self._numbers))
        return facts

    def start(self, start: Start) -> int:
        before = self.history.value
        self.history.add_start(start)
        try:
            pid = self.below.start(start)
        except CallFailed as failed:
            self.answers[before, f"start {start.name}"] = {
                "part": list(start.parts).index(failed.part),
                "rows": failed.rows,
            }
            raise
        self._keep("pid", pid)
        return pid

    def started(self, name: str) -> Ended | None:
        return self._ended(f"started {name}", lambda: self.below.started(name))

    def wait(self, name: str, timeout: float | None = None) -> Ended | None:
        return self._ended(f"wait {name}", lambda: self.below.wait(name, timeout))

    def _ended(self, what: str, ask: Callable[[], Ended | None]) -> Ended | None:
        ended = ask()
        kept = self.answers.get((self.history.value, what))
        if ended is not None or kept is None:
            self._keep(what, _ended_to_json(ended))
        return ended

    def logs(self, name: str) -> tuple[bytes, bytes]:
        logs = self.below.logs(name)
        self._keep(f"logs {name}", [_to_text(each) for each in logs])
        return logs

    def forget(self, name: str) -> None:
        self.below.forget(name)

    def terminal(self, name: str) -> int:
        return self.below.terminal(name)

    def signal(self, name: str, number: int) -> None:
        self.below.signal(name, number)
        self.history.add("signal", name, number)

    def close(self) -> None:
        self.below.close()
        self.path.write_text(self.to_jsonl(), encoding="utf-8")

    def to_jsonl(self) -> str:
        """The recording as text: header, rows, answers."""
        rows: dict[str, int] = {}

        def number(row: Any) -> int:
            return rows.setdefault(json.dumps(row, ensure_ascii=False, separators=(",", ":")), len(rows))

        answers = []
        for (history, what), answer in self.answers.items():
            kept = answer
            if what.startswith("look"):
                kept = {k: [number(r) for r in v] if isinstance(v, list) else v for k, v in answer.items()}
            answers.append(json.dumps([history, what, kept], ensure_ascii=False, separators=(",", ":")))
        head = json.dumps({"labkit-recording": VERSION})
        return "\n".join([head, *(f'{{"row":{row}}}' for row in rows), *answers]) + "\n"


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
    return [ended.code, _to_text(ended.stdout), _to_text(ended.stderr), ended.failed]
