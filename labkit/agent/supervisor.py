"""The supervisor: the one process of a lab that stays in the machine's own namespaces.

It owns what a dead process cannot take along (the lab's cgroup and its run directory), makes and ends
lab hosts, and looks at them from outside (`labkit.agent.look`). It serves exactly one notebook, over
the socket that is its standard input, and goes when that socket closes: a notebook killed with
SIGKILL takes its lab with it.

Started as root it works directly; started as an ordinary user it first makes itself root of a user
namespace (`labkit.agent.rootless`) and does the same there.

See: user_namespaces(7), cgroups(7), unix(7).
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket

from labkit.agent import actor, host, journal, look, rootless, wire
from labkit.agent.window import Window
from labkit.linux import cgroup2, mountinfo, syscalls, titles
from labkit.linux.constants import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_RECURSIVE,
    CLONE_INTO_CGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MOUNT_ATTR_RDONLY,
    MS_PRIVATE,
    O_CLOEXEC,
    OPEN_TREE_CLONE,
    SIGCHLD,
)

_NAMESPACES = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC


class Host:
    """One running lab host, as its supervisor knows it."""

    def __init__(self, pid: int, sock: socket.socket, cgroup: str) -> None:
        self.pid, self.sock, self.cgroup = pid, sock, cgroup


class Supervisor:
    """State: the notebook's socket, the journal, the lab's cgroup, and the current lab host."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.rootless = os.geteuid() != 0
        owner = 0 if self.rootless else int(os.environ.get("SUDO_UID", "0"))  # sudo's word, not its caller's
        parent = journal.base()
        self.buried = journal.bury_dead(parent)
        if self.rootless:
            rootless.become_root()
        self.journal = journal.Journal.create(parent)
        self.cgroup, self.no_cgroup = "", ""
        self.make_cgroup()
        self.window = Window(self.journal.directory, owner)
        self.host: Host | None = None
        self.generation = 0

    def make_cgroup(self) -> None:
        """A cgroup of the lab's own, below the one we were started in; where that is refused, note why."""
        try:
            path = f"{cgroup2.own()}/labkit-{self.journal.name}-{os.getpid()}"
            self.journal.cgroup(path)
            os.mkdir(path)
            self.cgroup = path
        except OSError as error:
            self.no_cgroup = f"{error.strerror}: {error.filename or 'cgroup2'}"
        except LookupError as error:
            self.no_cgroup = str(error)

    def new_host(self) -> tuple[wire.Message, list[int]]:
        """Start a lab host. The reply carries the zygote's wire, or the call that failed and its errno."""
        self.end_host()
        self.generation += 1
        cgroup = f"{self.cgroup}/h{self.generation}" if self.cgroup else ""
        if cgroup:
            os.mkdir(cgroup)
        ours, theirs = wire.pair()
        zygote, zygote_end = wire.pair()
        clone = {"flags": _NAMESPACES, "exit_signal": SIGCHLD}
        directory = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if cgroup else -1
        if cgroup:
            clone |= {"flags": _NAMESPACES | CLONE_INTO_CGROUP, "cgroup": directory}
        pid, error, _, _ = syscalls.invoke("clone3", (clone,))
        if pid == 0:
            self.sock.close()
            self.window.close()
            ours.close()
            zygote.close()
            if self.host:
                self.host.sock.close()
            if directory >= 0:
                os.close(directory)
            host.main(theirs, zygote_end, scratch=self.journal.scratch, cgroup=cgroup, rootless=self.rootless)
        if directory >= 0:
            os.close(directory)
        theirs.close()
        zygote_end.close()
        try:
            if error:
                raise OSError(error, os.strerror(error), "clone3")
            reply, _ = wire.receive(ours)
            if "error" in reply:
                os.waitpid(pid, 0)
                raise OSError(*reply["error"])
        except (OSError, wire.Closed) as fault:
            zygote.close()
            ours.close()
            if cgroup:
                cgroup2.remove(cgroup, root=self.cgroup)
            if isinstance(fault, wire.Closed):
                return {"error": [0, "the lab host died while it was set up", "host"]}, []
            return {"error": [fault.errno, fault.strerror, str(fault.filename or "")]}, []
        self.host = Host(pid, ours, cgroup)
        return {"pid": pid, "generation": self.generation, "scratch": self.journal.scratch}, [zygote.detach()]

    def end_host(self) -> None:
        """SIGKILL to pid 1; the kernel does the rest. Returns when the processes are gone and the cgroup is removed."""
        if self.host is None:
            return
        gone, self.host = self.host, None
        os.kill(gone.pid, signal.SIGKILL)  # our child and not yet reaped: the number is still its own
        os.waitpid(gone.pid, 0)  # a pid namespace's init becomes waitable when all others in it have gone
        gone.sock.close()
        if gone.cgroup:
            cgroup2.remove(gone.cgroup, root=self.cgroup)

    def attach(self, path: str) -> tuple[wire.Message, list[int]]:
        """A detached read-only copy of the mount tree at `path`, for the zygote to put into its machine."""
        try:
            tree = syscalls.call("open_tree", AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE)
            attr = {"attr_set": MOUNT_ATTR_RDONLY, "propagation": MS_PRIVATE}
            syscalls.call("mount_setattr", tree, "", AT_EMPTY_PATH | AT_RECURSIVE, attr)
        except (OSError, ValueError) as error:
            number = error.errno if isinstance(error, OSError) else 22
            return {"error": [number, str(error), path]}, []
        return {}, [tree]

    def answer(self, message: wire.Message) -> tuple[wire.Message, list[int]]:
        """One request, one reply. An unknown request is answered, not fatal."""
        what = message["op"]
        if what == "hello":
            return self.hello(), []
        if what == "host":
            return self.new_host()
        if what == "end":
            self.end_host()
            return {}, []
        if what == "attach":
            return self.attach(message["path"])
        if what == "look":
            return self.look(message["probes"])
        return {"error": [22, f"no such request: {what}", ""]}, []

    def look(self, probes: list[str]) -> tuple[wire.Message, list[int]]:
        """The facts of `probes` as rows, and what it takes to read them: where the lab's own places begin."""
        if self.host is None:
            return {"error": [3, "the lab host is gone", ""]}, []
        reply, fds = look.look(self.host.pid, self.host.cgroup, probes)
        base = f"/{os.path.basename(self.cgroup)}/h{self.generation}" if self.cgroup else ""
        return {**reply, "scratch": self.journal.scratch, "cgroup_base": base}, fds

    def hello(self) -> wire.Message:
        """What the notebook should know of its lab."""
        return {
            "lab": self.journal.name,
            "supervisor": os.getpid(),
            "run": self.journal.directory,
            "rootless": self.rootless,
            "cgroup": self.cgroup,
            "no_cgroup": self.no_cgroup,
            "cgroup_mode": cgroup2.mode(),
            "kernel": os.uname().release,
            "buried": self.buried,
            "shared_root": any(m.target == "/" and m.shared is not None for m in mountinfo.read(os.getpid())),
        }

    def serve(self) -> None:
        """Answer until the notebook is gone, then leave nothing behind."""
        waiting = select.poll()
        waiting.register(self.sock, select.POLLIN)
        waiting.register(self.window, select.POLLIN)
        try:
            while True:
                ready = [fd for fd, _ in waiting.poll()]
                if self.sock.fileno() in ready:
                    self.serve_once()
                if self.window.fileno() in ready:
                    self.window.open(self.look)
        except wire.Closed:
            pass
        finally:
            self.end_host()
            self.window.close()
            self.journal.bury()

    def serve_once(self) -> None:
        """One request of the notebook."""
        message, fds = wire.receive(self.sock)
        for fd in fds:
            os.close(fd)
        reply, out = self.answer(message)
        reply["seq"] = message.get("seq")
        try:
            wire.send(self.sock, reply, out)
        finally:
            for fd in out:
                os.close(fd)


def main() -> None:
    """The agent's entry: the control socket is standard input, the only argument there is."""
    sock = socket.socket(fileno=fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 10))
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    os.chdir("/")
    os.umask(0o022)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python; every exec would hand that on
        signal.signal(ignored, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the notebook's terminal is for the notebook
    titles.set_title("labkit:[sup]")
    try:
        supervisor = Supervisor(sock)
    except OSError as error:
        wire.send(sock, {"error": [error.errno or 0, error.strerror or str(error), str(error.filename or "")]})
        return
    actor.freeze()
    supervisor.serve()
