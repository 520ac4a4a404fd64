"""Lesson 00, is this machine ready?"""

from __future__ import annotations

from labkit.learn import Check, Fault, Lesson, Predict, Quiz, seen
from labkit.learn.quizzes.nb00 import QUESTIONS
from labkit.namespaces.files import MakeDirectory, Remove, WriteFile
from labkit.namespaces.names import SetDomainname, SetHostname
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
    second_hint="two steps, and in both the path is a whole one, from / on: MakeDirectory(path='/tmp/school'), then "
    "WriteFile(path='/tmp/school/lease', text='a room')",
    model="""
from labkit.namespaces.files import MakeDirectory, WriteFile

lab.reset()
lab.take(MakeDirectory(path="/tmp/school"))
lab.take(WriteFile(path="/tmp/school/lease", text="a room"))
""",
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
    second_hint="one step for each of them, lab.take(spawn.Spawn(child='bakery')) and so on; no other argument is "
    "needed",
    model="""
from labkit.namespaces.spawn import Spawn

lab.reset()
for name in ("bakery", "radio", "school"):
    lab.take(Spawn(child=name))
""",
)

# the fault: a wrong name on the door

DOORPLATE = Fault(
    id="nb00/doorplate",
    symptom="The landlord's machine is called lab. Since this morning every prompt on it says something else.",
    breaks=[SetHostname(name="casino"), SetDomainname(name="casino.example")],
    mends="""
from labkit.namespaces.names import SetHostname

lab.take(SetHostname(name="lab"))
""",
    clears=[SetDomainname(name="(none)")],
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
    second_hint="the hostname is wrong, and is to be lab again: names.SetHostname(name=…)",
    why="the machine is called lab again",
    probes=("processes", "namespaces", "uts"),
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
