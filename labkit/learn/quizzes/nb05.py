"""The questions of lesson 05, namespaces III: user, and the rest."""

from __future__ import annotations

from labkit.errors import StepError
from labkit.learn import Question, seen
from labkit.learn.asking import Renewable, after
from labkit.namespaces.names import SetHostname
from labkit.namespaces.reading import ReadFile, text
from labkit.namespaces.spawn import Spawn
from labkit.namespaces.users import BecomeUser, MapIds
from labkit.steps import fact


def _unmapped(lab: Renewable) -> str:
    after(lab, Spawn(child="a", namespaces=("user",)))
    status = text(lab.take(ReadFile(who="a", path="/proc/self/status")))
    return next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))


def _fifth(lab: Renewable) -> int:
    own = Spawn(child="a", namespaces=("user",))
    return seen.uid(after(lab, own, MapIds(child="a"), BecomeUser(who="a", uid=5, gid=5), look=("caps",)), "a")


def _own_and_named(lab: Renewable) -> str:
    after(lab, Spawn(child="a", namespaces=("user", "uts")), MapIds(child="a"))
    try:
        lab.take(SetHostname(who="a", name="mine"))
    except StepError:
        return "no: that needs root outside"
    return "yes: that namespace belongs to its user namespace"


def _links_up(lab: Renewable) -> int:
    facts = after(lab, Spawn(child="a", namespaces=("net",)), look=("net",))
    return len(seen.every(facts, fact.Link, ns="net#2", up=True))


QUESTIONS = (
    Question(
        id="nb05/unmapped",
        ask="A user namespace has been made, no map is written yet. Which uid does the process in it see as its own?",
        answer=_unmapped,
        wrong=(0, 1000, 100000),
        why="Whoever has no number in a user namespace is shown as the overflow uid, nobody.",
    ),
    Question(
        id="nb05/fifth",
        ask="The map is 0 100000 65536. A process becomes uid 5 inside. Which uid is it outside?",
        answer=_fifth,
        wrong=(5, 65534, 100000),
        why="Outside is first outside plus distance from first inside.",
    ),
    Question(
        id="nb05/own-and-named",
        ask="A process is born into a new user and a new uts namespace at once. May it set the host name there?",
        answer=_own_and_named,
        wrong=(
            "yes: that namespace belongs to its user namespace",
            "no: that needs root outside",
            "only if it is uid 0 outside, too",
        ),
        why="Every namespace has an owner, the user namespace it was made in; capabilities count there.",
    ),
    Question(
        id="nb05/links-up",
        ask="How many network interfaces are up in a network namespace that has just been made?",
        answer=_links_up,
        wrong=(1, 2, "all of the host's"),
        why="There is lo, and it is down: not even 127.0.0.1 answers.",
    ),
)
