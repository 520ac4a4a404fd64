"""Lesson 00, is this machine ready?"""

from __future__ import annotations

from labkit.errors import StepError, errno_name
from labkit.learn import Check, Fault, Lesson, Predict, Question, Quiz, seen
from labkit.learn.asking import Renewable, after
from labkit.namespaces.files import MakeDirectory, Remove, WriteFile
from labkit.namespaces.names import SetDomainname, SetHostname
from labkit.namespaces.spawn import Spawn
from labkit.steps import fact
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

# predictions


def _name(facts: Snapshot) -> str:
    """The lab host's name; nobody in this lesson has another."""
    return facts.of_type(fact.Uts)[0].hostname


PREDICTIONS = (
    Predict(
        id="nb00/name",
        before=SetHostname,
        ask="The lab host is called lab. What will it be called after this step?",
        choices=("lab", "server", "lab.server"),
        answer=lambda taken: _name(taken.after),
        why="sethostname replaces the name, for every process that shares it. (First questions may be easy.)",
    ),
    Predict(
        id="nb00/full",
        before=Remove,
        ask="The directory /tmp/office holds a file. Will the kernel remove the directory?",
        answer=lambda taken: taken.error is None,
        why="rmdir takes away empty directories only: ENOTEMPTY. Clearing it first is the work of rm -r.",
    ),
)

# exercise 1: a room with a lease in it


def _file(facts: Snapshot, path: str) -> fact.File | None:
    return seen.one(facts, fact.File, path=path, ns="mnt#1")


def _lease(facts: Snapshot, *, open_to_all: bool) -> bool:
    room, lease = _file(facts, "/tmp/school"), _file(facts, "/tmp/school/lease")
    if room is None or room.type != "directory" or lease is None or lease.type != "file" or not lease.size:
        return False
    return (int(lease.mode, 8) & 0o004 != 0) == open_to_all


LEASE = Check(
    id="nb00/lease",
    task="On the lab host, a directory /tmp/school, and in it a file lease with some text.",
    accept=[
        ("a lease that everybody can read", lambda facts: _lease(facts, open_to_all=True)),
        ("a lease for its owner's eyes", lambda facts: _lease(facts, open_to_all=False)),
    ],
    hints=[
        (
            lambda facts: _file(facts, "/tmp/lease") is not None,
            "there is a lease, but it lies in /tmp, not in the school's room",
        ),
        (
            lambda facts: (room := _file(facts, "/tmp/school")) is not None and room.type != "directory",
            "/tmp/school is a file; a room is a directory: MakeDirectory(path=…)",
        ),
        (
            lambda facts: (lease := _file(facts, "/tmp/school/lease")) is not None and not lease.size,
            "the lease is there and empty: text=…",
        ),
        (
            lambda facts: _file(facts, "/tmp/school") is not None,
            "the room is there, and no file called lease is in it: WriteFile(path=…, text=…)",
        ),
    ],
    otherwise="there is no /tmp/school yet: lab.take(MakeDirectory(path=…)), then the file",
    probes=("files",),
    model=lambda lab: lab.take_all(
        [MakeDirectory(path="/tmp/school"), WriteFile(path="/tmp/school/lease", text="a room\n")]
    ),
)

# exercise 2: three tenants move in

_TENANTS = ("bakery", "radio", "school")


def _moved_in(facts: Snapshot) -> bool:
    return all(seen.life(facts, name) == "runs" and seen.together(facts, name, "uts") for name in _TENANTS)


def _children_of_host(facts: Snapshot) -> int:
    return sum(p.name in _TENANTS and p.parent == "host" for p in facts.of_type(fact.Process))


TENANTS = Check(
    id="nb00/tenants",
    task="Three processes called bakery, radio and school run on the lab host, on the machine that all share.",
    accept=[
        ("each started by the lab host", lambda facts: _moved_in(facts) and _children_of_host(facts) == 3),
        ("one started by another", lambda facts: _moved_in(facts) and _children_of_host(facts) < 3),
    ],
    hints=[
        (lambda facts: not seen.guests(facts), "nobody is there yet: lab.take(Spawn(child=…))"),
        (
            lambda facts: any(name not in _TENANTS for name in seen.guests(facts)),
            "somebody is there whom the landlord does not know; names count, letter by letter",
        ),
        (
            lambda facts: any(seen.life(facts, name) not in ("", "runs") for name in _TENANTS),
            "one of them is there and does not run; process_tree(lab) says in what state it is",
        ),
        (
            lambda facts: any(seen.apart(facts, name, "uts") for name in _TENANTS),
            "one of them has a machine of its own (namespaces=…); that is for lesson 03",
        ),
    ],
    otherwise="some are there and some are missing; process_tree(lab) shows who",
    probes=("processes", "namespaces"),
    model=lambda lab: lab.take_all([Spawn(child=name) for name in _TENANTS]),
)

# the fault: a wrong name on the door

DOORPLATE = Fault(
    id="nb00/doorplate",
    symptom="The landlord's machine is called lab. Since this morning every prompt on it says something else.",
    breaks=[SetHostname(name="casino"), SetDomainname(name="casino.example")],
    mends=[SetDomainname(name="(none)"), SetHostname(name="lab")],
    repaired=lambda facts: seen.hostname(facts) == "lab",
    tools=["print(lab.snapshot('uts'))"],
    hints=[
        (
            lambda facts: any(seen.hostname(facts, who) == "lab" for who in seen.guests(facts)),
            "a process has a machine called lab to itself now; everybody else's is called as before",
        ),
        (
            lambda facts: any(names.domainname != "casino.example" for names in facts.of_type(fact.Uts)),
            "that was the other of the two names, which no prompt shows",
        ),
    ],
    hint="a step changes the name of the machine; you have met it in section 3",
    why="the machine is called lab again",
    probes=("processes", "namespaces", "uts"),
)

# the quiz


def _undone(lab: Renewable) -> str:
    before = after(lab, look=("uts",))
    step = SetHostname(name="server")
    inverse = step.undo(before)
    lab.take(step)
    if inverse is None:
        return "a new machine"
    lab.take(inverse)
    return "the same step with the old name" if _name(lab.snapshot("uts")) == "lab" else "nothing does"


def _unborn(lab: Renewable) -> str:
    step = Spawn(child="a")
    return "the step's opposite" if step.undo(after(lab, look=())) else "a new machine"


def _not_empty(lab: Renewable) -> str:
    lab.reset()
    lab.take_all([MakeDirectory(path="/tmp/d"), WriteFile(path="/tmp/d/f", text="x")])
    try:
        lab.take(Remove(path="/tmp/d", directory=True))
    except StepError as error:
        return errno_name(error.errno)
    return "0"


def _left_after_reset(lab: Renewable) -> int:
    after(lab, Spawn(child="a"), Spawn(child="b"), look=("processes",))
    lab.reset()
    return len(seen.guests(lab.snapshot("processes")))


def _numbers_in_use(lab: Renewable) -> int:
    return len(after(lab, look=("processes",)).of_type(fact.Process))


QUESTIONS = (
    Question(
        id="nb00/undone",
        ask="The host name was changed. What takes that back?",
        answer=_undone,
        wrong=("a new machine", "nothing does", "a restart of the notebook"),
        why="Where the kernel has an inverse, Back takes it: here sethostname once more.",
    ),
    Question(
        id="nb00/unborn",
        ask="And the start of a process?",
        answer=_unborn,
        wrong=("the step's opposite", "nothing does", "a restart of the notebook"),
        why="Nobody can be unborn; the lab is thrown away and the steps before it are taken again in a new one.",
    ),
    Question(
        id="nb00/not-empty",
        ask="A directory that holds a file is to be removed with one call. What does the kernel answer?",
        answer=_not_empty,
        wrong=("0", "EPERM", "EEXIST"),
        why="rmdir(2) removes empty directories only. Every error has a name; read it.",
    ),
    Question(
        id="nb00/after-reset",
        ask="Two processes are started, then lab.reset(). How many of them run on?",
        answer=_left_after_reset,
        wrong=(1, 2, "it depends"),
        why="The lab host's pid 1 is killed, and the kernel takes everything in it along.",
    ),
    Question(
        id="nb00/at-first",
        ask="How many processes does a fresh lab host have?",
        answer=_numbers_in_use,
        wrong=(0, 1, 100),
        why="Its init, and one helper called host, which takes the steps that you order.",
    ),
)


def rooms() -> list[Step]:
    """An office with a note in it."""
    return [MakeDirectory(path="/tmp/office"), WriteFile(path="/tmp/office/note", text="rent is due\n")]


LESSON = Lesson(
    "nb00",
    "Is this machine ready?",
    predictions=PREDICTIONS,
    checks=(LEASE, TENANTS),
    faults=(DOORPLATE,),
    quiz=Quiz.of("nb00", own=QUESTIONS),
)
