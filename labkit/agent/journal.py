"""What can outlive the processes of a lab, written down before it is made.

When the last process of a lab dies the kernel removes its namespaces, mounts, links and rules. Two
things stay: directories in the cgroup file system and the lab's run directory. Each lab therefore
has a journal in its run directory, whose first line names the supervisor and whose further lines name
cgroups and lab hosts. `bury` clears what a dead supervisor's journal names, and nothing else; what no
journal names is not ours.

A process is named by pid *and start time and boot*: a pid alone may be somebody else's by now, and
after a restart of the machine what is started early has the same pid and the same start time again.
All three are told as *this* pid namespace sees them, so a lab of another one is left alone.

A run directory is made, and taken away, under a name that names its owner in the same way: so a journal
is always complete in its first line, and whoever dies in between leaves nothing that has no owner. Lines
are appended with one write(2) each.

See: proc(5) "/proc/[pid]/stat" field 22 starttime, random(4) "boot_id", rename(2), pidfd_send_signal(2).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal

from labkit.agent.clearing import remove_tree
from labkit.linux import cgroup2, proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    #: ``{"pid": 4711, "start": 1234, "boot": "c061…", "pidns": 4026531836}``
    Named = dict[str, Any]

_JOURNAL = "journal"
_OF = ".of-"
_PATIENCE = 5000  # milliseconds that a killed lab host may take to die


def place() -> str:
    """The directory of all labs of this user; it need not be there yet."""
    own = "/run/labkit" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "") + "/labkit"
    return os.environ.get("LABKIT_RUN") or (own if own != "/labkit" else f"/tmp/labkit-{os.getuid()}")


def base() -> str:
    """`place`, made when missing. Raises OSError where it cannot be, or where others may write.

    Whoever may write there could plant a journal, and so choose what dies at the next burial.
    """
    path = place()
    os.makedirs(path, 0o755 if os.geteuid() == 0 else 0o700, exist_ok=True)
    found = os.stat(path)
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EACCES, f"it belongs to user {found.st_uid}", path)
    if found.st_mode & 0o022:
        raise PermissionError(errno.EACCES, "others may write there", path)
    return path


def name_process(pid: int) -> Named:
    """What tells this process from all others, past and future."""
    return {"pid": pid, "start": proc.start_time(pid), "boot": _boot(), "pidns": _pidns()}


def lives(named: Named) -> bool:
    """Whether the process so named still runs. One of another pid namespace may, for all that can be seen here."""
    if named["boot"] != _boot():
        return False
    if named["pidns"] != _pidns():
        return True
    try:
        found = proc.stat(named["pid"])
    except ProcessLookupError:
        return False
    return bool(found.start_time == named["start"]) and found.state not in "ZX"  # a zombie does nothing any more


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def _pidns() -> int:
    return os.stat("/proc/self/ns/pid").st_ino


class Journal:
    """The journal of one lab, and its run directory."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.name = os.path.basename(directory)
        self.scratch = f"{directory}/scratch"

    @classmethod
    def create(cls, parent: str) -> Journal:
        """Make a run directory below `parent` that names this process as its owner."""
        me = name_process(os.getpid())
        making = f"{parent}/{_of(me)}"
        os.mkdir(making, 0o755)
        try:
            os.mkdir(f"{making}/scratch")
            _append(f"{making}/{_JOURNAL}", {"supervisor": me["pid"], **me})
            for number in range(1, 10_000):
                try:
                    os.rename(making, f"{parent}/lab-{number}")
                    return cls(f"{parent}/lab-{number}")
                except OSError as error:  # rename(2) does not replace a directory that holds something
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                        raise
            raise OSError(errno.EEXIST, "no free name for a lab", parent)
        except BaseException:
            remove_tree(making)
            raise

    def cgroup(self, path: str) -> None:
        """Write down that cgroup `path` is about to be made."""
        _append(f"{self.directory}/{_JOURNAL}", {"cgroup": path})

    def host(self, pid: int) -> None:
        """Write down that process `pid` is the lab host: where there is no cgroup, this is how to end it."""
        _append(f"{self.directory}/{_JOURNAL}", {"host": pid, **name_process(pid)})

    def lines(self) -> list[Named]:
        """What the journal says; a last line cut off by a crash is dropped."""
        entries = []
        with open(f"{self.directory}/{_JOURNAL}", encoding="utf-8", errors="replace") as text:
            for line in text:
                try:
                    entries.append(json.loads(line))
                except ValueError:
                    break
        return [entry for entry in entries if isinstance(entry, dict)]

    def owner(self) -> Named | None:
        """The supervisor of this lab; None where nothing says whose it is: then it is not ours to touch."""
        try:
            first = json.loads(self.name.removeprefix(_OF)) if self.name.startswith(_OF) else self.lines()[0]
            return {key: first[key] for key in ("pid", "start", "boot", "pidns")}
        except (OSError, IndexError, KeyError, TypeError, ValueError):
            return None

    def dead(self) -> bool:
        """Whether this lab has lost its supervisor."""
        owner = self.owner()
        return owner is not None and not lives(owner)

    def bury(self) -> list[str]:
        """Clear everything this journal names, then the run directory. Returns what was done; safe to run twice."""
        done = []
        try:
            entries = self.lines()
        except OSError:
            entries = []
        owner = self.owner()
        if owner and owner["boot"] == _boot():  # what an earlier boot had is gone; what has its name is another's
            for entry in reversed([each for each in entries if "host" in each]):
                done += _end_host(entry)
            for entry in entries:  # version 2 comes first: it kills whom those of version 1 only hold
                done += _remove_cgroup(str(entry.get("cgroup", "")))
        if os.path.isdir(self.directory):
            going = f"{os.path.dirname(self.directory)}/{_of(owner)}" if owner else self.directory
            os.rename(self.directory, going)
            remove_tree(going)
            done.append(f"removed run directory {self.directory}")
        return done


def _of(owner: Named) -> str:
    """The name of the run directory of `owner` while it is made or taken away."""
    return _OF + json.dumps(owner, separators=(",", ":"))


def _end_host(named: Named) -> list[str]:
    """SIGKILL to a lab host that has outlived its supervisor: it was stopped, and could not see that."""
    try:
        pidfd = os.pidfd_open(named["pid"])
    except ProcessLookupError:
        return []
    try:
        if not lives(named):  # asked after the pidfd was opened: from here on the number means the same process
            return []
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        waiting = select.poll()
        waiting.register(pidfd, select.POLLIN)
        if not waiting.poll(_PATIENCE):
            raise TimeoutError(errno.ETIMEDOUT, f"lab host {named['pid']} does not die", f"/proc/{named['pid']}/stack")
    finally:
        os.close(pidfd)
    return [f"ended lab host {named['pid']}"]


def _remove_cgroup(path: str) -> list[str]:
    if not path or not os.path.isdir(path):
        return []
    cgroup2.kill(path, root=os.path.dirname(path))
    cgroup2.remove(path, root=os.path.dirname(path))
    return [f"removed cgroup {path}"]


def _append(path: str, entry: dict[str, object]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    line = json.dumps(entry).encode() + b"\n"
    try:
        if os.write(fd, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(fd)


def all_labs(parent: str) -> list[Journal]:
    """Every run directory below `parent`, of the living and the dead, and what looks like one."""
    found = sorted(name for name in os.listdir(parent) if name.startswith((_OF, "lab-")))
    return [Journal(f"{parent}/{name}") for name in found]


def bury_dead(parent: str) -> list[str]:
    """Bury every lab whose supervisor is dead. Returns what was done, or could not be, one sentence each.

    One at a time: who finds a lab dead and is slow would else bury the living one that took its name since.
    """
    done: list[str] = []
    lock = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for lab in all_labs(parent):
            if lab.dead():
                try:
                    done += lab.bury()
                except OSError as error:  # no reason not to open a new lab
                    done.append(f"could not bury {lab.directory}: {error.strerror}: {error.filename}")
    except BlockingIOError:
        pass  # somebody is at it
    finally:
        os.close(lock)
    return done
