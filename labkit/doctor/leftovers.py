"""What dead supervisors have left, by their journals (`labkit.agent.journal`)."""

from __future__ import annotations

import os
from collections.abc import Iterator

from labkit.agent import journal
from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient
from labkit.learn.needs import Need


def leftovers(patient: Patient) -> Iterator[Finding]:
    """Run directories whose owner is dead. The machine's place is looked at by everybody."""
    found = False
    for place in dict.fromkeys((journal.place(), "/run/labkit")):
        for lab in journal.all_labs(place) if os.path.isdir(place) else ():
            owner = lab.owner()
            if owner is None:
                found = True
                yield Finding(about="left", says=f"{lab.directory} has no journal", likely="labkit did not make it",
                              remedy=f"ls -la {lab.directory}", minor=True)  # fmt: skip
            elif not journal.lives(owner):
                found = True
                mine = place == journal.place()
                yield Finding(
                    about="left", says=f"{lab.directory}, of process {owner['pid']}, which is dead",
                    likely="it was killed, or the machine restarted; what it left has memory and CPU still",
                    remedy="labkit doctor --fix" if mine else "sudo ./lab doctor --fix", minor=not mine,
                    needs=(Need.LAB,), cure=bury if mine else None,
                )  # fmt: skip
    if not found:
        yield Finding(about="left", says="nothing by dead labs")


def bury() -> list[str]:
    """Bury what dead supervisors of this user left; touches nothing else. What was done, a sentence each."""
    return journal.bury_dead(journal.place()) if os.path.isdir(journal.place()) else []
