"""The questions of lesson 03, namespaces I: pid, uts, ipc."""

from __future__ import annotations

from labkit.learn import Question, seen
from labkit.learn.asking import Renewable, after
from labkit.linux.constants import SIGKILL
from labkit.namespaces.names import MakeMessageQueue, SetHostname
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Join, Spawn
from labkit.steps.fact import SysvObject


def _pids_two_deep(lab: Renewable) -> int:
    facts = after(lab, Spawn(child="a", namespaces=("pid",)), Spawn(who="a", child="b", namespaces=("pid",)))
    return len(seen.pids(facts, "b"))


def _kill_one_from_inside(lab: Renewable) -> str:
    facts = after(
        lab, Spawn(child="a", namespaces=("pid",)), Spawn(who="a", child="b"), SignalPid(who="b", pid=1, signal=SIGKILL)
    )
    return "nothing" if seen.life(facts, "a") == "runs" else "all processes in the namespace end"


def _joined_pid(lab: Renewable) -> str:
    facts = after(
        lab, Spawn(child="a", namespaces=("pid",)), Spawn(child="b"), Join(who="b", target="a", namespaces=("pid",))
    )
    return "no new pid: only its children are born inside" if len(seen.pids(facts, "b")) == 1 else "the pid 2"


def _queues(lab: Renewable) -> int:
    facts = after(
        lab,
        Spawn(child="a", namespaces=("ipc",)),
        MakeMessageQueue(who="a", key=7),
        MakeMessageQueue(key=7),
        look=("ipc",),
    )
    return len(seen.every(facts, SysvObject, key=7))


def _fresh_name(lab: Renewable) -> str:
    facts = after(lab, SetHostname(name="tower"), Spawn(child="a", namespaces=("uts",)), look=("namespaces", "uts"))
    return seen.hostname(facts, "a")


QUESTIONS = (
    Question(
        id="nb03/two-deep",
        ask="A process lives two pid namespaces below the lab host. How many pids has it, counted by the lab host?",
        answer=_pids_two_deep,
        wrong=(1, 2, 4),
        why="One on each level: its own, the one around it, the lab host's.",
    ),
    Question(
        id="nb03/kill-one",
        ask="Inside a pid namespace a process sends SIGKILL to pid 1. What happens?",
        answer=_kill_one_from_inside,
        wrong=("pid 1 ends", "all processes in the namespace end", "the sender ends"),
        why="From within, an init hears only what it has a handler for, and SIGKILL cannot have one.",
    ),
    Question(
        id="nb03/joined",
        ask="A process joins a pid namespace with setns. Which pid does it get there?",
        answer=_joined_pid,
        wrong=("1", "the next free number there", "the same number as outside"),
        why="A process never changes its pid. That is why nsenter and docker exec start a new process.",
    ),
    Question(
        id="nb03/same-key",
        ask="Queue 7 is made twice: in an ipc namespace of its own, and on the lab host. How many queues are there?",
        answer=_queues,
        wrong=(0, 1, 3),
        why="A key is a name within one ipc namespace; the same key in another is another queue.",
    ),
    Question(
        id="nb03/fresh-name",
        ask="The lab host is called tower. A process starts in a new uts namespace. Which host name does it see?",
        answer=_fresh_name,
        wrong=("lab", "localhost", "nothing"),
        why="A new uts namespace begins as a copy of the old one.",
    ),
)
