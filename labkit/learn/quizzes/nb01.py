"""The questions of lesson 01, one server, three tenants."""

from __future__ import annotations

from labkit.errors import StepError, errno_name
from labkit.learn import Question, seen
from labkit.learn.asking import Renewable, after
from labkit.learn.crowding import TENANTS, read, tenants
from labkit.linux.constants import SIGKILL
from labkit.linux.nsfs import KINDS
from labkit.namespaces.files import WriteFile
from labkit.namespaces.ports import Listen
from labkit.namespaces.processes import Kill
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Spawn
from labkit.steps import fact


def _own_kinds(lab: Renewable) -> int:
    facts = after(lab, Spawn(child="a"))
    return sum(seen.apart(facts, "a", kind) for kind in KINDS)


def _second(lab: Renewable, first: Listen, second: Listen) -> str:
    lab.reset()
    lab.take_all([Spawn(child="a"), Spawn(child="b"), first])
    try:
        lab.take(second)
    except StepError as error:
        return errno_name(error.errno)
    return "it works"


def _same_port(lab: Renewable) -> str:
    return _second(lab, Listen(who="a", port=80), Listen(who="b", port=80))


def _two_addresses(lab: Renewable) -> str:
    return _second(lab, Listen(who="a", port=80, address="127.0.0.1"), Listen(who="b", port=80, address="127.0.0.2"))


def _after_death(lab: Renewable) -> str:
    facts = after(lab, Spawn(child="a"), Listen(who="a", port=80), Kill(target="a"), look=("net",))
    return "taken for ever" if facts.of_type(fact.Port) else "it is free"


def _who_reads(lab: Renewable) -> str:
    lab.reset()
    lab.take_all([Spawn(child="a"), Spawn(child="b"), WriteFile(who="a", path="/tmp/diary", text="secret", mode=0o600)])
    return "yes: it is root, too" if read(lab, "b", "/tmp/diary") == "secret" else "no: the mode forbids it"


def _hit(lab: Renewable) -> int:
    facts = after(lab, *tenants(), SignalPid(who="school", pid=4, signal=SIGKILL), look=("processes",))
    return sum(not seen.life(facts, name) for name in TENANTS)


QUESTIONS = (
    Question(
        id="nb01/plain-fork",
        ask="The lab host starts a process with a plain fork. How many of its eight namespaces are not the lab host's?",
        answer=_own_kinds,
        wrong=(1, 6, 8),
        why="Without a flag a child shares all that its parent has: that is how tenants get into each other's way.",
    ),
    Question(
        id="nb01/same-port",
        ask="Two processes of one machine want to listen on port 80 of all addresses. What does the second get?",
        answer=_same_port,
        wrong=("it works", "EPERM", "the next free port"),
        why="A port is a number of the network, and on one address only one socket has it.",
    ),
    Question(
        id="nb01/two-addresses",
        ask="And if the first wants 127.0.0.1 only, and the second 127.0.0.2?",
        answer=_two_addresses,
        wrong=("EADDRINUSE", "EADDRNOTAVAIL", "EPERM"),
        why="What must differ is the pair of address and port.",
    ),
    Question(
        id="nb01/after-death",
        ask="A process that listens on port 80 is killed. What becomes of the port?",
        answer=_after_death,
        wrong=("taken for ever", "taken until the machine restarts", "its parent has it"),
        why="The kernel closes all that a process had open, sockets among them.",
    ),
    Question(
        id="nb01/diary",
        ask="A tenant, root as all here, writes a file with mode 0600. Can its neighbour read it?",
        answer=_who_reads,
        wrong=("no: the mode forbids it", "only if the file is in /tmp", "only its size"),
        why="Modes keep users apart, not tenants; and root they do not keep out at all.",
    ),
    Question(
        id="nb01/one-number",
        ask="Three tenants, pids 3, 4 and 5. One of them sends SIGKILL to 4. How many tenants does it hit?",
        answer=_hit,
        wrong=(0, 2, 3),
        why="A pid is one process of the list; a name, as killall takes it, can be several.",
    ),
)
