"""Lesson 06, cgroups: metering."""

from __future__ import annotations

from labkit.cgroups.change import EnterCgroup
from labkit.cgroups.make import MakeCgroup, RemoveCgroup
from labkit.errors import StepError, errno_name
from labkit.learn import Check, Fault, Lesson, Predict, Quiz, seen
from labkit.learn.accounts import clear, hide, inside, memory_counted, place
from labkit.learn.billing import BAKERY, RADIO
from labkit.learn.judging import LabLike
from labkit.learn.needs import A_CONTAINER, COUNTING, EVERY_LESSON
from labkit.learn.quizzes.nb06 import QUESTIONS
from labkit.namespaces.processes import Kill
from labkit.namespaces.spawn import Spawn
from labkit.steps import fact
from labkit.steps.snapshot import Snapshot
from labkit.steps.trace import Taken

# predictions


def _moved(taken: Taken) -> str:
    names = {frozenset({"bakery"}): "the bakery", frozenset({"bakery", "oven"}): "the bakery and the oven"}
    return names.get(frozenset(inside(taken.after, "/radio")), "nobody: that needs the radio's consent")


def _closed(taken: Taken) -> str:
    if isinstance(taken.error, StepError):
        return f"no: {errno_name(taken.error.errno)}"
    return "yes: who made it has left" if seen.life(taken.after, "oven") else "yes, and the oven is killed"


PREDICTIONS = (
    Predict(
        id="nb06/child",
        before=lambda step: isinstance(step, Spawn) and step.child == "oven",
        ask="The bakery forks. In which cgroup is its child, the oven, born?",
        choices=("/host", "/bakery", "in none"),
        answer=lambda taken: place(taken.after, "oven") or "in none",
        why="A child is born where its parent is; nobody has to know whatever a tenant will start.",
    ),
    Predict(
        id="nb06/moved",
        before=EnterCgroup,
        ask="By mistake the bakery's first process moves to the cgroup of the radio. Who is in /radio then?",
        choices=("the bakery", "the bakery and the oven", "nobody: that needs the radio's consent"),
        answer=_moved,
        why="A process moves alone: children that were born before stay where they are, and what was counted, too.",
    ),
    Predict(
        id="nb06/closed",
        before=RemoveCgroup,
        ask="The bakery itself is no longer in /bakery. May the cgroup be removed?",
        choices=("yes: who made it has left", "no: EBUSY", "yes, and the oven is killed"),
        answer=_closed,
        why="The oven is still in there. A cgroup goes when the last process has left it or died.",
    ),
)

# exercise 1: three accounts

_TENANTS = ("bakery", "radio", "school")


def _accounts(facts: Snapshot) -> list[str]:
    return [place(facts, name) for name in _TENANTS]


def _separate(facts: Snapshot) -> bool:
    places = _accounts(facts)
    nested = any(one.startswith(f"{other}/") for one in places for other in places)
    return len({*places}) == len(_TENANTS) and not nested and not {"", "/", "/host"} & {*places}


def _flat(facts: Snapshot) -> bool:
    return all(path.count("/") == 1 for path in _accounts(facts))


ACCOUNTS = Check(
    id="nb06/accounts",
    task="Bakery, radio and school, each a process in a cgroup of its own, so that none is counted with another.",
    accept=[
        ("three beside each other", lambda facts: _separate(facts) and _flat(facts)),
        ("below a cgroup that has the sum of them", lambda facts: _separate(facts) and not _flat(facts)),
    ],
    hints=[
        (lambda facts: not any(_accounts(facts)), "no tenant is there: lab.take(Spawn(child='bakery', cgroup=…))"),
        (lambda facts: not all(_accounts(facts)), "not all three are there, by the names bakery, radio and school"),
        (
            lambda facts: len({*_accounts(facts)} - {"/host"}) == 0,
            "all three are in /host, with the lab's own processes: where a process is born, its parent was",
        ),
        (
            lambda facts: "/host" in _accounts(facts),
            "somebody is in a cgroup, and somebody still in /host: made is not yet entered",
        ),
        (
            lambda facts: len({*_accounts(facts)}) < 3,
            "two of them are in one cgroup: on which of the two bills do they go?",
        ),
    ],
    otherwise="one cgroup lies within another: the sum above has what is counted below, too",
    probes=("processes", "cgroup"),
    second_hint="the school has no cgroup yet. MakeCgroup(path='/sys/fs/cgroup/school') makes one, "
    "EnterCgroup(who='school', path=…) moves it in",
    model="""
from labkit.cgroups.make import MakeCgroup
from labkit.namespaces.spawn import Spawn

lab.reset()
for name in ("bakery", "radio", "school"):
    path = f"/sys/fs/cgroup/{name}"
    lab.take_all([MakeCgroup(path=path), Spawn(child=name, cgroup=path)])
""",
)

# exercise 2: the oven's own account


def _oven(facts: Snapshot) -> str:
    return place(facts, "oven")


def _billed(facts: Snapshot) -> bool:
    return seen.life(facts, "bakery") == "runs" == seen.life(facts, "oven") and _oven(facts).startswith("/bakery/")


OVEN = Check(
    id="nb06/oven",
    task="The oven, a child of the bakery, gets a meter of its own, and what it uses stays on the bakery's bill.",
    accept=[
        (
            "shop and oven side by side below the bakery's cgroup, which is the sum",
            lambda f: _billed(f) and place(f, "bakery").startswith("/bakery/") and place(f, "bakery") != _oven(f),
        ),
        (
            "the oven below, the bakery above: as long as no controller is to be handed down there",
            lambda f: _billed(f) and place(f, "bakery") == "/bakery",
        ),
    ],
    hints=[
        (
            lambda f: not seen.life(f, "oven") or not seen.life(f, "bakery"),
            "there must be two processes: Spawn(child='bakery', …), and then Spawn(who='bakery', child='oven', …)",
        ),
        (lambda f: _oven(f) == "/host", "the oven is in /host, on nobody's bill"),
        (
            lambda f: _oven(f) == place(f, "bakery"),
            "bakery and oven are in one cgroup: a single meter, which cannot tell them apart",
        ),
        (
            lambda f: not _oven(f).startswith("/bakery"),
            "the oven has a meter of its own, and the bakery's does not see it: what is counted below /bakery?",
        ),
    ],
    otherwise="the bakery is not on its own bill: which cgroup has /bakery at the beginning of its path?",
    probes=("processes", "cgroup"),
    second_hint="three cgroups: BAKERY, which is the sum, and below it one for the shop and one for the oven; each "
    "process is started with cgroup= its own",
    model="""
from labkit.cgroups.make import MakeCgroup
from labkit.learn.billing import BAKERY
from labkit.namespaces.spawn import Spawn

lab.reset()
shop, oven = f"{BAKERY}/shop", f"{BAKERY}/oven"
lab.take_all([MakeCgroup(path=path) for path in (BAKERY, shop, oven)])
lab.take_all([Spawn(child="bakery", cgroup=shop), Spawn(who="bakery", child="oven", cgroup=oven)])
""",
)

# fault 1: a controller that was not handed down (version 2), or whose tree was not entered (version 1)

UNCOUNTED = Fault(
    id="nb06/no-memory",
    symptom="The radio's bill says nothing about memory: not 0, nothing at all. Its CPU time is counted.",
    breaks=lambda lab: hide(lab, "radio"),
    mends="""
from labkit.cgroups import Limits
from labkit.cgroups.change import EnterCgroup, HandDown
from labkit.learn import tenants

trees = tenants.needed(lab, Limits(memory="32M")).trees
if trees:  # version 1: memory has a tree of its own
    lab.take(EnterCgroup(who="radio", path=f"/run/cgroup1/{trees[0]}/radio"))
else:
    lab.take(HandDown(path="/sys/fs/cgroup", controllers=("memory",)))
""",
    clears=lambda lab: clear(lab, "radio"),
    repaired=lambda f: (
        memory_counted(f, "radio") or not (seen.life(f, "radio") or seen.one(f, fact.Cgroup, path="/radio"))
    ),
    tools=["print(used(lab, 'radio'))", "cgroup_tree(lab)"],
    hints=[
        (
            lambda f: not seen.life(f, "radio"),
            "the radio is silent now: it uses nothing, and nobody counts that either",
        ),
        (lambda f: place(f, "radio") != "/radio", "the radio has left its cgroup; now nothing is counted for it"),
    ],
    hint="memory has a controller. Version 2: does the cgroup above hand it down? Version 1: is the radio in its tree?",
    second_hint="version 2: HandDown(path='/sys/fs/cgroup', controllers=('memory',)) gives the controller to "
    "all cgroups below. Version 1: the directory is there, and EnterCgroup(who='radio', "
    "path='/run/cgroup1/memory/radio') goes in",
    why="the radio's memory is counted",
    probes=("processes", "cgroup"),
)

# fault 2: somebody else pays

_SILENT = "the radio is off the air: that was not asked for; the mixer is to work, and the radio to pay for it"


def _mixer_on_air(facts: Snapshot) -> bool:
    return seen.life(facts, "mixer") == "runs" and seen.life(facts, "radio") == "runs"


WRONG_BILL = Fault(
    id="nb06/wrong-bill",
    symptom="The bakery has a single process, and sees it on its bill. And yet it is billed for two.",
    breaks=[
        MakeCgroup(path=BAKERY),
        MakeCgroup(path=RADIO),
        Spawn(child="bakery", cgroup=BAKERY),
        Spawn(child="radio", cgroup=RADIO),
        Spawn(who="radio", child="mixer", cgroup=BAKERY),
    ],
    mends="""
from labkit.cgroups.change import EnterCgroup
from labkit.learn.billing import RADIO

lab.take(EnterCgroup(who="mixer", path=RADIO))
""",
    clears=lambda lab: _move_out(lab),
    repaired=lambda f: (
        (place(f, "mixer") == "/radio" and _mixer_on_air(f))
        or not any((*seen.guests(f), seen.one(f, fact.Cgroup, path="/bakery")))
    ),
    tools=["print(lab.snapshot('cgroup'))", "cgroup_tree(lab)"],
    hints=[
        (lambda f: not seen.life(f, "bakery"), "the bakery is gone; it was not at fault, and is it still billed?"),
        (lambda f: not _mixer_on_air(f), _SILENT),
        (lambda f: place(f, "mixer") == "/host", "now the landlord pays for the mixer; whose child is it?"),
    ],
    hint="a meter counts who is in the cgroup, whoever that belongs to. Who is in /bakery, and whose child is that?",
    second_hint="the mixer is the radio's child and sits in /bakery. EnterCgroup(who='mixer', path=…) moves it to "
    "where its parent is",
    why="each pays for what is its own",
    probes=("processes", "cgroup"),
)


def _move_out(lab: LabLike) -> None:
    lab.take_all([Kill(who="radio", target="mixer"), Kill(target="radio"), Kill(target="bakery")])
    lab.snapshot()  # looks until the dying have gone
    lab.take_all([RemoveCgroup(path=BAKERY), RemoveCgroup(path=RADIO)])


LESSON = Lesson(
    "nb06",
    "Cgroups: metering",
    predictions=PREDICTIONS,
    checks=(ACCOUNTS, OVEN),
    faults=(UNCOUNTED, WRONG_BILL),
    quiz=Quiz.of("nb06", own=QUESTIONS, recall=("nb03/kill-one", "nb05/links-up")),
    needs=(*EVERY_LESSON, *A_CONTAINER, *COUNTING),
)
