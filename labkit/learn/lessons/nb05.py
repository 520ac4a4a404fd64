"""Lesson 05, namespaces III: user, and the rest."""

from __future__ import annotations

from labkit.learn import Check, Fault, Lesson, Predict, Quiz, seen
from labkit.learn.asking import Renewable
from labkit.learn.needs import A_CONTAINER, EVERY_LESSON, Need
from labkit.learn.quizzes.nb05 import QUESTIONS
from labkit.namespaces.dumpable import SetDumpable
from labkit.namespaces.files import MakeDirectory, Remove
from labkit.namespaces.names import SetHostname
from labkit.namespaces.reading import ReadFile, text
from labkit.namespaces.roots import ChangeDirectory
from labkit.namespaces.spawn import Spawn
from labkit.namespaces.users import BecomeUser, MapIds
from labkit.steps import fact
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

OURS = 200000


def bakery() -> list[Step]:
    """A process that is root in a user namespace of its own, and 100000 outside."""
    own = Spawn(child="bakery", namespaces=("user",))
    return [own, MapIds(child="bakery"), BecomeUser(who="bakery", uid=0, gid=0)]


def uptime(lab: Renewable, who: str) -> float:
    """How long the machine has been up, as `who` reads it in /proc/uptime, in seconds."""
    return float(text(lab.take(ReadFile(who=who, path="/proc/uptime"))).split()[0])


def clerk() -> list[Step]:
    """A process without any rights: uid 1000, as a login shell has it."""
    return [Spawn(child="clerk"), BecomeUser(who="clerk", uid=1000, gid=1000), SetDumpable(who="clerk")]


# predictions

PREDICTIONS = (
    Predict(
        id="nb05/who-outside",
        before=BecomeUser,
        ask="The bakery becomes uid 0 in its user namespace. Which uid does the lab host see then?",
        choices=("0", "100000", "65534"),
        answer=lambda taken: seen.uid(taken.after, "bakery"),
        why="Inside and outside are two names for one number; the map says 0 inside is 100000 outside.",
    ),
    Predict(
        id="nb05/rename",
        before=SetHostname,
        ask="The bakery has all capabilities there are. Will the kernel let it rename the machine?",
        answer=lambda taken: taken.error is None,
        why="Capabilities count in the process's own user namespace; the name belongs to one further out.",
    ),
    Predict(
        id="nb05/setgroups",
        before=MapIds,
        ask="The clerk maps nothing but his own uid and gid. Will the kernel accept both maps?",
        answer=lambda taken: taken.error is None,
        why="With a gid map he could drop groups that were meant to keep him out, so setgroups must be denied first.",
    ),
)

# exercise 1: another root


def _mapped_to(facts: Snapshot, who: str) -> int:
    """The uid outside that 0 inside stands for; -1 without a map."""
    return next((outside for inside, outside, _ in seen.id_map(facts, who) if inside == 0), -1)


def _other_root(facts: Snapshot, *, ids: int) -> bool:
    extents = seen.id_map(facts, "bakery")
    size = sum(count for *_, count in extents)
    right = _mapped_to(facts, "bakery") >= OURS and seen.uid(facts, "bakery") == _mapped_to(facts, "bakery")
    return seen.apart(facts, "bakery", "user") and right and (size > 1) == (ids > 1)


OTHER_ROOT = Check(
    id="nb05/other-root",
    task="The bakery is root in a user namespace of its own, and outside it is a uid from 200000 upwards.",
    accept=[
        ("one id is mapped, and no more", lambda facts: _other_root(facts, ids=1)),
        ("a range of ids, enough for a whole system", lambda facts: _other_root(facts, ids=2)),
    ],
    hints=[
        (lambda facts: not seen.life(facts, "bakery"), "there is no process called bakery: lab.take(Spawn(child=…))"),
        (
            lambda facts: not seen.apart(facts, "bakery", "user"),
            "the bakery is in the host's user namespace, where every number is itself",
        ),
        (
            lambda facts: not seen.id_map(facts, "bakery"),
            "no map has been written: everybody in there is nobody (65534)",
        ),
        (
            lambda facts: _mapped_to(facts, "bakery") == 0,
            "0 inside is 0 outside: the bakery's root is the machine's root, and the wall is none",
        ),
        (
            lambda facts: _mapped_to(facts, "bakery") < OURS,
            "the ids below 200000 belong to other tenants: what one of them writes the other could read",
        ),
        (
            lambda facts: seen.uid(facts, "bakery") == 0,
            "the map is right; but the process still has the machine's uid 0, which has no number inside. "
            "Which step takes on another identity?",
        ),
    ],
    probes=("processes", "namespaces", "users", "caps"),
    second_hint="a row of the map is (inside, outside, how many): ((0, 200000, 65536),) for uids and gids. After it "
    "the bakery still has to become uid 0: BecomeUser(who='bakery', uid=0, gid=0)",
    model="""
from labkit.namespaces.spawn import Spawn
from labkit.namespaces.users import BecomeUser, MapIds

lab.reset()
lab.take(Spawn(child="bakery", namespaces=("user",)))
lab.take(MapIds(child="bakery", uids=((0, 200000, 65536),), gids=((0, 200000, 65536),)))
lab.take(BecomeUser(who="bakery", uid=0, gid=0))
""",
)

# exercise 2: root without root


def _parent(facts: Snapshot, who: str) -> str:
    process = seen.one(facts, fact.Process, name=who)
    return process.parent if process else ""


def _rootless(facts: Snapshot) -> bool:
    named = seen.hostname(facts, "box") == "box" and seen.hostname(facts) == "lab"
    root = _mapped_to(facts, "box") == seen.uid(facts, "box") != 0
    return root and named and seen.uid(facts, _parent(facts, "box")) == 1000 and seen.apart(facts, "box", "uts")


def _more(facts: Snapshot) -> bool:
    return any(seen.apart(facts, "box", kind) for kind in ("mnt", "pid", "net", "ipc"))


ROOTLESS = Check(
    id="nb05/rootless",
    task="A process called box, started by a process of uid 1000. It is root in a user namespace of its own, and "
    "its machine is called box, while the lab host stays lab.",
    accept=[
        ("the two walls that are needed, and no more", lambda facts: _rootless(facts) and not _more(facts)),
        ("a box with more walls than these two", lambda facts: _rootless(facts) and _more(facts)),
    ],
    hints=[
        (
            lambda facts: not seen.life(facts, "box"),
            "there is no process called box; clerk() gives you one of uid 1000",
        ),
        (
            lambda facts: seen.uid(facts, _parent(facts, "box")) == 0,
            "box was started by root; who='clerk' starts it without any rights",
        ),
        (
            lambda facts: not seen.apart(facts, "box", "user"),
            "box has no user namespace of its own, so it may do no more than the clerk",
        ),
        (
            lambda facts: not seen.id_map(facts, "box"),
            "box is nobody still: its map is missing. The clerk may map one id, his own, and has to give something up",
        ),
        (
            lambda facts: not seen.apart(facts, "box", "uts"),
            "the name that box would set belongs to the host; it needs a uts namespace as well, made in the same call",
        ),
        (lambda facts: seen.hostname(facts, "box") != "box", "all is there but the name"),
    ],
    probes=("processes", "namespaces", "users", "caps", "uts"),
    second_hint="the clerk starts box with namespaces=('user', 'uts') and maps his own ids, ((0, 1000, 1),) twice, "
    "with deny_setgroups=True; then box sets its name",
    model="""
from labkit.learn.lessons.nb05 import clerk
from labkit.namespaces.names import SetHostname
from labkit.namespaces.spawn import Spawn
from labkit.namespaces.users import MapIds

lab.reset()
lab.take_all(clerk())
lab.take(Spawn(who="clerk", child="box", namespaces=("user", "uts")))
own = ((0, 1000, 1),)
lab.take(MapIds(who="clerk", child="box", uids=own, gids=own, deny_setgroups=True))
lab.take(SetHostname(who="box", name="box"))
""",
)

# the fault: a group that was forgotten


def _too_much(facts: Snapshot) -> bool:
    """Whether some process is not root and yet in root's group."""
    return any(c.uids[0] != 0 and 0 in (*c.groups, *c.gids) for c in facts.of_type(fact.Credentials) if c.uids)


FORGOTTEN = Fault(
    id="nb05/ledger",
    symptom="The clerk is uid 1000, gid 1000 and has no capability. /tmp/ledger belongs to root:root with mode 0750, "
    "and yet he stands in it.",
    breaks=[
        MakeDirectory(path="/tmp/ledger", mode=0o750),
        Spawn(child="clerk"),
        BecomeUser(who="clerk", uid=1000, gid=1000, groups=(0,)),
        ChangeDirectory(who="clerk", path="/tmp/ledger"),
    ],
    mends="""
from labkit.namespaces.processes import Kill

lab.take(Kill(target="clerk"))
""",
    clears=[Remove(path="/tmp/ledger", directory=True)],
    repaired=lambda facts: not _too_much(facts),
    tools=["print(lab.snapshot('caps'))", "print(lab.snapshot('root', 'files'))"],
    hint="a process has one uid, one gid, and a list of further groups. What is in his, and who may change it now?",
    hints=[
        (
            lambda facts: len(seen.guests(facts)) > 1,
            "there is another process now, and the old clerk is still there, with all that he has",
        ),
        (
            lambda facts: not seen.one(facts, fact.File, path="/tmp/ledger"),
            "the ledger is gone, but the clerk can still go wherever root's group may",
        ),
    ],
    second_hint="group 0 is still in his list of further groups, and only a privileged process may change that list. "
    "He is not: so this clerk has to go, Kill(target='clerk')",
    why="nobody without root's uid is in root's group",
    probes=("processes", "caps", "files"),
)


LESSON = Lesson(
    "nb05",
    "Namespaces III: user, and the rest",
    predictions=PREDICTIONS,
    checks=(OTHER_ROOT, ROOTLESS),
    faults=(FORGOTTEN,),
    quiz=Quiz.of("nb05", own=QUESTIONS, recall=("nb03/two-deep", "nb04/moved-by-chroot")),
    needs=(*EVERY_LESSON, *A_CONTAINER, Need.USER, Need.TIME, Need.ORDINARY_USER, Need.IDS, Need.ROOTLESS),
)
