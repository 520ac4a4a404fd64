"""The questions of lesson 02, a container in fifteen steps."""

from __future__ import annotations

from labkit.errors import StepError
from labkit.learn import Question, seen
from labkit.learn.asking import Renewable
from labkit.learn.building import box, build
from labkit.linux.nsfs import KINDS
from labkit.namespaces.mounts import MakePrivate
from labkit.namespaces.processes import Kill
from labkit.namespaces.spawn import Spawn, Unshare
from labkit.overlay.mount import MountOverlay
from labkit.steps import fact
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Snapshot


def _built(lab: Renewable, plan: Plan, *look: str) -> Snapshot:
    lab.reset()
    build(lab, plan)
    return lab.snapshot(*look)


def _own_kinds(lab: Renewable) -> int:
    facts = _built(lab, box(lab, name="box").only_until(Unshare), "processes", "namespaces")
    return sum(seen.apart(facts, "box", kind) for kind in KINDS)


def _links_up(lab: Renewable) -> int:
    facts = _built(lab, box(lab, name="box").only_until(Spawn), "namespaces", "net")
    return len(seen.every(facts, fact.Link, ns=seen.namespace(facts, "box", "net"), up=True))


def _survives(lab: Renewable) -> str:
    _built(lab, box(lab, name="box").only_until(MountOverlay))
    lab.take(Kill(target="box"))
    facts = lab.snapshot("namespaces", "mounts", "files")
    layer = seen.one(facts, fact.File, path="/run/lab/box/upper")
    return "the directory of its layer" if layer and not seen.every(facts, fact.Mount, ns="mnt#2") else "its mounts"


def _without_private(lab: Renewable) -> str:
    try:
        _built(lab, box(lab, name="box").without(MakePrivate))
    except StepError as error:
        return error.call.partition("(")[0]
    return "none of them"


def _who_is_root(lab: Renewable) -> str:
    facts = _built(lab, box(lab, name="box"), "caps")
    host, inside = (seen.one(facts, fact.Credentials, process=who) for who in ("host", "box"))
    return "the machine's" if host and inside and host.uids == inside.uids else "uid 100000"


QUESTIONS = (
    Question(
        id="nb02/own-kinds",
        ask="A container that lab.run starts: how many of its eight namespaces are its own?",
        answer=_own_kinds,
        wrong=(1, 4, 8),
        why="mnt, pid, uts, ipc, net and cgroup; user and time only if asked for.",
    ),
    Question(
        id="nb02/links-up",
        ask="How many network interfaces can a container use right after it was born, before the step that sets lo up?",
        answer=_links_up,
        wrong=(1, 2, "all of the server's"),
        why="Its network namespace is new: it holds lo and nothing else, and lo is down.",
    ),
    Question(
        id="nb02/what-stays",
        ask="A container is killed. Which of these is still there until somebody removes it?",
        answer=_survives,
        wrong=("its namespaces", "its mounts", "nothing"),
        why="Namespaces and mounts end with whoever refers to them; a directory stays, and so does a cgroup.",
    ),
    Question(
        id="nb02/without-private",
        ask="make-rprivate is left out. Which call fails?",
        answer=_without_private,
        wrong=("clone3", "mount", "none of them"),
        why="pivot_root refuses to move a root whose mounts are shared: it would move for others, too.",
    ),
    Question(
        id="nb02/whose-root",
        ask="A container was built as in this lesson, and it is root inside. Whose root is that?",
        answer=_who_is_root,
        wrong=("uid 100000", "uid 65534", "its own, unknown to the server"),
        why="The same root, with fewer rights. Another number outside takes a user namespace: lesson 05.",
    ),
)
