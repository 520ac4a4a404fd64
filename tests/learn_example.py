"""A small lesson as a teacher writes it (docs/teaching.md shows the same), for the tests of `labkit.learn`."""

from __future__ import annotations

from labkit.learn import Check, Fault, Lesson, Predict, Question, Quiz, seen
from labkit.namespaces.names import SetHostname
from labkit.namespaces.spawn import Spawn
from labkit.steps.naming import HOST

EARLIER = tuple(
    Question(
        id=f"nb01/{name}",
        ask=ask,
        answer=lambda lab: seen.hostname(lab.snapshot("uts", "namespaces")),
        wrong=("c1", "localhost", "lab"),
        why="uname asks the namespace that the process is in.",
    )
    for name, ask in (("name", "What is the lab host called?"), ("uname", "What does uname -n print there?"))
)

LESSON = Lesson(
    "nb03",
    "Namespaces I: pid, uts, ipc",
    predictions=(
        Predict(
            id="nb03/first-pid",
            before=Spawn,
            ask="Which pid will c1 see when it asks for its own?",
            choices=("1", "the next free one of the lab host"),
            answer=lambda taken: "1" if seen.own_pid(taken.after, "c1") == 1 else "the next free one of the lab host",
            why="The first process of a pid namespace has pid 1 in it.",
        ),
        Predict(
            id="nb03/renamed",
            before=SetHostname,
            ask="Will the lab host's own name change?",
            answer=lambda taken: seen.hostname(taken.before) != seen.hostname(taken.after),
            why="c1 has a uts namespace of its own.",
        ),
    ),
    checks=(
        Check(
            id="nb03/own-name",
            task="Give some process the host name 'guest' while the lab host keeps its own.",
            accept=[
                ("born into a uts namespace", lambda facts: any(_named(facts, who) for who in seen.guests(facts))),
                ("a uts namespace that nobody is in any more", lambda facts: bool(seen.held(facts, "uts"))),
            ],
            hints=[
                (
                    lambda facts: seen.hostname(facts) == "guest",
                    "the lab host itself is called guest now: where was the name set?",
                ),
                (lambda facts: not seen.guests(facts), "there is no process yet that could have a name of its own"),
                (
                    lambda facts: all(seen.together(facts, who, "uts") for who in seen.guests(facts)),
                    "your process shares the lab host's uts namespace",
                ),
                (lambda facts: True, "the namespace is right; which name does the process see in it?"),
            ],
            probes=("processes", "namespaces", "uts"),
            model=lambda lab: lab.take_all(
                [Spawn(child="c1", namespaces=("uts",)), SetHostname(who="c1", name="guest")]
            ),
        ),
    ),
    faults=(
        Fault(
            id="nb03/lost-name",
            symptom="The lab host answers to a name that nobody gave it.",
            breaks=[SetHostname(name="nobody")],
            repaired=lambda facts: seen.hostname(facts) == "lab",
            tools=["print(lab.snapshot('uts'))"],
            hint="Which uts namespace is the lab host in, and what is its name?",
            probes=("processes", "namespaces", "uts"),
        ),
    ),
    quiz=Quiz.of(
        "nb03",
        own=[
            Question(
                id="nb03/pid-of-host",
                ask="Which pid has the lab host's zygote?",
                answer=lambda lab: seen.own_pid(lab.snapshot("processes"), HOST),
                wrong=lambda lab, right: [int(right) - 1, int(right) + 1, 0],
                why="It is the second process of its pid namespace.",
            )
        ],
        recall=EARLIER,
    ),
)


def _named(facts: seen.Facts, who: str) -> bool:
    facts = tuple(facts)
    return seen.apart(facts, who, "uts") and seen.hostname(facts, who) == "guest"
