"""Notebooks to be killed: ``python victims.py`` forks one for each line of its input and tells how each ended.

A fork that has everything imported already costs 10 ms, a fresh Python 300: that is the whole purpose. Output is
two lines a notebook: its pid at once, its exit status at the end. What was wrong stands on standard error.
"""

from __future__ import annotations

import os
import sys
import traceback

from labkit import Lab
from labkit.errors import LabError
from labkit.linux import rtnl

_ = rtnl  # brings pyroute2, which takes as long as a whole notebook here


def main() -> None:
    for _line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                notebook()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def notebook() -> None:
    """A lesson in half a second. What happens to it shows as a LabError, after which a new lab works."""
    try:
        with Lab() as lab:
            lesson(lab)
    except LabError:
        with Lab() as lab:
            assert lab.run("busybox", ["echo", "again"]).stdout == "again\n"


def lesson(lab: Lab) -> None:
    """A bit of everything."""
    lab.run("busybox", "true")
    web = lab.run("busybox", "sleep 1000", name="web", detach=True)
    web.exec("true")
    walk = lab.walk(lab.plans.container("busybox", "sleep 1000", hostname="c1"))
    for _ in range(4):
        walk.next()
    walk.back()
    walk.goto(2)
    lab.reset()
    lab.run("busybox", "sleep 1000", name="db", detach=True)


if __name__ == "__main__":
    main()
