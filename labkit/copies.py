"""The student's own copies of the lessons: `labkit copy`, and what `./lab up` serves.

The notebooks of a clone keep their outputs, for the tests compare them and the repository's page shows them. A student
gets them without outputs and counts, in a work directory (``~/labkit``) where JupyterLab may save what it likes; the
clone stays as git knows it.

What the student changed is never overwritten. `RECORD` in the work directory lists each version of each file that was
ever put there, by its `essence`: what a notebook says, its outputs, counts and view state aside. So a file

- that is not there is put there, also when the student has deleted it: that is how to begin a lesson anew;
- that says what the course's version says is left alone, whatever outputs it has by now;
- that says what an *earlier* version said, and has no outputs, is replaced by the new version;
- that has outputs, or says anything else, is the student's. It stays, and the course's new version is laid beside it as
  ``NAME.new.ipynb``, once for each version.

Without the record, or with one that cannot be read, all that differs from the course counts as the student's. A
symbolic link is the student's, too, and is not followed. A file appears whole or not at all (rename(2)); one
process at a time copies into a directory.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from labkit import index_page
from labkit.errors import LabError
from labkit.learn.lock import locked
from labkit.record import NOTEBOOKS

COURSE = NOTEBOOKS.parent
OWN = ".labkit"  # what is kept about the copies; JupyterLab does not show it
RECORD = f"{OWN}/given.json"
INDEX = "index.md"
VERSION = 1
PATIENCE = 30.0  # seconds to wait for another copier

#: of a cell's metadata: how it is shown and what ran when, which JupyterLab changes without being asked
_VIEW_STATE = ("trusted", "collapsed", "scrolled", "execution", "jupyter", "ExecuteTime")
_ELSEWHERE = "./lab up --work DIR, or labkit copy DIR"
_AGAIN = f"then the same command again; for another directory: {_ELSEWHERE}"


@dataclass(frozen=True)
class Page:
    """One file as the course gives it now."""

    name: str
    text: bytes

    @property
    def essence(self) -> str:
        """What it says, as a digest."""
        return essence(self.name, self.text)


@dataclass(frozen=True)
class Copied:
    """What one run did: names in the work directory. `beside` are new versions of what the student has changed."""

    directory: Path
    first: bool
    brought: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line; empty where nothing was done."""
        said = []
        if self.first:
            said.append(f"your copies of the lessons are in {self.directory}")
        elif self.brought:
            said.append(f"new from the course: {', '.join(self.brought)}")
        if self.removed:
            said.append(f"no longer in the course, and removed: {', '.join(self.removed)}")
        if self.beside:
            said.append(f"what you changed stays as it is, and the course's new version is in {', '.join(self.beside)}")
        return "; ".join(said)


def default() -> Path:
    """``~/labkit``; ``~/labkit-work`` where the former is a clone of the course. Raises LabError without a home."""
    try:
        home = Path.home()
    except RuntimeError as error:
        raise LabError("this account has no home directory for your copies", look="./lab up --work DIR") from error
    first = home / "labkit"
    return home / "labkit-work" if (first / "labkit" / "__init__.py").exists() else first


def pages() -> list[Page]:
    """All that a student gets. Raises LabError where labkit was installed without its notebooks."""
    notebooks = sorted(NOTEBOOKS.glob("[0-9][0-9]-*.ipynb"))
    if not notebooks:
        raise LabError(f"there are no lessons in {NOTEBOOKS}", look="a clone of labkit has them")
    return [
        *(Page(path.name, without_outputs(path.read_bytes())) for path in notebooks),
        index(),
        Page("tiny.py", (COURSE / "labkit" / "tiny.py").read_bytes()),
    ]


def index() -> Page:
    """The course's table of contents, with this student's progress."""
    return Page(INDEX, index_page.page((NOTEBOOKS / INDEX).read_text(encoding="utf-8")).encode())


def refresh(directory: Path) -> None:
    """Bring the progress in the index page up to date, unless the student has changed the page. Raises LabError."""
    page = index()
    with _ours(directory) as there:
        if _is_stale(there, page):
            _write(there, INDEX, page.text)


def _is_stale(directory: Path, page: Page) -> bool:
    """Whether there is a page that says the same but for the progress."""
    there = _read(directory / page.name)
    return there is not None and there != page.text and essence(page.name, there) == page.essence


def copy(directory: Path, course: Sequence[Page] | None = None) -> Copied:
    """Bring `directory` up to date with `course`, or with this clone; writes nothing where nothing is new.

    Raises LabError, with the remedy, for a directory that cannot be written, is not this account's, or is the clone.
    """
    course = pages() if course is None else course
    with _ours(directory) as there:
        given = _Record(there / RECORD)
        todo = _Todo(there, given, course)
        for name, page in todo.beside.items():  # before it is on record: what was killed here is done again
            _write(there, name, page.text)
        for page in course:
            given.add(page)
        given.write(there)
        for page in (*todo.put, *todo.stale):
            _write(there, page.name, page.text)
        for name in todo.drop:
            (there / name).unlink()
        brought = tuple(page.name for page in todo.put)
        return Copied(directory, given.first, brought, tuple(todo.beside), tuple(todo.drop))


def without_outputs(notebook: bytes) -> bytes:
    """A notebook as nobody has run it yet, in the form in which JupyterLab writes one."""
    nb = json.loads(notebook)
    nb["metadata"].pop("widgets", None)
    for cell in nb["cells"]:
        for name in _VIEW_STATE:
            cell["metadata"].pop(name, None)
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return (json.dumps(nb, ensure_ascii=False, indent=1) + "\n").encode()


def essence(name: str, text: bytes) -> str:
    """What a file says, as a digest: of a notebook its cells without outputs, counts and view state.

    Of the index page all but the progress.
    """
    cells = _cells(text) if name.endswith(".ipynb") else None
    if name == INDEX:
        text = index_page.without_progress(text.decode(errors="replace")).encode()
    elif cells is not None:
        text = json.dumps([_said(cell) for cell in cells], sort_keys=True).encode()
    return sha256(text).hexdigest()


def _said(cell: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in cell.items() if name not in ("outputs", "execution_count")}
    kept["metadata"] = {k: v for k, v in (cell.get("metadata") or {}).items() if k not in _VIEW_STATE}
    source = cell.get("source", "")
    return kept | {"source": source if isinstance(source, str) else "".join(source)}


def _cells(text: bytes) -> list[dict[str, Any]] | None:
    """The cells of a notebook; None for what is none (any more)."""
    try:
        cells = json.loads(text)["cells"]
    except (ValueError, KeyError, TypeError):
        return None
    return cells if isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells) else None


def _has_outputs(text: bytes) -> bool:
    return any(cell.get("outputs") for cell in _cells(text) or ())


class _Record:
    """Which versions of which file were ever put into the work directory."""

    def __init__(self, file: Path) -> None:
        self.first = not file.exists()
        self._given: dict[str, list[str]] = {}
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            kept = json.loads(file.read_bytes())
            if isinstance(kept, dict) and kept.get("version") == VERSION:
                self._given = {name: [str(each) for each in versions] for name, versions in kept["files"].items()}
        self._changed = self.first

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def has(self, name: str, version: str) -> bool:
        return version in self._given.get(name, ())

    def add(self, page: Page) -> None:
        if not self.has(page.name, page.essence):
            self._given.setdefault(page.name, []).append(page.essence)
            self._changed = True

    def write(self, directory: Path) -> None:
        if self._changed:
            kept = {"version": VERSION, "files": self._given}
            _write(directory, RECORD, (json.dumps(kept, indent=1) + "\n").encode())


@dataclass
class _Todo:
    """What there is to do in a directory, found out before anything is written."""

    directory: Path
    given: _Record
    course: Sequence[Page]
    put: list[Page] = field(default_factory=list)
    stale: list[Page] = field(default_factory=list)
    beside: dict[str, Page] = field(default_factory=dict)
    drop: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for page in self.course:
            there = _read(self.directory / page.name)
            if there is None or self._is_ours(page.name, there, page):
                self.put.append(page)
            elif page.name == INDEX and _is_stale(self.directory, page):
                self.stale.append(page)
            elif essence(page.name, there) != page.essence and not self.given.has(page.name, page.essence):
                self.beside[self._name_beside(page)] = page
        current = {page.name for page in self.course}
        for name in self.given:
            if name not in current and (there := _read(self.directory / name)) is not None:
                version = essence(name, there)
                if self.given.has(name, version) and not _has_outputs(there):
                    self.drop.append(name)

    def _is_ours(self, name: str, there: bytes, page: Page) -> bool:
        """Whether it may be replaced by `page`: an earlier version, untouched."""
        version = essence(name, there)
        return version != page.essence and self.given.has(page.name, version) and not _has_outputs(there)

    def _name_beside(self, page: Page) -> str:
        stem, dot, kind = page.name.rpartition(".")
        number = 1
        while True:
            name = f"{stem}.new{'' if number == 1 else f'-{number}'}{dot}{kind}"
            there = _read(self.directory / name)
            if there is None or essence(name, there) == page.essence or self._is_ours(name, there, page):
                return name
            number += 1


def _read(path: Path) -> bytes | None:
    """A file's content, None if it does not exist; empty for anything but a file: that differs from every version."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return None
    return path.read_bytes() if stat.S_ISREG(kind) else b""


def _write(directory: Path, name: str, text: bytes) -> None:
    """Put a file there, whole or not at all; a link of that name is replaced, not followed."""
    fresh = directory / OWN / "coming"
    fresh.unlink(missing_ok=True)
    try:
        with fresh.open("xb") as file:
            file.write(text)
        fresh.replace(directory / name)
    finally:
        fresh.unlink(missing_ok=True)


@contextlib.contextmanager
def _ours(directory: Path) -> Iterator[Path]:
    """The directory, made if need be, as long as nobody else copies into it; errors of the system by name."""
    there = Path(os.path.realpath(directory))
    state = COURSE / ".lab"  # not of the course: an account without a home has its home in it
    if there in (COURSE, state) or (COURSE in there.parents and state not in there.parents):
        raise LabError(f"{directory} is in the clone, which is to stay as it is", look=_ELSEWHERE)
    try:
        (there / OWN).mkdir(parents=True, exist_ok=True)
        _check_owner(directory, there)
        fd = os.open(there / OWN / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with locked(fd, patience=PATIENCE):  # without locks there (a network's file system) renames have to do
                yield there
        finally:
            os.close(fd)
    except OSError as error:
        raise _told(directory, error) from error


def _check_owner(directory: Path, there: Path) -> None:
    if sys.platform == "win32":
        return
    for path in (there, there / OWN):
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise LabError(f"{path} is a link, not a directory", look=f"remove it, {_AGAIN}")
        if status.st_uid != os.geteuid():
            owner = f"{directory} belongs to the account with uid {status.st_uid}, not to yours"
            raise LabError(owner, look=f"chown it, {_AGAIN}")


def _told(directory: Path, error: OSError) -> LabError:
    """An error of the system about the work directory, with what to do about it."""
    place = error.filename or directory
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return LabError(f"there is no room left for your copies in {directory}", look=f"make some, {_AGAIN}")
        case errno.EEXIST | errno.ENOTDIR:
            place = next((each for each in (directory, *directory.parents) if each.is_file()), place)
            return LabError(f"{place} is in the way of your copies: no directory", look=f"move it away, {_AGAIN}")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            refused = f"{place} may not be read or written: {error.strerror}"
            return LabError(refused, look=f"chmod u+rwx {directory}, {_AGAIN}")
    return LabError(f"your copies cannot be put into {directory}: {place}: {error.strerror}", look=_ELSEWHERE)
