"""Signal numbers, as on x86_64 and aarch64.

SIGKILL and SIGSTOP cannot be caught, blocked or ignored, except by pid 1 of a pid namespace when they
come from within. The numbers from SIGRTMIN to SIGRTMAX have no meaning of their own; the kernel begins
them at 32, the C library keeps two for its threads and so begins at 34.

See: signal(7), kill(2), pid_namespaces(7).
"""

from __future__ import annotations

SIGHUP = 1
SIGINT = 2
SIGQUIT = 3
SIGILL = 4
SIGTRAP = 5
SIGABRT = 6
SIGBUS = 7
SIGFPE = 8
SIGKILL = 9
SIGUSR1 = 10
SIGSEGV = 11
SIGUSR2 = 12
SIGPIPE = 13
SIGALRM = 14
SIGTERM = 15
SIGSTKFLT = 16
SIGCHLD = 17
SIGCONT = 18
SIGSTOP = 19
SIGTSTP = 20
SIGTTIN = 21
SIGTTOU = 22
SIGURG = 23
SIGXCPU = 24
SIGXFSZ = 25
SIGVTALRM = 26
SIGPROF = 27
SIGWINCH = 28
SIGIO = 29
SIGPWR = 30
SIGSYS = 31
SIGRTMIN = 34
SIGRTMAX = 64

# what rt_sigprocmask(2) does with its set
SIG_BLOCK = 0
SIG_UNBLOCK = 1
SIG_SETMASK = 2
