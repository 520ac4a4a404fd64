"""Lesson 07, cgroups: limiting."""

from __future__ import annotations

from labkit.cgroups.make import RemoveCgroup
from labkit.cgroups.places import ROOT
from labkit.learn import Check, Fault, Lesson, Predict, Quiz, limiting, seen
from labkit.learn.check import Predicate
from labkit.learn.needs import A_CONTAINER, EVERY_LESSON, Need
from labkit.learn.quizzes.nb07 import QUESTIONS
from labkit.learn.tenants import chain, clear, cpus, held, home, weight
from labkit.namespaces.files import Remove
from labkit.namespaces.processes import Kill, Reap
from labkit.namespaces.reading import ReadFile, text
from labkit.steps.fact import Limit
from labkit.steps.snapshot import Snapshot
from labkit.steps.trace import Taken

MIB = 2**20
_FREE = float("inf")


# predictions


def _times(taken: Taken) -> str:
    bakery, radio = map(int, text(taken.calls).split())
    offered = {"as much": 1.0, "twice as much": 2.0, "three times as much": 3.0, "a hundred times as much": 100.0}
    return min(offered, key=lambda word: max(radio / bakery / offered[word], offered[word] * bakery / radio))


def _killed(taken: Taken) -> str:
    dead = [who for who in ("till", "ads") if seen.life(taken.after, who) != "runs"]
    return {1: f"the {dead[0]}" if dead else "", 2: "both", 0: "nobody"}[len(dead)]


PREDICTIONS = (
    Predict(
        id="nb07/shares",
        before=ReadFile,
        ask="Weights of 100 and 300, one CPU, both want all of it. How much does the radio get, beside the bakery?",
        choices=("as much", "twice as much", "three times as much", "a hundred times as much"),
        answer=_times,
        why="A weight is a share of what those get together who want to run at this moment.",
    ),
    Predict(
        id="nb07/victim",
        before=Reap,
        ask="The till keeps 24 MiB and asks for nothing. The ads grow until the room of 48 MiB is full. Who is killed?",
        choices=("the ads", "the till", "both", "nobody"),
        answer=_killed,
        why="The kernel kills who is largest, not who asked for the last page: that frees the most.",
    ),
    Predict(
        id="nb07/cold-kill",
        before=Kill,
        ask="The radio is frozen, and SIGTERM has done nothing. Now SIGKILL. Is the radio still there afterwards?",
        answer=lambda taken: seen.life(taken.after, "radio") == "runs",
        why="The freezer of version 2 lets a process out for one purpose, to die.",
    ),
)

# exercise 1: a radio at ease


def _two(facts: Snapshot) -> bool:
    return bool(seen.life(facts, "bakery") and seen.life(facts, "radio"))


def _meet(facts: Snapshot) -> bool:
    """Whether both have to share a CPU: only there does a weight count."""
    return cpus(facts, "bakery") == cpus(facts, "radio") != ""


def _heavier(facts: Snapshot) -> bool:
    return weight(facts, "radio") >= 3 * weight(facts, "bakery")


def _slow(facts: Snapshot, who: str) -> bool:
    return held(facts, who, "cpu.max") <= 0.25


def _at_ease(way: Predicate) -> Predicate:
    return lambda facts: _two(facts) and held(facts, "radio", "cpu.max") == _FREE and way(facts)


AT_EASE = Check(
    id="nb07/at-ease",
    task="Bakery and radio both compute on CPU 0. The radio is to get at least three times what the bakery gets.",
    accept=[
        ("by weight: the bakery gets more when the radio is silent", _at_ease(lambda f: _meet(f) and _heavier(f))),
        ("by quota: a quarter of the CPU, even when nobody else wants it", _at_ease(lambda f: _slow(f, "bakery"))),
    ],
    hints=[
        (lambda facts: not _two(facts), "both must be there: lab.run(…, name='bakery'), lab.run(…, name='radio')"),
        (
            lambda facts: held(facts, "radio", "cpu.max") != _FREE,
            "the radio has a quota now: it gets less, not more, and stutters even when it is alone",
        ),
        (
            lambda facts: weight(facts, "bakery") >= 3 * weight(facts, "radio"),
            "the weights are there, the other way round",
        ),
        (
            lambda facts: held(facts, "bakery", "cpu.max") != _FREE,
            "the bakery has a quota; of one CPU it leaves less than three quarters to the radio",
        ),
        (
            lambda facts: _heavier(facts),
            "the weights are right, and count only where both want the same CPU: cpus='0' for both",
        ),
        (
            lambda facts: weight(facts, "radio") > weight(facts, "bakery"),
            "the radio is heavier, and not yet three times as heavy",
        ),
    ],
    otherwise="both are there, and nothing tells them apart: bakery.limits(…) or radio.limits(…)",
    probes=("processes", "cgroup"),
    second_hint="a new cgroup has weight 100: radio.limits(cpu_weight=300). Or hold the bakery to a quarter: "
    "bakery.limits(cpu=0.25). Which one wastes nothing?",
    model="""
from labkit.cgroups import Limits
from labkit.learn.measuring import BUSY

lab.reset()
one = Limits(cpus="0")
bakery, radio = [lab.run("busybox", BUSY, name=name, detach=True, limits=one) for name in ("bakery", "radio")]
radio.limits(cpu_weight=300)
""",
)

# exercise 2: a room for pupils


def _few(facts: Snapshot) -> bool:
    return held(facts, "pupil", "pids.max") <= 20


def _small(facts: Snapshot) -> bool:
    return held(facts, "pupil", "memory.max") <= 32 * MIB


def _others(facts: Snapshot) -> bool:
    """Whether somebody else is held as well."""
    rest = [who for who in seen.guests(facts) if who != "pupil"]
    return any(held(facts, who, file) != _FREE for who in rest for file in ("pids.max", "memory.max"))


def _roomed(*, own: bool) -> Predicate:
    def right(facts: Snapshot) -> bool:
        nearest = all(_own(facts, file) for file in ("pids.max", "memory.max"))
        return _few(facts) and _small(facts) and not _others(facts) and nearest == own

    return right


def _own(facts: Snapshot, file: str) -> bool:
    """Whether the limit is one of the pupil's own cgroup, and not of one above."""
    limits = chain(facts, "pupil", file)
    return bool(limits) and limits[0][0] == home(facts, "pupil")


PUPILS = Check(
    id="nb07/pupils",
    task="A process called pupil, which can have at most 20 processes and 32 MiB together with all that it starts. "
    "Nobody else is limited.",
    accept=[
        ("limits of its own cgroup", _roomed(own=True)),
        ("limits of a cgroup above: the whole class shares them", _roomed(own=False)),
    ],
    hints=[
        (lambda facts: not seen.life(facts, "pupil"), "there is no process called pupil: tenant(lab, 'pupil', …)"),
        (_others, "somebody else is held to a limit, too: whose cgroup are they in?"),
        (
            lambda facts: not _few(facts) and not _small(facts) and bool(facts.of_type(Limit)),
            "limits are set, but not where the pupil is, nor above: print(lab.snapshot('cgroup'))",
        ),
        (lambda facts: not _few(facts) and not _small(facts), "the pupil is there, and nothing holds it"),
        (lambda facts: not _few(facts), "its memory is limited; a fork bomb needs hardly any: how many processes?"),
        (lambda facts: not _small(facts), "few processes it may have, and each may still take all the memory there is"),
    ],
    probes=("processes", "cgroup"),
    second_hint="the third argument of tenants.tenant is its limits: Limits(pids=20, memory='32M')",
    model="""
from labkit.cgroups import Limits
from labkit.learn import tenants

lab.reset()
lab.take_all(tenants.tenant(lab, "pupil", Limits(pids=20, memory="32M")))
""",
)

# the faults


def _memory(facts: Snapshot, who: str) -> float:
    return held(facts, who, "memory.max")


ONE_TOO_HIGH = Fault(
    id="nb07/wrong-node",
    symptom="The landlord has limited the bakery to 64 MiB. Now the radio's program is killed whenever it needs 40, "
    "although nobody has limited the radio.",
    breaks=limiting.one_too_high,
    clears=lambda lab: clear(lab, "house/bakery", "house/radio", "house"),
    mends="""
from labkit.learn import tenants

lab.take_all(tenants.limit(lab, "house", memory=None))
lab.take_all(tenants.limit(lab, "house/bakery", memory="64M"))
""",
    repaired=lambda facts: _memory(facts, "radio") == _FREE and _memory(facts, "bakery") < _FREE,
    tools=["print(lab.snapshot('cgroup'))", "cgroup_tree(lab)"],
    hint="a cgroup is held to its own limits and to those of all above it. Who is below the one that has the limit?",
    hints=[
        (lambda facts: _memory(facts, "radio") == _FREE, "the radio is free; and the bakery, which was to be limited?"),
        (
            lambda facts: len(chain(facts, "bakery", "memory.max")) > 1,
            "the bakery has a limit of its own now; the one above it still counts, for the radio, too",
        ),
    ],
    second_hint="the limit is on house, where both live: take it away there, tenants.limit(lab, 'house', "
    "memory=None), and set it on house/bakery",
    why="the bakery alone is held to it",
    probes=("processes", "cgroup"),
)

NOT_HANDED_DOWN = Fault(
    id="nb07/no-such-file",
    symptom="The bakery lives in the cgroup house/bakery. limit(lab, 'house/bakery', memory='32M') is answered with "
    "ENOENT, although the cgroup is there and the landlord is root.",
    breaks=limiting.not_handed_down,
    clears=lambda lab: clear(lab, "house/bakery", "house"),
    mends="""
from labkit.cgroups import Limits
from labkit.cgroups.change import EnterCgroup, HandDown
from labkit.cgroups.make import MakeCgroup
from labkit.learn import tenants

trees = tenants.needed(lab, Limits(memory="32M")).trees
if trees:  # version 1: memory has a tree of its own
    room = f"/run/cgroup1/{trees[0]}/house/bakery"
    lab.take_all([MakeCgroup(path=room), EnterCgroup(who="bakery", path=room)])
else:
    lab.take(HandDown(path="/sys/fs/cgroup/house", controllers=("memory",)))
lab.take_all(tenants.limit(lab, "house/bakery", memory="32M"))
""",
    repaired=lambda facts: _memory(facts, "bakery") <= 32 * MIB,
    tools=["print(lab.snapshot('cgroup'))", "cgroup_tree(lab)"],
    hint="a cgroup has the files of those controllers that its parent hands down (version 2), or that have it in their "
    "own tree (version 1). Look at house, not at the bakery",
    hints=[
        (lambda facts: not seen.life(facts, "bakery"), "the bakery is gone, and was to be limited, not evicted"),
        (
            lambda facts: [*dict(chain(facts, "bakery", "memory.max"))][:1] == ["/house/bakery"],
            "it is limited, to more than the 32 MiB that were asked for",
        ),
    ],
    second_hint="version 2: HandDown(path='/sys/fs/cgroup/house', controllers=('memory',)) lets memory reach what is "
    "below house. Version 1: make house/bakery in the tree of memory, too, and let the bakery enter it. "
    "Then limit house/bakery",
    why="the controller reaches the bakery, and the limit holds it",
    probes=("processes", "cgroup"),
)

COLD = Fault(
    id="nb07/will-not-die",
    symptom="The radio was told to end (SIGTERM), long ago. It is no zombie, it is not stopped, it uses no CPU, and "
    "it is still there.",
    breaks=limiting.cold(killed=False).steps,
    clears=[RemoveCgroup(path=f"{ROOT}/radio"), Kill(target="landlord"), Remove(path=limiting.ON_AIR)],
    mends="""
from labkit.namespaces.processes import Kill

lab.take(Kill(target="radio"))
""",
    repaired=lambda facts: not seen.life(facts, "radio"),
    tools=["process_tree(lab)", "print(lab.snapshot('cgroup'))"],
    hint="a signal is heard when a process runs. What keeps it from running? The cgroup's files say it",
    hints=[
        (
            lambda facts: not seen.one(facts, Limit, path="/radio", file="cgroup.freeze"),
            "it runs again, and should be gone in a moment: check once more",
        ),
    ],
    second_hint="its cgroup is frozen. Either thaw it, Freeze(path='/sys/fs/cgroup/radio', frozen=False), or send "
    "what a frozen process obeys all the same: Kill(target='radio')",
    why="it has ended",
    probes=("processes", "cgroup"),
)

ONE_ROOM = Fault(
    id="nb07/wrong-victim",
    symptom="The bakery's till, which never asks for more, is killed for memory again and again. It happens whenever "
    "the ads are busy.",
    breaks=limiting.in_one_room,
    clears=lambda lab: clear(lab, "ads", "bakery"),
    mends="""
from labkit.cgroups import Limits
from labkit.learn import tenants

small = Limits(memory="16M", swap=0)
lab.take_all(tenants.place(lab, "ads", small))
lab.take_all(tenants.enter(lab, "ads", "ads", small))
""",
    repaired=lambda facts: (
        chain(facts, "ads", "memory.max")[:1] != chain(facts, "till", "memory.max")[:1]
        and bool(seen.life(facts, "till") and seen.life(facts, "ads"))
        and _memory(facts, "till") <= 48 * MIB
    ),
    tools=["print(lab.snapshot('cgroup'))", "cgroup_tree(lab)"],
    hint="who grows and who is killed are not the same. What do the two have in common, and who chooses the victim?",
    hints=[
        (
            lambda facts: not seen.life(facts, "till") or not seen.life(facts, "ads"),
            "one of them is gone; the landlord wants both to work",
        ),
        (
            lambda facts: _memory(facts, "till") > 48 * MIB,
            "a larger room is full later, and then the same one dies",
        ),
    ],
    second_hint="both are in the cgroup bakery, and the kernel takes the largest. Give the ads a cgroup of their own "
    "beside it, with a limit: tenants.place(lab, 'ads', …), tenants.enter(lab, 'ads', 'ads', …)",
    why="what the ads take, they take from themselves",
    probes=("processes", "cgroup"),
)


LESSON = Lesson(
    "nb07",
    "Cgroups: limiting",
    predictions=PREDICTIONS,
    checks=(AT_EASE, PUPILS),
    faults=(ONE_TOO_HIGH, NOT_HANDED_DOWN, COLD, ONE_ROOM),
    quiz=Quiz.of("nb07", own=QUESTIONS, recall=("nb06/grandchild", "nb06/stopped")),
    needs=(
        *EVERY_LESSON, *A_CONTAINER, Need.CGROUP, Need.CPU, Need.CPUSET, Need.MEMORY, Need.IO, Need.PIDS, Need.PYTHON,
    ),
)  # fmt: skip
