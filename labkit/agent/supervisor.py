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

import errno
import fcntl
import os
import select
import signal
import socket
import sys

from labkit.agent import actor, birth, host, journal, look, rootless, wire
from labkit.agent.delegation import check_domain, hand_down, home
from labkit.agent.trees import Trees
from labkit.agent.window import Window
from labkit.linux import cgroup2, kernel_log, mountinfo, proc, titles
from labkit.linux.constants import MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY

_GONE = {"error": [errno.ESRCH, "the lab host is gone", ""]}


def _error(error: OSError | ValueError, subject: str = "") -> wire.Message:
    """An error as a reply: errno, text, and the call or path that it is about."""
    if isinstance(error, OSError):
        return {"error": [error.errno or 0, error.strerror or str(error), subject or str(error.filename or "")]}
    return {"error": [errno.EINVAL, str(error), subject]}


class Supervisor:
    """State: the notebook's socket, the journal, the lab's cgroup, and the current lab host."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.waiting = select.poll()
        self.rootless = not rootless.everywhere()
        owner = 0 if self.rootless else int(os.environ.get("SUDO_UID", "0"))  # sudo's word, not its caller's
        self.place = journal.base()
        if os.geteuid() != 0:
            rootless.become_root()
            rootless.begin_again(sock.fileno(), self.place)
        if self.rootless:
            rootless.own_namespaces()
        self.host: birth.Host | None = None
        self.generation = 0
        self.cgroup, self.no_cgroup, self.no_controllers = "", "", ""
        self.journal = journal.Journal.create(self.place)
        self.trees = Trees(self.journal, f"labkit-{self.journal.name}-{os.getpid()}")
        try:
            self.make_cgroup()
            self.window = Window(self.journal.directory, owner)
        except BaseException:
            self.journal.bury()
            raise

    def make_cgroup(self) -> None:
        """A cgroup of the lab's own, below the one we were started in; where that is refused, note why."""
        try:
            above = home()
            path = f"{above}/{self.trees.name}"
            self.journal.cgroup(path)
            os.mkdir(path)
            check_domain(path)
            self.cgroup = path
            self.no_controllers = hand_down(above) or hand_down(path)
        except OSError as error:
            self.no_cgroup = f"{error.strerror}: {error.filename or 'cgroup2'}"
        except LookupError as error:
            self.no_cgroup = str(error)

    def new_host(self) -> tuple[wire.Message, list[int]]:
        """Start a lab host; the reply carries the zygote's wire. Raises OSError that names the call that failed."""
        self.end_host()
        self.generation += 1
        cgroup = f"{self.cgroup}/h{self.generation}" if self.cgroup else ""
        if cgroup:
            os.mkdir(cgroup)
        ours, theirs = wire.pair()
        zygote, zygote_end = wire.pair()
        try:
            with theirs, zygote_end:
                pid = birth.bear(cgroup, lambda: self.become_host(cgroup, theirs, zygote_end, (ours, zygote)))
            self.host = birth.Host(pid, ours, cgroup)
            self.waiting.register(ours, select.POLLIN)
            self.journal.host(pid)
            reply, _ = wire.receive(ours)
            if "error" in reply:
                raise OSError(*reply["error"])
        except (OSError, wire.Closed) as fault:
            zygote.close()
            self.end_host()
            ours.close()
            if cgroup:
                cgroup2.remove(cgroup, root=self.cgroup)
            if isinstance(fault, wire.Closed):
                raise OSError(errno.ECHILD, "it died while it was set up", "lab host") from fault
            raise
        return {"pid": pid, "generation": self.generation, "scratch": self.journal.scratch}, [zygote.detach()]

    def become_host(
        self, cgroup: str, theirs: socket.socket, zygote_end: socket.socket, ours: tuple[socket.socket, ...]
    ) -> None:
        """In the child: let go of what is the supervisor's, and be the lab host until its end."""
        self.window.close()
        for parents in (self.sock, *ours):
            parents.close()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        host.main(theirs, zygote_end, scratch=self.journal.scratch, cgroup=cgroup, rootless=self.rootless)

    def end_host(self) -> None:
        """SIGKILL to pid 1; the kernel does the rest. Returns when the processes are gone and the cgroup is removed."""
        if self.host is None:
            return
        gone, self.host = self.host, None
        os.kill(gone.pid, signal.SIGKILL)  # our child and not yet reaped: the number is still its own
        self.trees.thaw()
        os.waitpid(gone.pid, 0)  # a pid namespace's init becomes waitable when all others in it have gone
        self.waiting.unregister(gone.sock)
        gone.sock.close()
        if gone.cgroup:
            cgroup2.remove(gone.cgroup, root=self.cgroup)
        self.trees.let_go()

    def attach(self, path: str) -> tuple[wire.Message, list[int]]:
        """A detached read-only copy of the mount tree at `path`, for the zygote to put into its machine."""
        try:
            return {}, [birth.detached(path, MOUNT_ATTR_RDONLY)]
        except (OSError, ValueError) as error:
            return _error(error, path), []

    def open_trees(self) -> tuple[wire.Message, list[int]]:
        """The lab host's places in the trees of version 1, each as a detached mount: made when first asked for."""
        found = self.trees.open(self.generation)
        fds: list[int] = []
        try:
            for directory in found.values():
                fds.append(birth.detached(directory, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC))
        except BaseException:
            for fd in fds:
                os.close(fd)
            raise
        return {"trees": list(found)}, fds

    def answer(self, message: wire.Message) -> tuple[wire.Message, list[int]]:
        """One request, one reply. What cannot be done is answered, not fatal."""
        what = message["op"]
        try:
            if what == "hello":
                buried = journal.bury_dead(self.place) if message["bury"] else []
                return {**self.hello(), "buried": buried}, []
            if what == "host":
                return self.new_host()
            if what == "attach":
                return self.attach(message["path"])
            if what == "trees":
                return self.open_trees()
            if what == "look":
                return self.look(message["probes"])
            if what == "freeze":
                return self.freeze(message["frozen"])
            if what == "killed":
                return dict(kernel_log.killed(os.path.basename(self.cgroup))), []
        except OSError as error:
            return _error(error), []
        return {"error": [errno.EINVAL, f"no such request: {what}", ""]}, []

    def freeze(self, frozen: bool) -> tuple[wire.Message, list[int]]:
        """Stop all processes of the lab host where they stand, or let them go on. Without a cgroup nothing is done."""
        if self.host and self.host.cgroup:
            cgroup2.freeze(self.host.cgroup, frozen, root=self.cgroup)
        return {}, []

    def look(self, probes: list[str]) -> tuple[wire.Message, list[int]]:
        """The facts of `probes` as rows, and what it takes to read them: where the lab's own places begin."""
        try:
            if self.host is None or self.host.ended():
                return dict(_GONE), []
            reply, fds = look.look(self.host.pid, self.host.cgroup, probes, self.trees.directories)
        except OSError:
            if self.host and self.host.ended():  # in the middle of it
                return dict(_GONE), []
            raise
        base = f"/{os.path.basename(self.cgroup)}/h{self.generation}" if self.cgroup else ""
        return {**reply, "scratch": self.journal.scratch, "cgroup_base": base}, fds

    def hello(self) -> wire.Message:
        """What the notebook should know of its lab."""
        return {
            "lab": self.journal.name,
            "supervisor": os.getpid(),
            "run": self.journal.directory,
            "rootless": self.rootless,
            "ids": [(first, count) for first, _, count in proc.id_map("self", "uid")],
            "cgroup": self.cgroup,
            "no_cgroup": self.no_cgroup,
            "cgroup_mode": cgroup2.mode(),
            "controllers": self.trees.controllers(self.cgroup),
            "trees": self.trees.words(),
            "no_controllers": "; ".join(filter(None, (self.no_controllers, self.trees.refused()))),
            "kernel": os.uname().release,
            "shared_root": any(m.target == "/" and m.shared is not None for m in mountinfo.read(os.getpid())),
        }

    def serve(self) -> None:
        """Answer until the notebook is gone, then leave nothing behind."""
        self.waiting.register(self.sock, select.POLLIN)
        self.waiting.register(self.window, select.POLLIN)
        try:
            while True:
                ready = [fd for fd, _ in self.waiting.poll()]
                if self.host and self.host.sock.fileno() in ready:  # it says nothing any more, so it died
                    self.end_host()
                if self.sock.fileno() in ready:
                    self.serve_once()
                if self.window.fileno() in ready:
                    self.window.open(self.look)
        except wire.Closed:
            pass
        finally:
            self.bury()

    def bury(self) -> None:
        """Leave nothing behind."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # that is what we are doing
        self.end_host()
        self.window.close()
        if self.cgroup:
            cgroup2.remove(self.cgroup, root=os.path.dirname(self.cgroup))  # even if somebody removed our journal
        self.trees.bury()
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


def _not_for_us(_number: int, _frame: object) -> None:
    """Ctrl-C in the notebook's terminal is for the notebook."""


def _reset_signals() -> None:
    """Take signals as a fresh program does: nothing ignored, nothing blocked, whatever the notebook was started with.

    execve(2) hands both on, so what ``nohup``, a service manager or a thread of the notebook has set would reach
    every container, and SIGCHLD ignored would take away from us how our own children ended: wait(2) "NOTES". Python
    itself ignores SIGPIPE and SIGXFSZ. The handlers below are no part of that: they end with the next exec.

    See: signal(7), sigprocmask(2), nohup(1).
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, _not_for_us)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the machine shuts down, say: we tidy up, and go
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def main() -> None:
    """The agent's entry: the control socket is standard input, the only argument there is."""
    sock = socket.socket(fileno=fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 10))
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    os.chdir("/")
    os.umask(0o022)
    try:  # the groups of whoever opened the notebook are none of a container's
        os.setgroups([])
    except PermissionError:  # not without root, nor as the root of a user namespace that has given them up: they stay
        pass
    _reset_signals()
    titles.set_title("labkit:[sup]")
    try:
        supervisor = Supervisor(sock)
    except OSError as error:
        wire.receive(sock)  # who closes a socket with something unread in it takes back what was said last: unix(7)
        wire.send(sock, _error(error))
        return
    actor.freeze()
    supervisor.serve()
