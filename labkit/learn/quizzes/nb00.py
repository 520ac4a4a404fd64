"""The questions of lesson 00, is this machine ready?."""

from __future__ import annotations

from labkit.errors import StepError, errno_name
from labkit.learn import Question, seen
from labkit.learn.asking import Renewable, after
from labkit.namespaces.files import MakeDirectory, Remove, WriteFile
from labkit.namespaces.names import SetHostname
from labkit.namespaces.spawn import Spawn
from labkit.steps import fact


def _undone(lab: Renewable) -> str:
    before = after(lab, look=("uts",))
    step = SetHostname(name="server")
    inverse = step.undo(before)
    lab.take(step)
    if inverse is None:
        return "a new machine"
    lab.take(inverse)
    [host] = lab.snapshot("uts").of_type(fact.Uts)  # nobody in this lesson has another name
    return "the same step with the old name" if host.hostname == "lab" else "nothing does"


def _unborn(lab: Renewable) -> str:
    step = Spawn(child="a")
    return "the step's opposite" if step.undo(after(lab, look=())) else "a new machine"


def _not_empty(lab: Renewable) -> str:
    lab.reset()
    lab.take_all([MakeDirectory(path="/tmp/d"), WriteFile(path="/tmp/d/f", text="x")])
    try:
        lab.take(Remove(path="/tmp/d", directory=True))
    except StepError as error:
        return errno_name(error.errno)
    return "0"


def _left_after_reset(lab: Renewable) -> int:
    after(lab, Spawn(child="a"), Spawn(child="b"), look=("processes",))
    lab.reset()
    return len(seen.guests(lab.snapshot("processes")))


def _numbers_in_use(lab: Renewable) -> int:
    return len(after(lab, look=("processes",)).of_type(fact.Process))


QUESTIONS = (
    Question(
        id="nb00/undone",
        ask="The host name was changed. What takes that back?",
        answer=_undone,
        wrong=("a new machine", "nothing does", "a restart of the notebook"),
        why="Where the kernel has an inverse, Back takes it: here sethostname once more.",
    ),
    Question(
        id="nb00/unborn",
        ask="And the start of a process?",
        answer=_unborn,
        wrong=("the step's opposite", "nothing does", "a restart of the notebook"),
        why="Nobody can be unborn; the lab is thrown away and the steps before it are taken again in a new one.",
    ),
    Question(
        id="nb00/not-empty",
        ask="A directory that holds a file is to be removed with one call. What does the kernel answer?",
        answer=_not_empty,
        wrong=("0", "EPERM", "EEXIST"),
        why="rmdir(2) removes empty directories only. Every error has a name; read it.",
    ),
    Question(
        id="nb00/after-reset",
        ask="Two processes are started, then lab.reset(). How many of them run on?",
        answer=_left_after_reset,
        wrong=(1, 2, "it depends"),
        why="The lab host's pid 1 is killed, and the kernel takes everything in it along.",
    ),
    Question(
        id="nb00/at-first",
        ask="How many processes does a fresh lab host have?",
        answer=_numbers_in_use,
        wrong=(0, 1, 100),
        why="Its init, and one helper called host, which takes the steps that you order.",
    ),
)
