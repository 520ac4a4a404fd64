"""What has been answered and solved, kept through restarts.

One file for each user, JSON Lines, only ever appended to: a line is one write(2), under a lock and
with fsync, so two notebooks may write at once and a power cut costs at most the line being written.
The reader drops what it cannot read. Where the file cannot be written the course goes on without it:
one warning, and the answers live as long as this Python does.

The file is ``$LABKIT_PROGRESS``, else ``~/.local/share/labkit/progress.jsonl``. It is the student's
own and can be edited by them; it is a bookmark, not an examination.

See: open(2) "O_APPEND", fsync(2).
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from labkit.learn.lock import locked
from labkit.linux import home

if TYPE_CHECKING:
    from labkit.learn.table import Table

Record = dict[str, Any]
VERSION = 1
#: O_NONBLOCK: opening a fifo without a reader would wait for ever; on a file it means nothing
_FLAGS = ("O_RDWR", "O_APPEND", "O_CREAT", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY")  # those that the system has
_PATIENCE = 1.0  # seconds to wait for another notebook's line; a lock on some network file systems never comes


def path() -> str:
    """The progress file: ``$LABKIT_PROGRESS``, else in the user's data directory."""
    return os.environ.get("LABKIT_PROGRESS") or os.path.join(home.data(), "labkit", "progress.jsonl")


class Book:
    """The progress file and, where it cannot be written, the records that did not reach it."""

    def __init__(self, file: str | None = None) -> None:
        self._file = file
        self._pending: list[Record] = []
        self._warned = ""
        self._seen: tuple[object, list[Record]] = (None, [])
        self._lock = threading.Lock()

    @property
    def file(self) -> str:
        """Where it is; looked up anew each time, so that a test or a class can move it."""
        return self._file or path()

    def add(self, kind: str, identity: str, **what: object) -> None:
        """Append one record. Never raises for what the disk does."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        record: Record = {"v": VERSION, "time": now, "kind": kind, "id": identity, **what}
        with self._lock:
            self._pending.append(record)
            try:
                _append(self.file, self._pending)
            except OSError as error:
                self._warn(error)
            else:
                self._pending = []

    def records(self) -> list[Record]:
        """Every record that can be read, oldest first, and those that could not be written."""
        with self._lock:
            try:
                status = os.stat(self.file)
                stamp = (self.file, status.st_ino, status.st_size, status.st_mtime_ns)
                if self._seen[0] != stamp:
                    self._seen = (stamp, _read(self.file) if stat.S_ISREG(status.st_mode) else [])
            except (FileNotFoundError, NotADirectoryError):
                self._seen = (None, [])
            except OSError as error:
                self._warn(error)
                self._seen = (None, [])
            return _since_forgotten([*self._seen[1], *self._pending])

    def of(self, identity: str, kind: str = "") -> list[Record]:
        """The records of one question, check, fault."""
        return [r for r in self.records() if r["id"] == identity and kind in ("", r["kind"])]

    def last(self, identity: str, kind: str = "") -> Record | None:
        """The latest record of it."""
        return next(iter(reversed(self.of(identity, kind))), None)

    def current(self, identity: str, kind: str) -> Record | None:
        """The latest record of it, unless it was to be asked again since."""
        found = [record for record in self.of(identity) if record["kind"] in (kind, "again")]
        return found[-1] if found and found[-1]["kind"] == kind else None

    def forget(self, lesson: str = "") -> None:
        """Begin a lesson (or everything) anew; what was written stays in the file and no longer counts."""
        self.add("forget", lesson)

    def _warn(self, error: OSError) -> None:
        if self._warned != self.file:
            self._warned = self.file
            reason = error.strerror or str(error)
            print(
                f"labkit: progress is not kept: {self.file}: {reason} (set LABKIT_PROGRESS to a writable file)",
                file=sys.stderr,
            )


def _append(file: str, records: Iterable[Record]) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in records).encode()
    os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
    fd = os.open(file, sum(getattr(os, flag, 0) for flag in _FLAGS), 0o600)
    try:
        with locked(fd, patience=_PATIENCE):  # without it O_APPEND alone has to do
            size = os.fstat(fd).st_size
            if size and _last(fd) != b"\n":  # the last writer was cut off: do not add to its half line
                lines = b"\n" + lines
            if os.write(fd, lines) != len(lines):
                raise OSError(28, os.strerror(28), file)
            with contextlib.suppress(OSError):  # a pipe or a device has nothing to sync
                os.fsync(fd)
    finally:
        os.close(fd)


def _last(fd: int) -> bytes:
    os.lseek(fd, -1, os.SEEK_END)
    return os.read(fd, 1)


def _read(file: str) -> list[Record]:
    found = []
    with open(file, "rb") as raw:
        for line in raw:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if _sound(record):
                found.append(record)
    return found


def _sound(record: object) -> bool:
    if not isinstance(record, dict) or record.get("v") != VERSION:
        return False
    return isinstance(record.get("id"), str) and isinstance(record.get("kind"), str)


def _since_forgotten(records: list[Record]) -> list[Record]:
    kept: list[Record] = []
    for record in records:
        if record["kind"] == "forget":
            lesson = record["id"]
            kept = [r for r in kept if lesson and r["id"].partition("/")[0] != lesson]
        else:
            kept.append(record)
    return kept


def table(book: Book | None = None) -> Table:
    """The progress as a table, a row for each lesson."""
    from labkit.learn import table as tables

    return tables.table(book or _book)


#: the progress of whoever runs this Python
_book = book = Book()
