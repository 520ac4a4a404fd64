"""What can outlive the processes of a lab, written down before it is made.

When the last process of a lab dies the kernel removes its namespaces, mounts, links and rules. Two
things stay: directories in the cgroup file system and the lab's run directory. Each lab therefore
has a journal in its run directory, whose first line names the supervisor by pid *and start time* (a
pid alone may be somebody else's by now) and whose further lines name cgroups. `bury` clears what a
dead supervisor's journal names, and nothing else; what no journal names is not ours.

A run directory is made under a temporary name and renamed when its journal is in it, so a journal is
either absent (the maker died within a moment) or complete in its first line. Lines are appended with
one write(2) each.

See: proc(5) "/proc/[pid]/stat" field 22 starttime, rename(2).
"""

from __future__ import annotations

import json
import os
import time

from labkit.agent.zygote import remove_tree
from labkit.linux import cgroup2, proc

_JOURNAL = "journal"
_MAKING = ".making-"
_GRACE = 30.0  # seconds that a run directory without a journal is left alone: its maker may be at work


def base() -> str:
    """The directory of all labs of this user; made when missing. Raises OSError where it cannot be."""
    if os.geteuid() == 0:
        path = "/run/labkit"
    else:
        path = os.path.join(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/labkit-{os.getuid()}", "labkit")
    path = os.environ.get("LABKIT_RUN", path) if os.geteuid() != 0 or "SUDO_UID" not in os.environ else path
    os.makedirs(path, 0o755 if os.geteuid() == 0 else 0o700, exist_ok=True)
    return path


class Journal:
    """The journal of one lab, and its run directory."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.name = os.path.basename(directory)
        self.scratch = f"{directory}/scratch"

    @classmethod
    def create(cls, parent: str) -> Journal:
        """Make a run directory below `parent` that names this process as its owner."""
        making = f"{parent}/{_MAKING}{os.getpid()}"
        os.mkdir(making, 0o755)
        try:
            os.mkdir(f"{making}/scratch")
            _append(f"{making}/{_JOURNAL}", {"supervisor": os.getpid(), "start": proc.start_time(os.getpid())})
            for number in range(1, 10_000):
                try:
                    os.rename(making, f"{parent}/lab-{number}")
                    return cls(f"{parent}/lab-{number}")
                except OSError:  # taken: rename(2) does not replace a directory that holds something
                    continue
            raise OSError(17, "no free name for a lab", parent)
        except BaseException:
            remove_tree(making)
            raise

    def cgroup(self, path: str) -> None:
        """Write down that cgroup `path` is about to be made."""
        _append(f"{self.directory}/{_JOURNAL}", {"cgroup": path})

    def lines(self) -> list[dict[str, object]]:
        """What the journal says; a last line cut off by a crash is dropped."""
        entries = []
        with open(f"{self.directory}/{_JOURNAL}", encoding="utf-8", errors="replace") as text:
            for line in text:
                try:
                    entries.append(json.loads(line))
                except ValueError:
                    break
        return [entry for entry in entries if isinstance(entry, dict)]

    def alive(self) -> bool:
        """Whether the supervisor that wrote this journal still runs."""
        try:
            first = self.lines()[0]
            return proc.start_time(int(str(first["supervisor"]))) == first["start"]
        except ProcessLookupError:
            return False
        except (OSError, IndexError, KeyError, ValueError):  # no journal yet
            try:
                return time.time() - os.stat(self.directory).st_mtime < _GRACE
            except OSError:
                return False

    def bury(self) -> list[str]:
        """Clear everything this journal names, then the run directory. Returns what was done; safe to run twice."""
        done = []
        try:
            entries = self.lines()
        except OSError:
            entries = []
        for entry in reversed(entries):
            path = str(entry.get("cgroup", ""))
            if path and os.path.isdir(path):
                cgroup2.kill(path, root=os.path.dirname(path))
                cgroup2.remove(path, root=os.path.dirname(path))
                done.append(f"removed cgroup {path}")
        if os.path.isdir(self.directory):
            remove_tree(self.directory)
            done.append(f"removed run directory {self.directory}")
        return done


def _append(path: str, entry: dict[str, object]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, json.dumps(entry).encode() + b"\n")
    finally:
        os.close(fd)


def all_labs(parent: str) -> list[Journal]:
    """Every run directory below `parent`, living or dead."""
    found = sorted(name for name in os.listdir(parent) if name.startswith((_MAKING, "lab-")))
    return [Journal(f"{parent}/{name}") for name in found]


def bury_dead(parent: str) -> list[str]:
    """Bury every lab whose supervisor is dead. Returns what was done, one sentence each."""
    return [sentence for lab in all_labs(parent) if not lab.alive() for sentence in lab.bury()]
