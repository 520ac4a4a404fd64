"""Lesson 02, a container in fifteen steps."""

from __future__ import annotations

from collections.abc import Iterable

from labkit.cgroups.make import MakeCgroup, RemoveCgroup
from labkit.container import spec
from labkit.learn import Check, Fault, Lesson, Predict, Quiz, seen
from labkit.learn.beside import IMAGE
from labkit.learn.judging import LabLike
from labkit.learn.needs import A_CONTAINER, EVERY_LESSON, Need
from labkit.learn.quizzes.nb02 import QUESTIONS
from labkit.linux.constants import CAP_SYS_ADMIN
from labkit.namespaces.privileges import DropCapabilities
from labkit.namespaces.processes import Exec, Kill
from labkit.namespaces.roots import PivotRoot
from labkit.namespaces.spawn import Spawn
from labkit.steps import fact
from labkit.steps.snapshot import Snapshot
from labkit.steps.trace import Taken

# predictions


def _own_mounts(taken: Taken) -> str:
    mine, theirs = len(seen.mounts(taken.after, "bakery")), len(seen.mounts(taken.after))
    return "the server's whole tree" if mine == theirs else "nothing" if not mine else "only /proc"


def _reaches_old(taken: Taken) -> bool:
    return any(mount.mountpoint.startswith("/old") for mount in seen.mounts(taken.after, "bakery"))


PREDICTIONS = (
    Predict(
        id="nb02/new-tree",
        before=Spawn,
        ask="The bakery is born into a new mount namespace, among others. What is mounted in it then?",
        choices=("nothing", "only /proc", "the server's whole tree"),
        answer=_own_mounts,
        why="A mount namespace begins as a copy. Not before step 10 is nothing of the server left in it.",
    ),
    Predict(
        id="nb02/old-root",
        before=PivotRoot,
        ask="The busybox tree becomes the bakery's /. Can it still reach the server's files after this step?",
        answer=_reaches_old,
        why="pivot_root puts the old root somewhere, here at /old. Only when that is detached does no path lead there.",
    ),
    Predict(
        id="nb02/still-root",
        before=DropCapabilities,
        ask="The bakery's root keeps 13 of root's 41 rights. Is the right to mount (CAP_SYS_ADMIN) among them?",
        answer=lambda taken: seen.can(taken.after, "bakery", CAP_SYS_ADMIN),
        hide=("calls", "shell"),  # they list the rights that go
        why="With it the bakery could undo most of the steps before: mount, unmount, rename, enter namespaces.",
    ),
    Predict(
        id="nb02/program",
        before=Exec,
        ask="The process now becomes the bakery's program. Which pid will that program see as its own?",
        choices=("1", "2", "3", "16"),
        answer=lambda taken: seen.own_pid(taken.after, "bakery"),
        why="exec replaces the program and keeps the process: its pid, its namespaces, its root, its few rights.",
    ),
)

# exercise 1: a container with a name of its own

_WALLS = ("mnt", "pid", "uts", "ipc", "net")


def _lacking(facts: Snapshot, who: str, kinds: Iterable[str] = _WALLS) -> list[str]:
    return [kind for kind in kinds if not seen.apart(facts, who, kind)]


def _at_root(facts: Snapshot, who: str) -> fact.Mount | None:
    """What is mounted at the / of `who`, uppermost."""
    found = [mount for mount in seen.mounts(facts, who) if mount.mountpoint == "/"]
    return found[-1] if found and seen.root(facts, who) == "/" else None


def _from_image(facts: Snapshot, who: str) -> bool:
    mount = _at_root(facts, who)
    return mount is not None and IMAGE in mount.super_options


def _rid_of_server(facts: Snapshot, who: str) -> bool:
    return _from_image(facts, who) and not any(m.mountpoint.startswith("/old") for m in seen.mounts(facts, who))


def _on_air(facts: Snapshot) -> bool:
    named = seen.hostname(facts, "radio") == "on-air" != seen.hostname(facts)
    return named and not _lacking(facts, "radio") and _rid_of_server(facts, "radio")


ON_AIR = Check(
    id="nb02/on-air",
    task="A container called radio, from the image busybox, whose machine is called on-air.",
    accept=[
        ("built by a plan, and the program has not moved in", lambda f: _on_air(f) and _program(f, "radio") == ""),
        ("the program runs in it", lambda facts: _on_air(facts) and _program(facts, "radio") != ""),
    ],
    hints=[
        (lambda facts: seen.hostname(facts) == "on-air", "the server itself is called on-air now"),
        (
            lambda facts: bool(seen.guests(facts)) and not seen.life(facts, "radio"),
            "there is a process, and it is not called radio: name= says what the container is called, hostname= what "
            "it calls its machine",
        ),
        (
            lambda facts: not seen.life(facts, "radio"),
            "nothing runs: a plan is paper until a walk takes it, and a program that ends takes its container along",
        ),
        (
            lambda facts: bool(_lacking(facts, "radio")),
            "radio still shares namespaces with the server that a container has of its own; look at namespace_map(lab)",
        ),
        (
            lambda facts: not _rid_of_server(facts, "radio"),
            "radio's / is not the image alone: which steps make it so, and was one left out?",
        ),
        (
            lambda facts: seen.hostname(facts, "radio") == "radio",
            "the container is called radio, and so is its machine, because nothing else was said: hostname=…",
        ),
    ],
    otherwise="the container stands; only its machine has another name",
    probes=("processes", "namespaces", "mounts", "uts", "root"),
    second_hint="two things are to change in the plan: a program that does not end at once, ['sleep', '1000'], and "
    "hostname='on-air' beside name='radio'",
    model="""
lab.reset()
radio = lab.plans.container("busybox", ["sleep", "1000"], name="radio", hostname="on-air")
lab.walk(radio).run()
""",
)


def _program(facts: Snapshot, who: str) -> str:
    """What `who` runs, once it is a program of its own."""
    process = seen.one(facts, fact.Process, name=who)
    return process.comm if process and not process.comm.startswith("labkit:") else ""


# exercise 2: as few steps as possible


def _smallest(facts: Snapshot) -> bool:
    return not _lacking(facts, "school", ("mnt", "pid")) and _rid_of_server(facts, "school") and _own_proc(facts)


def _own_proc(facts: Snapshot) -> bool:
    return any(m.mountpoint == "/proc" and m.type == "proc" for m in seen.mounts(facts, "school"))


def _small(kinds: Iterable[str]) -> bool:
    return len(tuple(kinds)) >= len(_WALLS) - 2


SCHOOL = Check(
    id="nb02/smallest",
    task="The school has little money. A process called school that has a tree of files of its own (the image busybox, "
    "nothing of the server) and a list of processes of its own, with a /proc that shows it. No walls are asked for "
    "besides.",
    accept=[
        ("two walls and no more", lambda facts: _smallest(facts) and _small(_lacking(facts, "school"))),
        ("more walls than asked for", lambda facts: _smallest(facts) and not _small(_lacking(facts, "school"))),
    ],
    hints=[
        (lambda facts: not seen.life(facts, "school"), "no process is called school: Spawn(child='school', …)"),
        (
            lambda facts: not seen.apart(facts, "school", "mnt"),
            "school shares the server's mounts: pivot_root there would move everybody's root",
        ),
        (
            lambda facts: not seen.apart(facts, "school", "pid"),
            "school is in the server's list of processes; nobody ever changes lists, so it must be born into another",
        ),
        (
            lambda facts: not _from_image(facts, "school"),
            "school's / is still the server's; which two steps of the plan lay the image and make it the root?",
        ),
        (
            lambda facts: not _own_proc(facts),
            "the tree is the image, and its /proc is empty; who mounts it decides which processes it shows",
        ),
        (
            lambda facts: not _rid_of_server(facts, "school"),
            "all is there, and something too much: the server's files, at /old",
        ),
    ],
    probes=("processes", "namespaces", "mounts", "root"),
    second_hint="nobody has to write the steps out: lab.plans.container(…, name='school', namespaces=(…)) makes a "
    "plan with these walls only. Which two kinds are a tree of files and a list of processes?",
    model="""
lab.reset()
school = lab.plans.container("busybox", ["sleep", "1000"], name="school", namespaces=("mnt", "pid"))
lab.walk(school).run()
""",
)

# the fault: what the kernel does not clear away by itself

_CGROUP = f"{spec.CGROUPS}/bakery"


def _clear(lab: LabLike) -> None:
    lab.take(Kill(target="oven"))
    lab.snapshot()  # looks until the dying have gone: kill(2) returns before, and the cgroup would be busy
    lab.take(RemoveCgroup(path=_CGROUP))


LEFTOVER = Fault(
    id="nb02/moved-out",
    symptom="The bakery has moved out: there is no process of that name and no namespace. It wants to come back, and "
    "step 1 of its plan fails: File exists.",
    breaks=[MakeCgroup(path=_CGROUP), Spawn(child="oven", cgroup=_CGROUP)],
    mends="""
from labkit.cgroups.make import RemoveCgroup
from labkit.namespaces.processes import Kill

lab.take(Kill(target="oven"))
lab.snapshot()  # looks until the dying have gone: kill(2) returns before, and the cgroup would be busy
lab.take(RemoveCgroup(path="/sys/fs/cgroup/bakery"))
""",
    repaired=lambda facts: seen.one(facts, fact.Cgroup, path="/bakery") is None,
    tools=["print(lab.snapshot('cgroup'))", "process_tree(lab)"],
    hints=[
        (
            lambda facts: not seen.life(facts, "oven"),
            "the cgroup is empty now, and it is still there: nothing refers to it, and yet the kernel keeps it",
        ),
    ],
    hint="what does step 1 make? It is there already, and the kernel will not let it go while somebody is in it",
    second_hint="a process called oven is still in the cgroup bakery: first Kill(target='oven'), then "
    "RemoveCgroup(path='/sys/fs/cgroup/bakery')",
    why="the cgroup is gone, and with it the name is free",
    probes=("processes", "cgroup"),
)


LESSON = Lesson(
    "nb02",
    "A container in fifteen steps",
    predictions=PREDICTIONS,
    checks=(ON_AIR, SCHOOL),
    faults=(LEFTOVER,),
    quiz=Quiz.of("nb02", own=QUESTIONS, recall=("nb01/plain-fork", "nb01/same-port")),
    needs=(*EVERY_LESSON, *A_CONTAINER, Need.CGROUP, Need.PYTHON),
)
