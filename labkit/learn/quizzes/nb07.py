"""The questions of lesson 07, cgroups: limiting."""

from __future__ import annotations

from labkit.cgroups import Limits
from labkit.learn import Question
from labkit.learn.measuring import GROWING, Running
from labkit.linux.constants import SIGKILL


def _sleepers(lab: Running) -> int:
    lab.reset()
    script = "for i in 1 2 3 4 5 6; do sleep 100 & echo $i; done"
    return len(lab.run("busybox", ["sh", "-c", script], limits=Limits(pids=3)).stdout.split())


def _eaten(lab: Running) -> str:
    lab.reset()
    box = lab.run("busybox", ["sleep", "100"], limits=Limits(memory="16M", swap=0), detach=True)
    ended = box.exec(GROWING).returncode
    dead = "the program, and nobody else" if box.running else "the whole container"
    return dead if ended == 128 + SIGKILL else "nobody"


def _counted(lab: Running) -> str:
    lab.reset()
    told = [lab.run("busybox", ["nproc"], limits=limits).stdout for limits in (Limits(cpu=0.5), Limits())]
    return "as many as without" if told[0] == told[1] else "one"


def _own_limit(lab: Running) -> str:
    lab.reset()
    raised = ["sh", "-c", "echo max >/sys/fs/cgroup/memory.max"]
    done = lab.run("busybox", raised, limits=Limits(memory="16M", swap=0))
    return "no: it does not even see the file" if done.returncode else "yes: it is root"


QUESTIONS = (
    Question(
        id="nb07/sleepers",
        ask="pids.max is 3. The container's shell starts sleepers until it is refused. How many of them sleep?",
        answer=_sleepers,
        wrong=(1, 3, 4),
        why="The shell itself is one of the three.",
    ),
    Question(
        id="nb07/eaten",
        ask="A second program is started in a container, grows, and meets memory.max. Who dies?",
        answer=_eaten,
        wrong=("the program, and nobody else", "the whole container", "nobody"),
        why="One process is killed, the largest of the cgroup, unless memory.oom.group says all; 137 is 128 + SIGKILL.",
    ),
    Question(
        id="nb07/counted",
        ask="A container has a quota of half a CPU. How many CPUs do its programs believe to have (nproc)?",
        answer=_counted,
        wrong=("one", "as many as without", "none"),
        why="A quota limits time, not places. Programs that start a thread for each CPU use it up at once, and wait.",
    ),
    Question(
        id="nb07/own-limit",
        ask="Root in a container writes max into its own memory.max. Does that help it?",
        answer=_own_limit,
        wrong=("yes: it is root", "yes, until the next restart", "no: it does not even see the file"),
        why="No cgroup file system is mounted in there; and where one is, it is read-only.",
    ),
)
