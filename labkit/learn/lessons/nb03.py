"""Lesson 03, namespaces I: pid, uts, ipc."""

from __future__ import annotations

from labkit.learn import NUMBER, Check, Fault, Lesson, Predict, Quiz, seen
from labkit.learn.check import Predicate
from labkit.learn.needs import A_CONTAINER, EVERY_LESSON
from labkit.learn.quizzes.nb03 import QUESTIONS
from labkit.namespaces.names import SetHostname
from labkit.namespaces.processes import Kill
from labkit.namespaces.spawn import Spawn
from labkit.steps.fact import Process, SysvObject, Uts
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step
from labkit.steps.trace import Taken

# predictions


def _own_pid(taken: Taken) -> int:
    return seen.own_pid(taken.after, "bakery")


def _left(taken: Taken) -> int:
    return sum(bool(seen.life(taken.after, who)) for who in ("bakery", "oven", "till"))


def _host_name(taken: Taken) -> str:
    return next(names.hostname for names in taken.after.of_type(Uts) if names.ns == "uts#1")


PREDICTIONS = (
    Predict(
        id="nb03/own-pid",
        before=lambda step: "pid" in getattr(step, "namespaces", ()),
        ask="The bakery asks the kernel for its own pid. What is the answer?",
        choices=("0", "1", "3", "4"),
        answer=_own_pid,
        why="The first process of a pid namespace is number 1 in it; outside it has the next free number as well.",
    ),
    Predict(
        id="nb03/three-deep",
        before=3,
        ask="How many pids will the helper have, counted by the lab host?",
        choices=("1", "2", "3", "4"),
        answer=lambda taken: len(seen.pids(taken.after, "helper")),
        why="One in its own namespace and one in each namespace around it.",
    ),
    Predict(
        id="nb03/pid-1-dies",
        before=Kill,
        ask="Three processes live in the bakery's pid namespace. How many are left after this?",
        choices=NUMBER,
        answer=_left,
        why="When pid 1 of a pid namespace ends, the kernel kills all others in it.",
    ),
    Predict(
        id="nb03/host-name",
        before=SetHostname,
        ask="What will the lab host be called after this?",
        choices=("lab", "radio"),
        answer=_host_name,
        why="radio shares the uts namespace of the lab host, so there is only one name to change.",
    ),
)

# exercise 1: a name of one's own


def _signs(facts: Snapshot) -> list[str]:
    return [p for p in seen.guests(facts) if seen.hostname(facts, p) == "bakery" and seen.apart(facts, p, "uts")]


def _named(*, alone: bool) -> Predicate:
    def right(facts: Snapshot) -> bool:
        clean = seen.hostname(facts) == "lab"
        return clean and any(seen.together(facts, who, "mnt") == alone for who in _signs(facts))

    return right


OWN_NAME = Check(
    id="nb03/own-name",
    task="A process whose machine is called bakery, on a lab host that is still called lab.",
    accept=[
        ("only the name is its own; all else is shared", _named(alone=True)),
        ("a whole container, the name among other things", _named(alone=False)),
    ],
    hints=[
        (
            lambda facts: seen.hostname(facts) == "bakery",
            "the lab host itself is called bakery now: who set the name shared the host's uts namespace",
        ),
        (
            lambda facts: any(seen.apart(facts, who, "uts") for who in seen.guests(facts)),
            "a uts namespace of its own is there; it began as a copy, and nobody in it has set the name yet",
        ),
        (
            lambda facts: bool(seen.guests(facts)),
            "there is a process, and it shares the lab host's uts namespace; look at namespaces=(…)",
        ),
    ],
    otherwise="there is no process yet besides the lab host's own two; lab.take(Spawn(child=…, namespaces=(…)))",
    probes=("processes", "namespaces", "uts"),
    second_hint="the host name belongs to the uts namespace: namespaces=('uts',) at birth, and then SetHostname with "
    "who= that process",
    model="""
from labkit.namespaces.names import SetHostname
from labkit.namespaces.spawn import Spawn

lab.reset()
lab.take(Spawn(child="sign", namespaces=("uts",)))
lab.take(SetHostname(who="sign", name="bakery"))
""",
)

# exercise 2: two processes behind one wall


def _queue(facts: Snapshot, who: str) -> bool:
    return bool(seen.one(facts, SysvObject, ns=seen.namespace(facts, who, "ipc"), key=11))


def _studio(facts: Snapshot) -> bool:
    walled = seen.apart(facts, "studio", "ipc") and seen.together(facts, "mixer", "ipc", "studio")
    inside = seen.apart(facts, "studio", "pid") and seen.together(facts, "mixer", "pid", "studio")
    return inside and walled and seen.own_pid(facts, "studio") == 1 and _queue(facts, "mixer")


def _born_inside(facts: Snapshot) -> bool:
    mixer = seen.one(facts, Process, name="mixer")
    return mixer is not None and seen.together(facts, mixer.parent, "pid", "studio")


STUDIO = Check(
    id="nb03/studio",
    task="The radio wants two processes behind one wall: studio, pid 1 in a pid namespace of its own, and mixer in "
    "the same one. Both find message queue 11, and the lab host does not.",
    accept=[
        ("mixer was born inside", lambda facts: _studio(facts) and _born_inside(facts)),
        ("mixer's parent came from outside and joined", lambda facts: _studio(facts) and not _born_inside(facts)),
    ],
    hints=[
        (
            lambda facts: not seen.life(facts, "studio") or not seen.life(facts, "mixer"),
            "two processes are wanted, with exactly these names: Spawn(child='studio', …) and Spawn(child='mixer', …)",
        ),
        (
            lambda facts: seen.own_pid(facts, "studio") != 1,
            "studio is not pid 1: it needs a pid namespace of its own, from birth",
        ),
        (
            lambda facts: not seen.together(facts, "mixer", "pid", "studio"),
            "mixer is in another pid namespace than studio; who should start it (who='studio'), or which namespace "
            "must its parent have joined before?",
        ),
        (
            lambda facts: _queue(facts, "host"),
            "the lab host finds queue 11: it was made in the ipc namespace that all share",
        ),
        (
            lambda facts: not seen.together(facts, "mixer", "ipc", "studio"),
            "studio and mixer are in different ipc namespaces, so they will never find the same queue",
        ),
        (
            lambda facts: not _queue(facts, "studio"),
            "the walls stand; queue 11 is missing: MakeMessageQueue(who=…, key=11)",
        ),
    ],
    probes=("processes", "namespaces", "ipc"),
    second_hint="three steps: studio with namespaces=('pid', 'ipc'), mixer started by studio (who='studio') so that "
    "it is born into both, and MakeMessageQueue(who='studio', key=11)",
    model="""
from labkit.namespaces.names import MakeMessageQueue
from labkit.namespaces.spawn import Spawn

lab.reset()
lab.take(Spawn(child="studio", namespaces=("pid", "ipc")))
lab.take(Spawn(who="studio", child="mixer"))
lab.take(MakeMessageQueue(who="studio", key=11))
""",
)

# the fault: a pid 1 that does not do its duty

_LOAVES = ("loaf1", "loaf2", "loaf3")


def _dead(facts: Snapshot) -> int:
    return sum(seen.life(facts, process.name) == "zombie" for process in facts.of_type(Process))


def _baking() -> list[Step]:
    born: list[Step] = [Spawn(who="bakery", child=loaf) for loaf in _LOAVES]
    return [Spawn(child="bakery", namespaces=("pid",)), *born, *(Kill(who="bakery", target=loaf) for loaf in _LOAVES)]


ZOMBIES = Fault(
    id="nb03/full-table",
    symptom="The landlord counts three processes of the bakery that use no memory and no CPU, and kill -9 does "
    "nothing to them.",
    breaks=_baking(),
    mends="""
from labkit.namespaces.processes import Kill

lab.take(Kill(target="bakery"))
""",
    repaired=lambda facts: _dead(facts) == 0,
    tools=["process_tree(lab)", "print(lab.snapshot('processes'))"],
    hint="a zombie is dead already; its parent has not asked yet how it ended. Who is that, and what if it never asks?",
    hints=[
        (lambda facts: 0 < _dead(facts) < 3, "one step of this kind for each of them; some are still there"),
    ],
    second_hint="bakery is their parent and does not wait for them. Either it does, Reap(who='bakery', "
    "target='loaf1') and so on, or it ends itself: it is pid 1 of its namespace",
    why="no zombie is left",
    probes=("processes",),
)


LESSON = Lesson(
    "nb03",
    "Namespaces I: pid, uts, ipc",
    predictions=PREDICTIONS,
    checks=(OWN_NAME, STUDIO),
    faults=(ZOMBIES,),
    quiz=Quiz.of("nb03", own=QUESTIONS, recall=("nb01/plain-fork", "nb02/own-kinds")),
    needs=(*EVERY_LESSON, *A_CONTAINER),
)
