"""The duties of pid 1: reap every orphan, pass signals on, end when the program ends, with its status.

The kernel treats the init of a pid namespace apart: signals without a handler do not reach it from
within (so ``kill 1`` does nothing to a plain shell), orphans become its children, and when it dies
all others are killed. A program that does not expect that leaves zombies and cannot be stopped.

See: pid_namespaces(7) "The namespace init process", wait(2), signal(7).
"""

from __future__ import annotations

import os
import signal

from labkit.linux.constants.signals import (
    SIGABRT,
    SIGBUS,
    SIGCHLD,
    SIGFPE,
    SIGILL,
    SIGKILL,
    SIGRTMAX,
    SIGRTMIN,
    SIGSEGV,
    SIGSTOP,
    SIGSYS,
    SIGTRAP,
)

#: not passed on: the kernel's own answers to what the receiver did, and those that cannot be caught
_NOT = (SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT)
#: what an init has blocked when it begins to serve, so that nothing is lost before it listens; those between the
#: kernel's first real-time signal and SIGRTMIN are for the threads of the C library
WAITED = tuple(n for n in (*range(1, SIGSYS + 1), *range(SIGRTMIN, SIGRTMAX + 1)) if n not in _NOT)


def serve(main: int) -> None:
    """Be init for child `main`, with `WAITED` blocked. Never returns: exits with its status, 128+n after a signal."""
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
        number = signal.sigwait(WAITED)
        if number != SIGCHLD:
            os.kill(main, number)
