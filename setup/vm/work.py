"""The student's work, out of a machine and into the next one; vm/keep.sh knows what it is."""

from __future__ import annotations

import os

from places import SAVED, Place
from talk import STUDENT, Agent, Refused, Silent

_KEEP = "bash /usr/local/src/labkit/vm/keep.sh"
_THERE = f"/home/{STUDENT}/.labkit-saved.tgz"


def save(place: Place) -> str | None:
    """Copy the work here; why not, when that failed. The copy is whole before it takes the place of the one before."""
    fresh = SAVED.with_name("student.tgz.new")
    try:
        with Agent(place.path, patience=60) as agent:
            agent.run(f"{_KEEP} save ~/labkit >{_THERE}", student=True, patience=120)
            SAVED.parent.mkdir(exist_ok=True)
            agent.take(_THERE, fresh)
            agent.run(f"rm {_THERE}")
    except (Silent, Refused, OSError) as error:
        return str(error)
    if SAVED.exists():
        os.replace(SAVED, SAVED.with_name("student.previous.tgz"))
    os.replace(fresh, SAVED)
    place.unsaved.unlink(missing_ok=True)
    return None


def bring_back(place: Place, agent: Agent) -> str:
    """Give a machine that has just been made what an earlier one has left; what is to be said about it."""
    said = ""
    if place.fresh.exists() and SAVED.exists():
        said = "Your notebooks and answers of an earlier machine are back."
        try:
            agent.give(SAVED, _THERE)
            agent.run(f"{_KEEP} restore ~/labkit <{_THERE} && rm {_THERE}", student=True, patience=120)
        except Refused as refused:
            said = f"note: what was saved could not be brought back, and stays in {SAVED}: {refused}"
    place.fresh.unlink(missing_ok=True)
    return said
