"""The zygote: the small process of the lab host from which every container is cloned.

It is an actor ("host" in the steps) with one duty more: when a child ends, it reaps it, clears what
the kernel does not clear by itself (the child's cgroup directory and its upper layer), and writes the
wait status into the pipe that the notebook left for it. Cloning from here costs about 2 ms; from a
notebook of 250 MB it would cost 7 to 12, and be impossible for half of the namespaces.

It never leaves its own namespaces: all children are made in its image.

See: wait4(2), pidfd_open(2).
"""

from __future__ import annotations

import errno
import os
import select
import socket

from labkit.agent import wire
from labkit.agent.actor import Actor
from labkit.agent.prepared import Prepared, fill
from labkit.linux import cgroup2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labkit.agent.actor import Calls

_CGROUPS = "/sys/fs/cgroup"
_REASON = "the lab host does not change its own namespaces, root or identity; spawn a process and let that do it"


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
        self.templates: dict[int, tuple[Calls, Prepared]] = {}
        self.children: dict[int, tuple[str, int, wire.Message]] = {}  # pidfd: (name, status pipe, clean-up)

    def take(self, message: wire.Message, fds: list[int]) -> list[list[object]]:
        status = message.get("status")
        if "define" in message:
            self.templates[message["define"]] = (message["calls"], Prepared(message["then"], message["hole"]))
            message = {"calls": [], "seq": message["seq"]}
        elif "use" in message:
            calls, ready = self.templates[message["use"]]
            message |= {"calls": fill(calls, ready.hole, message["name"]), "prepared": ready}
        if "adopt" in message:  # born by another process with CLONE_PARENT: our child all the same
            name, pid = message["adopt"]
            self.pids[name] = pid
            self.watch(name, os.dup(fds[status or 0]), message)
            return super().take(message, fds)
        pipe = os.dup(fds[status]) if status is not None else -1
        rows = super().take(message, fds)
        made = zip(rows, message["calls"], strict=False)
        born = [call[2] for row, call in made if call[0] == "clone3" and row[0] > 0]
        if born:
            self.watch(born[0], pipe, message)
        elif pipe >= 0:
            os.close(pipe)
        return rows

    def watch(self, name: str, pipe: int, message: wire.Message) -> None:
        """Expect the end of a child, to be told to `pipe` (-1: to nobody)."""
        pidfd = os.pidfd_open(self.pids[name])
        self.children[pidfd] = (name, pipe, message.get("clear") or {})
        self.poll.register(pidfd, select.POLLIN)

    def reap(self, pidfd: int) -> None:
        """Bury one child. The pipe is written last: who reads the status finds everything cleared."""
        name, pipe, clear = self.children.pop(pidfd)
        self.poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(self.pids.pop(name), 0)  # until here the number could not be given to another process
        for path in clear.get("cgroups", ()):
            cgroup2.remove(path, root=_CGROUPS)
        for path in clear.get("trees", ()):
            remove_tree(path)
        if pipe >= 0:
            with socket.socket(fileno=pipe) as told:
                try:
                    told.send(str(os.waitstatus_to_exitcode(status)).encode(), socket.MSG_NOSIGNAL)
                except OSError:
                    pass  # nobody waits for it any more

    def serve(self) -> None:
        """Take steps and reap children until the wire closes."""
        own = self.sock.fileno()
        while True:
            for fd, _ in self.poll.poll():
                if fd != own:
                    self.reap(fd)
                    continue
                try:
                    self.take(*wire.receive(self.sock))
                except wire.Closed:
                    return


def remove_tree(path: str, directory: int | None = None) -> None:
    """rm -rf that never follows a symbolic link and never leaves the file system's tree below `path`."""
    try:
        os.rmdir(path, dir_fd=directory)
        return
    except FileNotFoundError:
        return
    except NotADirectoryError:
        os.unlink(path, dir_fd=directory)
        return
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
    inner = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        for name in os.listdir(inner):
            remove_tree(name, inner)
    finally:
        os.close(inner)
    os.rmdir(path, dir_fd=directory)
