"""The questions of lesson 04, namespaces II: mounts and roots."""

from __future__ import annotations

from labkit.errors import StepError
from labkit.learn import Question, seen
from labkit.learn.asking import Renewable, after
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.mounts import Bind, MakeSlave, Mount, RemountReadOnly
from labkit.namespaces.roots import ChangeDirectory, Chroot
from labkit.namespaces.spawn import Spawn
from labkit.steps import fact
from labkit.steps.step import Step


def _copied(lab: Renewable) -> str:
    facts = after(lab, Spawn(child="a", namespaces=("mnt",)), look=("mounts",))
    mine, hosts = ({m.mountpoint for m in seen.every(facts, fact.Mount, ns=ns)} for ns in ("mnt#2", "mnt#1"))
    return "all mounts of the old one, as copies" if mine == hosts else "none" if not mine else "some"


def _slave(lab: Renewable) -> bool:
    own = Spawn(child="a", namespaces=("mnt",))
    facts = after(lab, own, MakeSlave(who="a"), Mount(type="tmpfs", target="/mnt"), look=("mounts",))
    return seen.mounted(facts, "/mnt", "mnt#2") is not None


def _moved_by_chroot(lab: Renewable) -> int:
    before = after(lab, Spawn(child="a"), look=("mounts",)).facts
    lab.take(Chroot(who="a", path="/usr"))
    return len(set(before) ^ set(lab.snapshot("mounts").facts))


def _other_door(lab: Renewable) -> str:
    steps: list[Step] = [MakeDirectory(path=f"/tmp/{name}") for name in ("oven", "shop")]
    steps += [Bind(source="/tmp/oven", target="/tmp/shop", recursive=False), RemountReadOnly(target="/tmp/shop")]
    after(lab, *steps, Spawn(child="a"))
    try:
        lab.take(MakeDirectory(path="/tmp/oven/bread"))
    except StepError:
        return "the kernel refuses: read-only file system"
    try:
        lab.take(ChangeDirectory(who="a", path="/tmp/shop/bread"))
    except StepError:
        return "it works, and bread appears in the oven only"
    return "it works, and bread appears in both places"


QUESTIONS = (
    Question(
        id="nb04/copied",
        ask="What is mounted in a mount namespace that has just been made?",
        answer=_copied,
        wrong=("none", "only /", "only / and /proc"),
        why="Unlike a network namespace it does not begin empty: without / nothing could be run in it.",
    ),
    Question(
        id="nb04/slave",
        ask="A container's mounts are slaves of the host's. The host mounts a new disk. Does the container see it?",
        answer=_slave,
        wrong=("yes", "no", "only after a restart"),
        why="News travel from master to slave, and not the other way.",
    ),
    Question(
        id="nb04/moved-by-chroot",
        ask="How many mounts does chroot change?",
        answer=_moved_by_chroot,
        wrong=(1, 2, "all"),
        why="It only says where this process begins to look paths up. That is why it is no wall.",
    ),
    Question(
        id="nb04/other-door",
        ask="/tmp/oven is bound to /tmp/shop, and /tmp/shop made read-only. Then mkdir /tmp/oven/bread:",
        answer=_other_door,
        wrong=(
            "the kernel refuses: read-only file system",
            "it works, and bread appears in the oven only",
            "it works, and /tmp/shop becomes writable",
        ),
        why="Read-only is a flag of a mount, not of the files: through another mount they can be written.",
    ),
)
