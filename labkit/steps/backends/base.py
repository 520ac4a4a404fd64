"""What a lab asks of whatever stands below it.

`Live` passes it on to an agent; `Recording` writes it down on the way; `Replay` answers from what was
written; `Dry` shows what would be asked. Everything that crosses this line is plain data, so that it
can be recorded; that is why a container's output comes back as text and its end as a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from labkit.linux.calls import Intent

Row = list[Any]
Facts = dict[str, Any]
Accounts = tuple[bytes, bytes, str]


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive calls of one process. `children` are the names of the processes that they spawn.

    With `init` the process then serves as init: it reaps, forwards signals, and ends when `init` ends.
    """

    who: str
    intents: tuple[Intent, ...]
    children: tuple[str, ...] = ()
    init: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """What it takes to run one program: the parts of its plan, and what it is given to read.

    With `tty` its streams are one terminal, whose other end is read here, or given away with
    `open_terminal`. With a `hole` the `template` is shared by many: the hole stands for the name in it.
    `clear` names what is to be removed when it has ended: ``{"cgroups": [...], "trees": [...]}``. Its streams belong
    to uid `owner`, a number of the lab's; with None they stay with the notebook's user. `counters` are the files (name,
    path in the lab host) to be read before the removal; with `shared` others count there, too.
    """

    name: str
    template: tuple[Part, ...]
    hole: str = ""
    stdin: bytes | None = None
    tty: bool = False
    open_terminal: bool = False
    owner: int | None = None
    clear: Mapping[str, Sequence[str]] = field(default_factory=dict)
    counters: tuple[tuple[str, str], ...] = ()
    shared: bool = False

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts with the name in its place."""
        from labkit.steps.merge import renamed

        return renamed(self.template, self.hole, self.name) if self.hole else self.template

    @property
    def program(self) -> str:
        """The process that turns into the program: `name` itself, or the child for which it serves as init."""
        return self.parts[-1].init or self.name


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `code` as `subprocess` has it: negative for a signal; None if it could not be started.

    `counters` is what the files of `Start.counters` said at its end, and `before` what they said at its start.
    """

    code: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    failed: tuple[int, Row] | None = None  # index of the call in its own part, and its row
    counters: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)


class CallFailed(Exception):
    """A call on the way to a program failed: the part and the rows of the calls made, the failed one last."""

    def __init__(self, part: Part, rows: list[Row]) -> None:
        super().__init__(part.who)
        self.part, self.rows = part, rows


class Images(Protocol):
    """Who knows images (`labkit.image`, a room above this one); a live backend is made with it."""

    own: bool
    """Set by the backend of a rootless lab: only what belongs to this user will do."""

    def find(self, image: str) -> str:
        """As `Backend.find`."""

    def top(self, image: str) -> dict[str, str]:
        """As `Backend.top`."""

    def accounts(self, image: str) -> Accounts:
        """As `Backend.accounts`."""


class Backend(Protocol):
    """The protocol. Errors are those of `labkit.errors`."""

    name: str

    def hello(self) -> Facts:
        """What is known of the machine below: kernel, way in, cgroup mode, the lab's name."""

    def machine(self, question: str, pids: Mapping[str, int]) -> Facts:
        """What the machine below says to a question of `labkit.linux.machine`, about these processes (name: pid)."""

    def renew(self) -> Facts:
        """A fresh lab host; whatever ran in the old one is gone: `ends` tells how it ended."""

    def ends(self) -> Mapping[str, Ended]:
        """How the programs of the lab host before this one ended, or of the last one after `close`: by name.

        Only those that nobody has forgotten before. What ran until the lab host went has the code -9.
        """

    def find(self, image: str) -> str:
        """The directory of an image by name, or of a path, on the real machine. Raises ImageError."""

    def top(self, image: str) -> dict[str, str]:
        """What lies at the top of an image: each name with "directory", "symlink" or "file"."""

    def accounts(self, image: str) -> Accounts:
        """The contents of the image's /etc/passwd and /etc/group (empty: there is none), and why one was refused."""

    def attach(self, name: str, path: str) -> None:
        """Make the directory `path` of the real machine visible, read-only, as /run/lab/images/`name`."""

    def take(self, part: Part) -> list[Row]:
        """Make the calls; a row ``[value, errno, nanoseconds, out]`` for each one made."""

    def open_trees(self) -> None:
        """Have the lab host see its places in the trees of cgroup version 1, below /run/cgroup1."""

    def moment(self) -> str:
        """Where a recording stands: a word for all that was done in this lab host. Empty if nothing is recorded."""

    def returned(self, moment: str) -> None:
        """What was done since that moment was undone, step by step: the lab host is as it was then."""

    def look(self, probes: Sequence[str]) -> Facts:
        """The raw facts of `probes`, and always those of the processes."""

    def start(self, start: Start) -> int:
        """Start a program; returns its pid in the lab host."""

    def started(self, name: str) -> Ended | None:
        """Wait until it has become its program; its end if that is over already, or never came to be."""

    def wait(self, name: str, timeout: float | None = None) -> Ended | None:
        """Its end, or None if it has not ended within `timeout` seconds (None: wait as long as it takes)."""

    def ceilings(self) -> list[tuple[str, str, str]]:
        """What the cgroups allow in which the lab runs, as `labkit.linux.ceilings` reads it; nothing of a recording."""

    def frozen(self, name: str) -> tuple[str, str] | None:
        """Whether the cgroup of program `name` is frozen, or one above it: the cause and the remedy; None if not."""

    def logs(self, name: str) -> tuple[bytes, bytes]:
        """What it has written so far to its two outputs (of a flood, the end)."""

    def forget(self, name: str) -> None:
        """Drop the record of an ended program."""

    def terminal(self, name: str) -> int:
        """The leader's descriptor of the terminal that `name` was started with (`open_terminal`); now the caller's."""

    def killed(self) -> Facts:
        """Whom the kernel has killed for memory in this lab, as `labkit.linux.kernel_log.killed` says it."""

    def signal(self, name: str, number: int) -> None:
        """Send it a signal."""

    def freeze(self, frozen: bool) -> None:
        """Stop everything in the lab host where it stands, or let it go on; nothing where a lab has no cgroups."""

    def close(self) -> None:
        """Leave nothing behind; `ends` then tells how the programs ended. Safe to call twice."""
