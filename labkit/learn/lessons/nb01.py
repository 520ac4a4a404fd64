"""Lesson 01, one server, three tenants."""

from __future__ import annotations

from labkit.errors import errno_name
from labkit.learn import Check, Fault, Lesson, Predict, Quiz, seen
from labkit.learn.crowding import TENANTS
from labkit.learn.needs import A_CONTAINER, EVERY_LESSON, Need
from labkit.learn.quizzes.nb01 import QUESTIONS
from labkit.namespaces.names import SetHostname
from labkit.namespaces.ports import Listen
from labkit.namespaces.reading import ReadFile, text
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Spawn
from labkit.steps import fact
from labkit.steps.snapshot import Snapshot
from labkit.steps.trace import Taken

# predictions


def _heard(taken: Taken) -> str:
    both = [port.process for port in taken.after.of_type(fact.Port)]
    return "both of them" if len(both) > 1 else "the bakery only" if both == ["bakery"] else "the radio only"


def _left(taken: Taken) -> int:
    return sum(bool(seen.life(taken.after, name)) for name in TENANTS)


PREDICTIONS = (
    Predict(
        id="nb01/stranger",
        before=SignalPid,
        ask="The radio sends SIGKILL to number 3, which is the bakery. How many of the three tenants are left?",
        choices=("3", "2", "1", "0"),
        answer=_left,
        why="The number is enough: all are in one list, and root may signal everybody in it.",
    ),
    Predict(
        id="nb01/rename",
        before=lambda step: isinstance(step, SetHostname) and step.who == "radio",
        ask="The bakery, as root, has renamed the server. The radio is uid 1000 now and makes the same call. "
        "What does the kernel answer?",
        choices=("0: done", "EPERM", "EACCES"),
        answer=lambda taken: errno_name(taken.calls[-1].errno) if taken.calls[-1].errno else "0: done",
        why="The call is the same; the kernel looks at who makes it. To rename a machine takes CAP_SYS_ADMIN.",
    ),
    Predict(
        id="nb01/menu",
        before=ReadFile,
        ask="Both have written /tmp/menu. What does the bakery read in it?",
        choices=("its own text", "the radio's text", "first one, then the other"),
        answer=lambda taken: "the radio's text" if "songs" in text(taken.calls) else "its own text",
        why="One tree of files: a path means the same file to everybody.",
    ),
    Predict(
        id="nb01/port",
        before=lambda step: isinstance(step, Listen) and step.who == "radio",
        ask="The bakery listens on port 8080. Now the radio asks for 8080, too. Who listens afterwards?",
        choices=("both of them", "the bakery only", "the radio only"),
        answer=_heard,
        why="On one address a port belongs to one socket; who comes second gets EADDRINUSE.",
    ),
)

# exercise 1: two shops, one door


def _doors(facts: Snapshot, who: str) -> tuple[fact.Port, ...]:
    return seen.every(facts, fact.Port, process=who)


def _both_open(facts: Snapshot) -> bool:
    return bool(_doors(facts, "bakery") and _doors(facts, "radio"))


def _one_net(facts: Snapshot) -> bool:
    return seen.together(facts, "radio", "net", "bakery")


def _same_number(facts: Snapshot) -> bool:
    return bool({p.port for p in _doors(facts, "bakery")} & {p.port for p in _doors(facts, "radio")})


DOORS = Check(
    id="nb01/two-doors",
    task="Bakery and radio both listen, each on a port, at the same time.",
    accept=[
        ("two numbers", lambda f: _both_open(f) and _one_net(f) and not _same_number(f)),
        ("one number on two addresses", lambda f: _both_open(f) and _one_net(f) and _same_number(f)),
        ("one number, in two network namespaces", lambda facts: _both_open(facts) and not _one_net(facts)),
    ],
    hints=[
        (
            lambda facts: not seen.life(facts, "bakery") or not seen.life(facts, "radio"),
            "both tenants must be there; tenants() gives you the steps",
        ),
        (lambda facts: not facts.of_type(fact.Port), "nobody listens yet: lab.take(Listen(who=…, port=…))"),
        (
            lambda facts: bool(_doors(facts, "radio")) and not _doors(facts, "bakery"),
            "the radio listens; and the bakery? If it was refused, its number or its address was taken",
        ),
        (
            lambda facts: len(_doors(facts, "bakery")) > 1,
            "the bakery has taken every door there is; which of them does it need?",
        ),
        (
            lambda facts: bool(_doors(facts, "bakery")),
            "the bakery listens, the radio does not; 0.0.0.0 means all addresses, so that number is gone",
        ),
    ],
    otherwise="somebody listens, but neither bakery nor radio; print(lab.snapshot('net'))",
    probes=("processes", "namespaces", "net"),
    second_hint="any number that nobody has will do: ports.Listen(who='radio', port=8081)",
    model="""
from labkit.learn.crowding import tenants
from labkit.namespaces.ports import Listen

lab.reset()
lab.take_all([*tenants(), Listen(who="bakery", port=8080)])
lab.take(Listen(who="radio", port=8081))
""",
)

# exercise 2: the right worker


def _silent(facts: Snapshot, who: str) -> bool:
    return seen.life(facts, who) != "runs"


def _mixer_plays(facts: Snapshot) -> bool:
    return seen.life(facts, "mixer") == "runs" and seen.life(facts, "radio") == "runs"


QUIET = Check(
    id="nb01/right-worker",
    task="It is night. The bakery's worker must be silent (ended or stopped), its shop goes on, and the radio notices "
    "nothing.",
    accept=[
        (
            "ended, by its number",
            lambda f: (
                _mixer_plays(f) and seen.life(f, "bakery") == "runs" and seen.life(f, "kneader") in ("", "zombie")
            ),
        ),
        (
            "stopped, to go on tomorrow",
            lambda f: _mixer_plays(f) and seen.life(f, "bakery") == "runs" and seen.life(f, "kneader") == "stopped",
        ),
    ],
    hints=[
        (lambda facts: not seen.guests(facts), "nobody is there; lab.take_all(workers()) first"),
        (
            lambda facts: _silent(facts, "bakery"),
            "the whole bakery has come to a halt; only its worker was meant, a process of its own",
        ),
        (lambda facts: _silent(facts, "radio"), "the radio itself was hit"),
        (
            lambda facts: _silent(facts, "kneader") and _silent(facts, "mixer"),
            "both workers are silent: whoever goes by the name reaches the neighbour's, too",
        ),
        (
            lambda facts: _silent(facts, "mixer"),
            "the radio's worker is silent, and the bakery's goes on: the wrong number",
        ),
    ],
    otherwise="both workers are at work; process_tree(lab) shows whose child is which, and its number",
    probes=("processes",),
    second_hint="the name is the same for both; the number is not. process_tree(lab) shows the bakery's child with "
    "its pid, and signals.SignalPid(who='bakery', pid=…, signal=SIGKILL) sends to that one only",
    model="""
from labkit.learn.crowding import workers
from labkit.linux.constants import SIGKILL
from labkit.namespaces.signals import SignalPid

lab.reset()
lab.take_all(workers())
lab.take(SignalPid(who="bakery", pid=5, signal=SIGKILL))
""",
)

# the fault: a door that is held open

HELD = Fault(
    id="nb01/no-door",
    symptom="The school wants to open its library on port 8080 and gets EADDRINUSE. No tenant admits to using it.",
    breaks=[Spawn(child="oven"), Listen(who="oven", port=8080)],
    mends="""
from labkit.namespaces.processes import Kill

lab.take(Kill(target="oven"))
""",
    repaired=lambda facts: seen.one(facts, fact.Port, port=8080) is None,
    tools=["print(lab.snapshot('net'))", "process_tree(lab)"],
    hints=[
        (
            lambda facts: len(facts.of_type(fact.Port)) > 1,
            "another number helps the school, not the landlord: who holds 8080?",
        ),
    ],
    hint="a port is held by a socket, and a socket by a process. Whose, and when does it let go of what it has?",
    second_hint="the process that listens on 8080 is called oven; a socket is closed when its process ends, "
    "processes.Kill(target=…), or by ports.StopListening(who=…, port=8080)",
    why="nobody holds port 8080 any more",
    probes=("processes", "net"),
)


LESSON = Lesson(
    "nb01",
    "One server, three tenants",
    predictions=PREDICTIONS,
    checks=(DOORS, QUIET),
    faults=(HELD,),
    quiz=Quiz.of("nb01", own=QUESTIONS, recall=("nb00/undone", "nb00/not-empty")),
    needs=(*EVERY_LESSON, *A_CONTAINER, Need.ORDINARY_USER),
)
