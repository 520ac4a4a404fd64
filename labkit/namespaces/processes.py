"""The life of a process: becoming a program, sending signals, reaping children, serving as init."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote

from labkit.agent.init import WAITED
from labkit.linux.calls import Intent, Pid, close_range, execve, ioctl, kill, rt_sigprocmask, setsid, wait4
from labkit.linux.constants import (
    CLOSE_RANGE_CLOEXEC,
    EACCES,
    ENOENT,
    ENOTDIR,
    SIG_BLOCK,
    SIGCONT,
    SIGKILL,
    SIGSTOP,
    TIOCSCTTY,
    decode,
)
from labkit.steps.parameters import Argv
from labkit.steps.shell import pid_of
from labkit.steps.step import Step

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Environment = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Exec(Step):
    """Become another program.

    Namespaces, root, uid and cgroup stay: they belong to the process, not to the program. (All but one:
    clocks that were unshared are taken on now, from Linux 6.2 on, for they are mapped with the memory.)
    Every descriptor but the standard three is closed on the way, for an open directory of the host would
    be a way out.

    See: execve(2), close_range(2), environ(7), time_namespaces(7).
    """

    argv: Argv
    environment: Environment = (("PATH", PATH),)
    probes = ("processes", "namespaces", "time", "caps", "net")
    no_way_back = "the old program is gone from the process's memory"
    ends_shell = True

    def calls(self) -> Iterator[Intent]:
        yield close_range(3, 0xFFFFFFFF, CLOSE_RANGE_CLOEXEC)
        env: Mapping[str, str] = dict(self.environment)
        program = self.argv[0]
        if "/" in program:
            yield execve(program, self.argv, env)
            return
        places = [place or "." for place in env.get("PATH", PATH).split(":")]
        for place in places[:-1]:
            yield execve(f"{place}/{program}", self.argv, env)._replace(tolerate=(ENOENT, ENOTDIR, EACCES))
        yield execve(f"{places[-1]}/{program}", self.argv, env)

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        if "/" not in self.argv[0]:
            why += (
                " A name without a slash is tried in each directory of PATH, as a shell does: where execve(2) says "
                "ENOENT, the next one follows."
            )
        return what, why

    def shell(self) -> str:
        env = " ".join(quote(f"{key}={value}") for key, value in self.environment)
        return f"env -i {env} {' '.join(map(quote, self.argv))}"

    @property
    def title(self) -> str:
        shown = " ".join(map(quote, self.argv))
        return f"become {shown if len(shown) < 60 else shown[:57] + '…'}"


def signalled(number: int) -> tuple[str, str] | None:
    """What there is to be said of a signal that no process can handle, block or ignore; None for any other."""
    if number == 0:
        return "Ask whether a signal could be sent, and send none.", (
            "With number 0 the kernel only looks: ESRCH says that there is no such process, EPERM that this one may "
            "not signal it."
        )
    if number == SIGKILL:
        return "Kill a process.", (
            "SIGKILL cannot be handled, blocked or ignored. Only the init of a pid namespace does not get it from "
            "inside; from outside it does, and the kernel then kills everything in that namespace."
        )
    if number == SIGSTOP:
        return "Stop a process where it stands.", (
            "SIGSTOP cannot be handled, blocked or ignored. The process keeps all that it has and does nothing until "
            "SIGCONT comes; its parent is told of it."
        )
    if number == SIGCONT:
        return (
            "Let a stopped process go on.",
            "A process that is stopped goes on whatever it does with the signal itself.",
        )
    return None


def unsent(number: int) -> str:
    """Why a signal cannot be taken back."""
    if number == 0:
        return "nothing has changed"
    return "the dead do not come back" if number == SIGKILL else "what the process has made of a signal stays"


@dataclass(frozen=True, kw_only=True)
class Kill(Step):
    """Send a signal to a process that this one knows.

    What it does is for the process to say: it may handle, ignore or block it; else the signal's default happens. The
    init of a pid namespace gets from inside only what it has a handler for, and from outside also SIGKILL and SIGSTOP.

    See: kill(2), signal(7), pid_namespaces(7).
    """

    target: str
    signal: int = SIGKILL
    probes = (
        "processes",
        "namespaces",
        "mounts",
        "uts",
        "ipc",
        "net",
        "users",
        "caps",
        "root",
        "time",
        "cgroup",
        "files",
    )
    names_new_things = True  # or rather takes old ones away, whose numbers the kernel gives out again

    def calls(self) -> Iterator[Intent]:
        yield kill(Pid(self.target), self.signal)

    def explanation(self) -> tuple[str, str]:
        return signalled(self.signal) or super().explanation()

    @property
    def no_way_back(self) -> str:  # type: ignore[override]  # per step, not per class
        return unsent(self.signal)

    def shell(self) -> str:
        return f"kill -{decode('SIG', self.signal).removeprefix('SIG')} {pid_of(self.target)}"

    @property
    def title(self) -> str:
        return f"send {decode('SIG', self.signal)} to {self.target}"


@dataclass(frozen=True, kw_only=True)
class Reap(Step):
    """Wait for a child and take its exit status, so that the kernel can forget it.

    A process that has ended stays as a zombie, a line in the table with an exit status, until its
    parent asks. Orphans go to the init of their pid namespace, and wait for it to ask.

    See: wait4(2), wait(2) "NOTES".
    """

    target: str
    probes = ("processes", "caps", "cgroup", "namespaces", "root", "mounts", "files")
    no_way_back = "an exit status is told once"
    names_new_things = True  # or rather takes old ones away, whose numbers the kernel gives out again

    def calls(self) -> Iterator[Intent]:
        yield wait4(Pid(self.target))

    def shell(self) -> str:
        return f"wait {pid_of(self.target)} || true"

    @property
    def title(self) -> str:
        return f"reap {self.target}"


@dataclass(frozen=True, kw_only=True)
class NewSession(Step):
    """Leave the terminal behind: a new session without a controlling terminal.

    With the host's terminal as its own a process could push characters into it as if they were typed. And
    ``kill 0`` signals the process group whatever pid namespaces its members are in: in the group of its
    maker a container could end it.

    See: setsid(2), kill(2), credentials(7).
    """

    no_way_back = "a session leader stays one"
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:
        yield setsid()

    def shell(self) -> str:
        return "setsid"

    @property
    def title(self) -> str:
        return "start a session without a terminal"


@dataclass(frozen=True, kw_only=True)
class TakeTerminal(Step):
    """Make the terminal on standard input the controlling one of a session of its own.

    Only then does Ctrl-C become a signal, and does a shell have job control. A new session comes first:
    with the terminal of another session one could type into it.

    See: setsid(2), ioctl_tty(2) "TIOCSCTTY", credentials(7).
    """

    no_way_back = "a session leader stays one"
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:
        yield setsid()
        yield ioctl(0, TIOCSCTTY)

    def shell(self) -> str:
        return "setsid --ctty"

    @property
    def title(self) -> str:
        return "take the terminal as its own"


@dataclass(frozen=True, kw_only=True)
class ServeAsInit(Step):
    """Do what pid 1 has to do: reap every orphan, pass signals on, end when the program ends.

    Most programs do not do this, and need not, unless they are pid 1. As pid 1 they leave zombies and
    do not hear SIGTERM, because the kernel delivers to an init only what it has a handler for. This one
    blocks all signals and waits for them one by one: blocked ones it does get, without a handler too.

    See: pid_namespaces(7) "The namespace init process", wait(2), sigprocmask(2).
    """

    program: str
    probes = ("processes",)
    no_way_back = "its loop ends only with the program"

    def calls(self) -> Iterator[Intent]:
        yield rt_sigprocmask(SIG_BLOCK, WAITED)  # from here on no signal is lost; the loop waits for them

    def shell(self) -> str:
        return f"wait {pid_of(self.program)}; exit  # a shell does reap; it does not pass signals on"

    @property
    def init(self) -> str:  # type: ignore[override]  # per step, not per class
        return self.program

    @property
    def title(self) -> str:
        return f"serve as init for {self.program}"
