"""The questions of lesson 01, one server, three tenants."""

from __future__ import annotations

from labkit.learn import Question, seen
from labkit.learn.asking import Renewable, after
from labkit.learn.crowding import TENANTS, answer, read, tenants
from labkit.linux.constants import SIGKILL
from labkit.linux.nsfs import KINDS
from labkit.namespaces.files import WriteFile
from labkit.namespaces.names import SetHostname
from labkit.namespaces.ports import Listen
from labkit.namespaces.processes import PATH, Exec
from labkit.namespaces.reading import ReadFile
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Spawn
from labkit.namespaces.users import BecomeUser
from labkit.steps.step import Step

_USER = (Spawn(child="a"), BecomeUser(who="a", uid=1000, gid=1000))


def _own_kinds(lab: Renewable) -> int:
    facts = after(lab, Spawn(child="a"))
    return sum(seen.apart(facts, "a", kind) for kind in KINDS)


def _answer(lab: Renewable, *steps: Step) -> str:
    """What the kernel answers to the last of `steps`, taken in a fresh lab host."""
    lab.reset()
    lab.take_all(steps[:-1])
    return answer(lab, steps[-1])


def _same_port(lab: Renewable) -> str:
    return _answer(lab, Spawn(child="a"), Spawn(child="b"), Listen(who="a", port=80), Listen(who="b", port=80))


def _bytes_of_null(lab: Renewable) -> int:
    lab.reset()
    return next(call.value for call in lab.take(ReadFile(path="/dev/null")) if call.name == "read")


def _renamed_by_a_user(lab: Renewable) -> str:
    return _answer(lab, *_USER, SetHostname(who="a", name="mine"))


def _reads_a_neighbour(lab: Renewable) -> str:
    secret = (("PATH", PATH), ("PASSWORD", "sourdough"))
    lab.reset()
    lab.take_all([Spawn(child="b"), Exec(who="b", argv=("sleep", "1000"), environment=secret), *_USER])
    found = read(lab, "a", "/proc/3/environ")
    return "the password" if "sourdough" in found else found or "nothing: it is empty"


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
        id="nb01/one-number",
        ask="Three tenants, pids 3, 4 and 5. One of them sends SIGKILL to 4. How many tenants does it hit?",
        answer=_hit,
        wrong=(0, 2, 3),
        why="A pid is one process of the list; a name, as killall takes it, can be several.",
    ),
    Question(
        id="nb01/environ",
        ask="A program has a password in its environment. A neighbour, not root but uid 1000, reads /proc/PID/environ. "
        "What does it get?",
        answer=_reads_a_neighbour,
        wrong=("the password", "nothing: it is empty", "EBUSY"),
        why="The file shows the program's memory. The kernel lets in the same user, and root.",
    ),
    Question(
        id="nb01/null",
        ask="A program asks to read 4096 bytes of /dev/null. How many does it get?",
        answer=_bytes_of_null,
        wrong=(1, 4096, 4095),
        why="The driver answers, not a disk, and this one has nothing to give. /dev/zero would fill all 4096.",
    ),
    Question(
        id="nb01/refused",
        ask="A process of uid 1000 calls sethostname. What does the kernel answer?",
        answer=_renamed_by_a_user,
        wrong=("it works", "EACCES", "EINVAL"),
        why="Anyone may make the call. The kernel looks at who does, and this takes CAP_SYS_ADMIN.",
    ),
    Question(
        id="nb01/diary",
        ask="A tenant, root as all here, writes a file with mode 0600. Can its neighbour read it?",
        answer=_who_reads,
        wrong=("no: the mode forbids it", "only if the file is in /tmp", "only its size"),
        why="Modes keep users apart, not tenants; and root they do not keep out at all.",
    ),
    Question(
        id="nb01/same-port",
        ask="Two processes of one machine want to listen on port 80 of all addresses. What does the second get?",
        answer=_same_port,
        wrong=("it works", "EPERM", "the next free port"),
        why="A port is a number of the network, and on one address only one socket has it.",
    ),
)
