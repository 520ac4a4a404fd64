"""The questions of lesson 06, cgroups: metering."""

from __future__ import annotations

from typing import Any

from labkit.cgroups.make import MakeCgroup, RemoveCgroup
from labkit.errors import StepError
from labkit.learn import Question
from labkit.learn.accounts import place
from labkit.learn.asking import Renewable, after
from labkit.learn.billing import BAKERY, FILM, PATH, PROGRAM, READ, RECORD
from labkit.learn.metering import MIB, cost, layer, share, tenants, visit
from labkit.linux.constants import SIGSTOP
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Spawn
from labkit.steps.step import Step


def _in_account(*more: Step) -> tuple[Step, ...]:
    return (MakeCgroup(path=BAKERY), Spawn(child="a", cgroup=BAKERY), *more)


def _grandchild(lab: Renewable) -> str:
    family = (Spawn(who="a", child="b"), Spawn(who="b", child="c"))
    return place(after(lab, *_in_account(*family), look=("cgroup",)), "c")


def _stopped(lab: Renewable) -> bool:
    after(lab, *_in_account(SignalPid(pid=3, signal=SIGSTOP)))
    try:
        lab.take(RemoveCgroup(path=BAKERY))
    except StepError:
        return True
    return False


def _after_the_end(lab: Any) -> str:
    [bakery] = tenants(lab, "bakery")
    return share(cost(bakery, RECORD).memory, FILM * MIB)


def _payer(lab: Any) -> str:
    bakery, radio = tenants(lab, "bakery", "radio")
    written = cost(bakery, RECORD).memory
    read = visit(lab, radio, ("cat", layer(bakery, PATH))).memory
    return "the bakery" if written > 10 * read else "the radio" if read > 10 * written else "both, half each"


def _from_disk(lab: Any) -> str:
    [bakery] = tenants(lab, "bakery")
    cost(bakery, READ)
    whole = int(bakery.exec(f"wc -c {PROGRAM}").stdout.split()[0])
    return share(cost(bakery, READ).read, whole)


def _uses_up(lab: Any) -> str:
    [bakery] = tenants(lab, "bakery")
    briefly = "dd if=/dev/zero of=/dev/null bs=1M & sleep 0.3; kill $!"
    return cost(bakery, ["sh", "-c", briefly]).mostly


QUESTIONS = (
    Question(
        id="nb06/grandchild",
        ask="A process in /bakery forks, and its child forks again. In which cgroup is the grandchild?",
        answer=_grandchild,
        wrong=("/", "/host", "/bakery/a"),
        why="Born where the parent is, over as many generations as you like.",
    ),
    Question(
        id="nb06/stopped",
        ask="The only process of a cgroup has been stopped with SIGSTOP. Is the cgroup still in use?",
        answer=_stopped,
        wrong=("yes", "no", "only until SIGCONT"),
        why="Stopped or asleep, it is there, and has memory. Only who has ended is counted no more.",
    ),
    Question(
        id="nb06/after-the-end",
        ask="A program writes 32 MiB into a file of a tmpfs and ends. How much of that does its cgroup still have?",
        answer=_after_the_end,
        wrong=("nothing", "half of it", "all, for 30 seconds"),
        why="The pages belong to the file, and are counted for who had them made, until they are given back.",
    ),
    Question(
        id="nb06/payer",
        ask="The bakery writes a file, the radio reads all of it. For whom are its pages counted?",
        answer=_payer,
        wrong=("the radio", "both, half each", "neither"),
        why="A page has one owner: who touched it first.",
    ),
    Question(
        id="nb06/second-read",
        ask="A program reads a file that was read a moment ago. How much of that is counted as read from a disk?",
        answer=_from_disk,
        wrong=("all", "half of it", "as much as the first time"),
        why="It is in the page cache. What does not reach the disk is not counted there.",
    ),
    Question(
        id="nb06/zeros",
        ask="dd copies zeros from /dev/zero to /dev/null. Which CPU time is that, mostly?",
        answer=_uses_up,
        wrong=("user", "both", "none: it waits for a disk"),
        why="The kernel fills the memory with zeros; dd itself only asks for it.",
    ),
)
