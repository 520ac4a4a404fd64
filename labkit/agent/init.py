"""The duties of pid 1: reap every orphan, pass signals on, end when the program ends, with its status.

The kernel treats the init of a pid namespace apart: signals without a handler do not reach it from
within (so ``kill 1`` does nothing to a plain shell), orphans become its children, and when it dies
all others are killed. A program that does not expect that leaves zombies and cannot be stopped.

See: pid_namespaces(7) "The namespace init process", wait(2), signal(7).
"""

from __future__ import annotations

import os
import signal

#: not forwarded: the kernel's own answers to what the receiver did, and those that cannot be caught
_NOT = {"SIGCHLD", "SIGKILL", "SIGSTOP", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS", "SIGABRT"}


def listen() -> set[signal.Signals]:
    """Block what `serve` will wait for, so that from now on nothing is lost: an init without a handler is deaf."""
    waited = {number for number in signal.Signals if number.name not in _NOT} | {signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    return waited


def serve(main: int) -> None:
    """Be init for child `main`. Never returns: exits with its status, 128+n where a signal ended it."""
    waited = listen()
    while True:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                os._exit(0)
            if pid == 0:
                break
            if pid == main:
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)
        number = signal.sigwait(waited)
        if number != signal.SIGCHLD:
            os.kill(main, number)
