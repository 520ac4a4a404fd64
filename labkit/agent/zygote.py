"""The zygote: the small process of the lab host from which every container is cloned.

It is an actor ("host" in the steps) with one duty more: when a child ends, it reaps it, clears what
the kernel does not clear by itself (the child's cgroup directory and its upper layer), and writes the
wait status into the pipe that the notebook left for it. Cloning from here costs about 2 ms; from a
notebook of 250 MB it would cost 7 to 12, and be impossible for half of the namespaces. A container of a
kind that it knows is not even a copy of it (`labkit.linux.volley`).

It never leaves its own namespaces: all children are made in its image.

See: wait4(2), pidfd_open(2).
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
from collections import namedtuple

from labkit.agent import clearing, wire
from labkit.agent.actor import Actor
from labkit.agent.prepared import Prepared, fill
from labkit.linux import proc
from labkit.linux.cgroup_files import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.agent.actor import Calls, Rows

_ROOM = 8192  # bytes: two pages hold what the kernel says of a machine with a hundred disks
_REASON = "the lab host does not change its own namespaces, root or identity; spawn a process and let that do it"


#: whose end is expected: the pipe to which it is told (-1: to nobody), what to clear then, the files (name, path) that
#: count what it uses, and what they said at its start, where others had used something before
Child = namedtuple("Child", "name pid pipe clear count before")


class Zygote(Actor):
    """The actor called ``host``."""

    refuses = dict.fromkeys(
        (
            "unshare",
            "setns",
            "chroot",
            "pivot_root",
            "setresuid",
            "setresgid",
            "setgroups",
            "capset",
            "execve",
            "setsid",
        ),
        _REASON,
    )

    def __init__(self, sock: socket.socket) -> None:
        super().__init__("host", sock)
        self.poll = select.poll()
        self.poll.register(sock.fileno(), select.POLLIN)
        self.kinds: dict[int, Prepared] = {}  # of container
        self.children: dict[int, Child] = {}  # by pidfd

    def take(self, message: wire.Message, fds: list[int]) -> Rows:
        status = message.get("status")
        if "own" in message:
            uid, places = message["own"]
            change_owner([fds[place] for place in places], uid)
        if "reap" in message:
            self.reap_the_dead()
            wire.send(self.sock, {"rows": [], "seq": message["seq"]})
            return []
        if "calls" not in message:  # that was all, and nobody waits for an answer
            for fd in fds:
                os.close(fd)
            return []
        if "define" in message:
            return self.define(message)
        if "use" in message:
            return self.use(message, fds)
        if "adopt" in message:  # born by another process with CLONE_PARENT: our child all the same
            name, pid = message["adopt"]
            self.pids[name] = pid
            self.adopt(name, os.dup(fds[status or 0]), message)
            return super().take(message, fds)
        pipe = os.dup(fds[status]) if status is not None else -1
        rows = super().take(message, fds)
        made = [call for row, call in zip(rows, message["calls"], strict=False) if not row[1]]
        born = [call[2] for call in made if call[0] == "clone3"]
        if born:
            self.watch(born[0], pipe, message)
        else:
            self.call_off(made, pipe, message)
        return rows

    def define(self, message: wire.Message) -> Rows:
        """Keep a kind of container under a number, its calls made ready; EINVAL if that cannot be done."""
        error = 0
        try:
            self.kinds[message["define"]] = Prepared(message["calls"], message["then"], message["hole"])
        except (KeyError, TypeError, ValueError, OSError):
            error = errno.EINVAL
        rows: Rows = [[0, error, 0, None]]
        wire.send(self.sock, {"rows": rows, "seq": message["seq"]})
        return rows

    def use(self, message: wire.Message, fds: list[int]) -> Rows:
        """Start a container of a kind that is known: `fds` are its streams and the pipe for its status."""
        kind, name = self.kinds[message["use"]], message["name"]
        rows, pid = kind.launch(name, fds[:3])
        wire.send(self.sock, {"rows": rows, "seq": message["seq"]})
        for fd in fds[:3]:
            os.close(fd)
        if pid > 0:
            self.pids[name] = pid
            self.watch(name, fds[3], message)
        else:
            calls = fill(kind.calls, kind.hole, name)
            self.call_off([call for row, call in zip(rows, calls, strict=False) if not row[1]], fds[3], message)
        return rows

    def call_off(self, made: Calls, pipe: int, message: wire.Message) -> None:
        """Nobody was born whose end could be the time to clear; and what was there before this is another's."""
        ours = {call[1][1] for call in made if call[0] == "mkdirat"}
        what = {kind: [p for p in paths if p in ours] for kind, paths in message.get("clear", {}).items()}
        clearing.clear(what, self.reap_the_dead)
        if pipe >= 0:
            os.close(pipe)

    def watch(self, name: str, pipe: int, message: wire.Message) -> None:
        """Expect the end of a child, to be told to `pipe` (-1: to nobody)."""
        pidfd = os.pidfd_open(self.pids[name])
        self.children[pidfd] = self.child(name, pipe, message)
        self.poll.register(pidfd, select.POLLIN)

    def child(self, name: str, pipe: int, message: wire.Message) -> Child:
        """What is to be done at the end of child `name`, as the message says that started it."""
        count = message.get("count", ())
        before = _texts(count) if message.get("shared") else {}
        return Child(name, self.pids[name], pipe, message.get("clear") or {}, count, before)

    def adopt(self, name: str, pipe: int, message: wire.Message) -> None:
        """Expect the end of a child that another process has borne; it may have been found before we were told."""
        pid = self.pids[name]
        found = next((pidfd for pidfd, child in self.children.items() if child.pid == pid), None)
        if found is not None:
            self.children[found] = self.child(name, pipe, message)
            return
        try:
            self.watch(name, pipe, message)
        except ProcessLookupError:  # found, and buried already: nobody knows how it ended
            os.close(pipe)

    def find_strays(self) -> None:
        """Expect the end of children that nobody told us of: whoever bore them was killed before it could say so.

        Unburied they would keep their pid namespace from ending, for which its init waits. See: pid_namespaces(7).
        """
        known = {child.pid for child in self.children.values()}
        for pid in proc.children("self"):
            if pid not in known:
                self.pids[f"stray {pid}"] = pid
                self.watch(f"stray {pid}", -1, {})

    def reap(self, pidfd: int) -> None:
        """Bury one child. The pipe is written last: a reader of the status finds everything cleared.

        It gets one line: status, what could not be cleared, and what the files that count said last and first.
        """
        name, pid, pipe, clear, count, before = self.children.pop(pidfd)
        self.poll.unregister(pidfd)
        os.close(pidfd)
        status = self.bury(pid)
        if status is None or os.WIFSIGNALED(status):
            self.find_strays()
        if self.pids.get(name) == pid:  # else another was born under that name before this one was buried
            del self.pids[name]
        counted = _texts(count)
        left = clearing.clear(clear, self.reap_the_dead)
        if pipe >= 0:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=pipe) as told:
                if status is None:
                    return  # nobody knows how it ended
                try:
                    line = json.dumps([os.waitstatus_to_exitcode(status), left, counted, before])
                    told.send(f"{line}\n".encode(), socket.MSG_NOSIGNAL)
                except OSError:
                    pass  # nobody waits for it any more

    def bury(self, pid: int) -> int | None:
        """The wait status of a child that has ended; None if a step has taken it already, and with it who it was."""
        try:
            return os.waitpid(pid, 0)[1]  # until here the number could not be given to another process
        except ChildProcessError:
            return None

    def reap_the_dead(self) -> None:
        """Bury all children that are dead at this moment."""
        for pidfd, _ in self.poll.poll(0):
            if pidfd in self.children:  # and not buried in the meantime, with another
                self.reap(pidfd)

    def serve(self) -> None:
        """Take steps and reap children until the wire closes."""
        own = self.sock.fileno()
        while True:
            for fd, _ in self.poll.poll():
                if fd != own:
                    if fd in self.children:  # and not buried with another, a moment ago
                        self.reap(fd)
                    continue
                try:
                    self.take(*wire.receive(self.sock))
                except wire.Closed:
                    return


def change_owner(streams: list[int], uid: int) -> None:
    """Give a program's pipes or terminal to the user that it will run as.

    A descriptor can be written to, whoever owns the file behind it, but /dev/stdout is opened anew: /dev/stdout leads
    to /proc/self/fd/1, and open(2) of a pipe asks for the permissions of its inode. In a user namespace without this
    uid, or below a seccomp filter, it is refused; the program has its streams all the same, as with other engines.

    See: fchown(2), proc(5) "/proc/pid/fd/", capabilities(7) "CAP_CHOWN".
    """
    for fd in streams:
        try:
            os.fchown(fd, uid, -1)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
def _texts(files: Sequence[Sequence[str]]) -> dict[str, str]:
    """What each file (name, path) says, two of one name together; those that are not there say nothing."""
    found: dict[str, str] = {}
    for name, path in files:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # in half the time that open() takes
            try:
                found[name] = found.get(name, "") + os.read(fd, _ROOM).decode("ascii")
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno not in ABSENT:
                raise
    return found
