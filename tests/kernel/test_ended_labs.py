"""What handles say when the lab is gone, or their lab host, or their process: the truth, and never an error."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from learn_example import LESSON

import labkit
from labkit import Lab
from labkit.container.container import Container
from labkit.errors import AgentError
from labkit.steps.display import Shown
from labkit.steps.fact import Process

Handles = dict[str, Any]
ENDS = {"ended": (3, "r\n"), "ran on": (137, "going\n"), "joined, ended": (4, "x\n"), "joined, ran on": (137, "y\n")}
END = ["sh", "-c", "echo {}; exit {}"]
RUN_ON = ["sh", "-c", "echo {}; exec sleep 1000"]


def words(argv: list[str], *given: object) -> list[str]:
    return [*argv[:2], argv[2].format(*given)]


def started(lab: Lab) -> dict[str, Container]:
    """Programs of which nobody has asked how they ended, and such as run on; all have said what they had to say."""
    web = lab.run("busybox", words(RUN_ON, "going"), name="web", detach=True)
    found = {
        "ended": lab.run("busybox", words(END, "r", 3), name="short", detach=True),
        "ran on": web,
        "joined, ended": web.exec(words(END, "x", 4), detach=True),
        "joined, ran on": web.exec(words(RUN_ON, "y"), detach=True),
    }
    by_age = lambda: [p.comm for p in lab.snapshot("processes").of_type(Process)]  # noqa: E731
    while by_age().count("sleep") != 2 or "sh" in by_age():  # asks nothing of the handles
        time.sleep(0.005)
    return found


def ends(handles: dict[str, Container]) -> dict[str, tuple[int | None, str]]:
    return {what: (handle.returncode, handle.stdout) for what, handle in handles.items()}


def test_after_a_reset_each_handle_knows_how_its_program_ended(lab: Lab) -> None:
    handles = started(lab)
    lab.reset()
    assert ends(handles) == ENDS
    assert handles["ended"].logs() == "r\n"


def test_after_the_labs_end_each_handle_knows_how_its_program_ended(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    handles = started(lab)
    lab.close()
    assert ends(handles) == ENDS
    assert [handle.wait() for handle in handles.values()] == [code for code, _ in ENDS.values()]


def test_what_the_killed_have_written_last_is_not_lost(new_lab: Callable[[], Lab]) -> None:
    """Nobody reads while the lab goes: what is in the pipe then is read afterwards."""
    lab = new_lab()
    loud = lab.run("busybox", ["sh", "-c", "head -c 60000 /dev/zero | tr '\\0' x; echo; exec sleep 1000"], detach=True)
    while not any(p.comm == "sleep" for p in lab.snapshot("processes").of_type(Process)):
        time.sleep(0.005)
    lab.close()
    assert (loud.returncode, loud.stdout) == (137, "x" * 60000 + "\n")


@pytest.mark.parametrize("victim", ["host", "supervisor"])
def test_where_the_lab_was_killed_handles_say_137_and_what_was_known(
    new_lab: Callable[[], Lab], own_processes: None, victim: str
) -> None:
    lab = new_lab()
    handles = started(lab)
    rows = {row["comm"]: row["pid"] for row in lab.backend.look([])["processes"]}
    os.kill(rows["labkit:[host]"] if victim == "host" else lab.info["supervisor"], signal.SIGKILL)
    told = {what: (handle.wait(5), handle.stdout) for what, handle in handles.items()}
    assert told == ENDS
    lab.close()
    assert ends(handles) == ENDS


# Displaying

#: classes whose values show themselves and refer to no lab: what they say was read when they were made
VALUES = {
    "Asked", "Call", "Change", "Check", "Command", "Cost", "Delays", "Diff", "Fact", "Fault", "Feedback", "Lesson",
    "MachineUsage", "Marked", "Measured", "Notice", "Picture", "Plan", "Predict", "Put", "Question", "Quiz", "Report",
    "Rosetta",
    "Snapshot", "Standing", "Step", "Still", "Table", "Taken", "Theme", "Trace", "Traffic", "Usage", "Verdict", "Cable",
    "Shell",  # needs a notebook; its text is the command that it was made with
}  # fmt: skip


def handles(lab: Lab) -> Handles:
    """One of each class whose values refer to a lab, in some state, and what holds such a value and shows it."""
    from labkit.view import cards, player
    from labkit.view.panel import Panel

    walk = lab.walk(lab.plans.container("busybox", hostname="c1"), predict=LESSON.predictions)
    posed, planted = LESSON.checks[0].pose(lab), LESSON.faults[0].plant(lab)
    sitting = LESSON.quiz.sit(lab) if LESSON.quiz else None
    web = lab.run("busybox", ["sleep", "1000"], name="web", detach=True)
    found = [
        lab, web, web.exec(["true"]), web.exec(["sleep", "1000"], detach=True), web.watch(), lab.watch(), walk,
        lab.terminal(web), posed, planted, sitting, walk.gate, player.of(walk), Panel(web),
        *(cards.Card(thing) for thing in (posed, planted, sitting) if thing),
    ]  # fmt: skip
    return {f"{type(thing).__name__} {number}": thing for number, thing in enumerate(found)}


def show_in_every_way(thing: Any) -> None:
    """As a notebook shows it, and print and repr do."""
    for name in ("_repr_mimebundle_", "_ipython_display_"):
        if hasattr(thing, name):
            getattr(thing, name)()
    assert repr(thing)
    assert str(thing)


def displayable() -> Iterator[str]:
    """The names of labkit's classes that show themselves, without their subclasses that show themselves as they do."""
    for module in pkgutil.walk_packages(labkit.__path__, "labkit."):
        if not module.name.endswith("__main__"):
            for kind in vars(importlib.import_module(module.name)).values():
                own = isinstance(kind, type) and kind.__module__ == module.name and kind is not Shown
                if own and ({"_repr_mimebundle_", "_ipython_display_"} & {*vars(kind)} or Shown in kind.__bases__):
                    yield kind.__name__


def test_every_class_that_shows_itself_is_among_those_tested_here(lab: Lab) -> None:
    tested = {kind.__name__ for thing in handles(lab).values() for kind in type(thing).__mro__}
    assert {*displayable()} - VALUES - tested == set()


def kill_host(lab: Lab) -> None:
    os.kill(next(row["pid"] for row in lab.backend.look([])["processes"]), signal.SIGKILL)


def kill_supervisor(lab: Lab) -> None:
    os.kill(lab.info["supervisor"], signal.SIGKILL)
    with pytest.raises(AgentError):
        lab.facts("uts")


@pytest.mark.parametrize(
    "end", [lambda lab: None, Lab.reset, Lab.close, kill_host, kill_supervisor],
    ids=["alive", "reset", "closed", "host killed", "supervisor killed"],
)  # fmt: skip
def test_displaying_never_fails(new_lab: Callable[[], Lab], own_processes: None, end: Callable[[Lab], None]) -> None:
    lab = new_lab()
    things = handles(lab)
    end(lab)
    for thing in things.values():
        show_in_every_way(thing)


def test_displaying_never_fails_in_a_fork(lab: Lab) -> None:
    things = handles(lab)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            for thing in things.values():
                show_in_every_way(thing)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
