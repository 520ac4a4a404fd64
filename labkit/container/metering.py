"""What all cgroups of a lab have used, those of its containers and those above them: who counts whom."""

from __future__ import annotations

from typing import Protocol

from labkit.cgroups.usage import Usage
from labkit.container.lacking import Lacking
from labkit.errors import SpecError
from labkit.steps.backends.base import Backend
from labkit.steps.fact import CgroupMembership
from labkit.steps.naming import Naming
from labkit.steps.snapshot import Snapshot


class Metered(Protocol):
    """What is needed of a lab."""

    @property
    def backend(self) -> Backend: ...
    @property
    def naming(self) -> Naming: ...
    @property
    def lacking(self) -> Lacking: ...
    def snapshot(self, *probes: str) -> Snapshot: ...


def of_all(lab: Metered) -> dict[str, Usage]:
    """The counters of each cgroup at this moment, by its name in facts: ``/web``, of version 1 ``memory:/web``.

    Raises SpecError for a lab without cgroups.
    """
    if not lab.lacking.cgroups:
        raise SpecError("this lab has no cgroups: nobody counts what a container uses", look="labkit doctor")
    facts = lab.snapshot("cgroup").of_type(CgroupMembership)
    pids = {lab.naming.process(row["pid"]): int(row["pid"]) for row in lab.backend.look([])["processes"]}
    witnesses: dict[str, tuple[str, int]] = {}  # one process in each tree
    for fact in facts:
        if fact.process in pids:
            witnesses.setdefault(fact.tree, (fact.path, pids[fact.process]))
    told = lab.backend.machine("beneath", dict(witnesses.values()))
    return {name: Usage.parse(texts) for name, texts in told.items()}
