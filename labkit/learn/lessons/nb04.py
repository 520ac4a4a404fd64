"""Lesson 04, namespaces II: mounts and roots."""

from __future__ import annotations

from labkit.learn import Check, Fault, Lesson, Predict, Quiz, seen
from labkit.learn.check import Predicate
from labkit.learn.needs import A_CONTAINER, EVERY_LESSON
from labkit.learn.quizzes.nb04 import QUESTIONS
from labkit.namespaces.files import MakeDirectory, Remove
from labkit.namespaces.mounts import MakePrivate, Mount
from labkit.namespaces.roots import ChangeDirectory, EscapeChroot
from labkit.overlay.mount import MountOverlay
from labkit.steps import fact
from labkit.steps.snapshot import Snapshot
from labkit.steps.trace import Taken

ROOT = "/run/lab/cell/root"


def layer(who: str) -> MountOverlay:
    """A root file system for `who`: a thin layer over the image busybox, at ``/run/lab/WHO/root``."""
    home = f"/run/lab/{who}"
    return MountOverlay(who=who, lower=("/run/lab/images/busybox",), directory=home, target=f"{home}/root")


# predictions


def _changed(taken: Taken) -> str:
    spaces = {getattr(change.fact, "ns", "") for change in taken.diff.only("mounts")}
    whose = {frozenset(): "nobody's", frozenset({"mnt#2"}): "the bakery's", frozenset({"mnt#1"}): "the lab host's"}
    return whose.get(frozenset(spaces), "both")


def _root(taken: Taken) -> str:
    return seen.root(taken.after, "bakery")


PREDICTIONS = (
    Predict(
        id="nb04/leak",
        before=Mount,
        ask="The bakery, in a mount namespace of its own, mounts a tmpfs on /srv. Does the lab host see it?",
        answer=lambda taken: seen.mounted(taken.after, "/srv") is not None,
        why="The new namespace began as a copy, and its mounts are in the same peer groups as the originals.",
    ),
    Predict(
        id="nb04/private",
        before=MakePrivate,
        ask="Whose mounts will be marked differently after this?",
        choices=("the bakery's", "the lab host's", "both"),
        answer=_changed,
        why="Propagation is a flag of each mount; only the bakery's copies leave the peer groups.",
    ),
    Predict(
        id="nb04/escape",
        before=EscapeChroot,
        ask="Four ordinary system calls later: where will the bakery's / be?",
        choices=("/run/lab/bakery/root", "/run/lab/bakery/root/out", "/"),
        answer=_root,
        why="The current directory was left outside the new root, and .. stops only at the root it meets.",
    ),
    Predict(
        id="nb04/no-way-out",
        before=ChangeDirectory,
        ask="The bakery has used the same trick again. Will it find the host's directory /run/lab/images?",
        answer=lambda taken: taken.error is None,
        why="The host's root is not mounted anywhere in this namespace any more; .. cannot lead to what is not there.",
    ),
)

# exercise 1: a mount that stays at home


def _spaces(facts: Snapshot) -> list[fact.Mount]:
    """Mounts on /srv in mount namespaces other than the lab host's."""
    return [m for m in facts.of_type(fact.Mount) if m.mountpoint == "/srv" and m.ns != "mnt#1"]


def _root_of(facts: Snapshot, ns: str) -> str:
    root = seen.mounted(facts, "/", ns)
    return root.propagation if root else ""


def _kept(word: str) -> Predicate:
    def right(facts: Snapshot) -> bool:
        mine = _spaces(facts)
        return bool(mine) and not seen.mounted(facts, "/srv") and all(word in _root_of(facts, m.ns) for m in mine)

    return right


AT_HOME = Check(
    id="nb04/at-home",
    task="A process sees a tmpfs on /srv, and the lab host does not.",
    accept=[
        ("private: no news in either direction", _kept("private")),
        ("slave: news from the host come in, none go out", _kept("slave")),
    ],
    hints=[
        (
            lambda facts: bool(seen.mounted(facts, "/srv")) and not _spaces(facts),
            "the tmpfs is on the lab host only: who mounted it shares the host's mount namespace",
        ),
        (
            lambda facts: (
                bool(seen.mounted(facts, "/srv")) and any("shared" in _root_of(facts, m.ns) for m in _spaces(facts))
            ),
            "both see it: / is shared with the host, and the news of the mount travelled; which step must come before?",
        ),
        (
            lambda facts: bool(seen.mounted(facts, "/srv")),
            "both see it although / is not shared any more: the mount was there before propagation was stopped",
        ),
        (
            lambda facts: any(seen.apart(facts, who, "mnt") for who in seen.guests(facts)),
            "there is a mount namespace; nothing is mounted on /srv in it yet",
        ),
        (lambda facts: bool(seen.guests(facts)), "there is a process; it still shares the host's mount namespace"),
    ],
    probes=("processes", "namespaces", "mounts"),
    second_hint="three steps in this order: a process with namespaces=('mnt',), MakePrivate or MakeSlave in it, and "
    "only then the Mount; all with the same who",
    model="""
from labkit.namespaces.mounts import MakePrivate, Mount
from labkit.namespaces.spawn import Spawn

lab.reset()
lab.take(Spawn(child="bakery", namespaces=("mnt",)))
lab.take(MakePrivate(who="bakery"))
lab.take(Mount(who="bakery", type="tmpfs", target="/srv"))
""",
)

# exercise 2: a root that holds


def _of_image(facts: Snapshot) -> bool:
    return any(m.mountpoint == "/" and "images/busybox" in m.super_options for m in seen.mounts(facts, "cell"))


def _old(facts: Snapshot) -> bool:
    """Whether the host's root is still mounted somewhere in the cell's namespace."""
    return any(
        "upperdir=/run/lab/root/upper" in m.super_options and m.mountpoint != "/" for m in seen.mounts(facts, "cell")
    )


def _walled(facts: Snapshot) -> bool:
    return seen.apart(facts, "cell", "mnt") and _of_image(facts) and not _old(facts)


def _has_proc(facts: Snapshot) -> bool:
    return any(m.mountpoint == "/proc" and m.type == "proc" for m in seen.mounts(facts, "cell"))


CELL = Check(
    id="nb04/cell",
    task="A process called cell whose root is the image busybox, and from which no path leads to the host's files.",
    accept=[
        ("a root, and a /proc of its own in it", lambda facts: _walled(facts) and _has_proc(facts)),
        ("a root and nothing else", lambda facts: _walled(facts) and not _has_proc(facts)),
    ],
    hints=[
        (lambda facts: not seen.life(facts, "cell"), "there is no process called cell: Spawn(child='cell', …)"),
        (
            lambda facts: seen.root(facts, "cell") != "/",
            "cell is in a chroot: all mounts of its namespace are still within reach, and four calls lead out",
        ),
        (
            lambda facts: not seen.apart(facts, "cell", "mnt"),
            "cell shares the host's mount namespace; pivot_root there would move the root of everybody",
        ),
        (_old, "the old root is still mounted in there: cd /old, and all is as before. What takes it away?"),
        (
            lambda facts: not _of_image(facts),
            "cell has a mount namespace, and / in it is still the host's; layer('cell') makes a root to move to",
        ),
    ],
    probes=("processes", "namespaces", "mounts", "root"),
    second_hint="five steps: born with namespaces=('mnt',), MakePrivate, layer('cell'), PivotRoot(who='cell', "
    "new_root='/run/lab/cell/root'), and DetachOldRoot, which takes the host's files away",
    model="""
from labkit.learn.lessons.nb04 import layer
from labkit.namespaces.mounts import MakePrivate
from labkit.namespaces.roots import DetachOldRoot, PivotRoot
from labkit.namespaces.spawn import Spawn
from labkit.steps.plan import Plan

own = [Spawn(child="cell", namespaces=("mnt",)), MakePrivate(who="cell"), layer("cell")]
root = [PivotRoot(who="cell", new_root="/run/lab/cell/root"), DetachOldRoot(who="cell")]
lab.walk(Plan.of("a cell", ("a tree of its own", own), ("its root", root))).run()
""",
)

# the fault: something lies over the files


def _recipes(facts: Snapshot) -> bool:
    return bool(seen.one(facts, fact.File, path="/tmp/bakery/recipes"))


COVERED = Fault(
    id="nb04/no-recipes",
    symptom="The bakery's directory /tmp/bakery is empty. Nobody has deleted anything; the disk is as full as ever.",
    breaks=[
        MakeDirectory(path="/tmp/bakery"),
        MakeDirectory(path="/tmp/bakery/recipes", mode=0o700),
        Mount(type="tmpfs", target="/tmp/bakery"),
    ],
    mends="""
from labkit.namespaces.mounts import Unmount

lab.take(Unmount(target="/tmp/bakery"))
""",
    clears=[Remove(path="/tmp/bakery/recipes", directory=True), Remove(path="/tmp/bakery", directory=True)],
    repaired=lambda facts: not seen.mounted(facts, "/tmp/bakery"),
    tools=["print(lab.snapshot('files'))", "mount_tree(lab)"],
    hint="what a directory held before something was mounted on it is covered, not lost; is anything mounted there?",
    hints=[
        (
            lambda facts: _recipes(facts),
            "this recipes directory is a new one, in the file system that lies on top; the old one is still below",
        ),
        (
            lambda facts: (seen.mounted(facts, "/tmp/bakery") or fact.Mount("")).options.startswith("ro"),
            "read-only or not, it still covers what is below",
        ),
    ],
    second_hint="a tmpfs is mounted on /tmp/bakery; from labkit.namespaces.mounts import Unmount, and take it off",
    why="nothing covers the directory any more",
    probes=("mounts", "files"),
)


LESSON = Lesson(
    "nb04",
    "Namespaces II: mounts and roots",
    predictions=PREDICTIONS,
    checks=(AT_HOME, CELL),
    faults=(COVERED,),
    quiz=Quiz.of("nb04", own=QUESTIONS, recall=("nb03/kill-one", "nb03/fresh-name")),
    needs=(*EVERY_LESSON, *A_CONTAINER),
)
