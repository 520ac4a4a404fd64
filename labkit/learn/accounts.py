"""Who is counted in which cgroup, as facts tell it; and a tenant whose memory nobody counts.

What a controller counts has to be asked for: version 2 wants it handed down by the cgroup above, version 1 wants the
process in the controller's own tree. Either is forgotten easily, and looks the same from afar.

See: cgroups(7) "Cgroups v2 controllers", "Cgroups version 1".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from labkit.cgroups.change import HandDown
from labkit.cgroups.hold import Held
from labkit.cgroups.limits import Limits
from labkit.cgroups.make import RemoveCgroup
from labkit.cgroups.places import ROOT
from labkit.learn import seen
from labkit.namespaces.processes import Kill
from labkit.namespaces.spawn import Spawn
from labkit.steps import fact
from labkit.steps.snapshot import Snapshot


def place(facts: Snapshot, who: str) -> str:
    """The cgroup of version 2 that `who` is in."""
    found = seen.every(facts, fact.CgroupMembership, process=who)
    return next((each.path for each in found if not each.tree), "")


def inside(facts: Snapshot, path: str) -> set[str]:
    """Who is in this cgroup, or below it."""
    members = facts.of_type(fact.CgroupMembership)
    return {each.process for each in members if each.path == path or each.path.startswith(f"{path}/")}


def _uncounted(lab: Any) -> Held:
    """All it takes to count a tenant, but for its memory."""
    held: Held = lab.lacking.hold(Limits())
    v2 = tuple(name for name in held.controllers if name != "memory")
    v1 = tuple(tree for tree in held.trees if "memory" not in tree.split(","))
    return replace(held, controllers=v2, trees=v1)


def hide(lab: Any, who: str) -> None:
    """Start `who` in a cgroup of its own in which all is counted but its memory."""
    whole, held = lab.lacking.hold(Limits()), _uncounted(lab)
    lab.trees(whole)
    places = replace(whole, controllers=held.controllers).making(who)
    lab.take_all([*places, Spawn(child=who, cgroup=f"{ROOT}/{who}"), *held.joining(who, who)])


def clear(lab: Any, who: str) -> None:
    """Take back what `hide` has done, whether or not it was repaired."""
    whole: Held = lab.lacking.hold(Limits())
    lab.take(Kill(target=who))
    lab.snapshot()  # looks until the dying have gone: kill(2) returns before, and the cgroups would be busy
    lab.take_all([RemoveCgroup(path=path) for path in whole.paths(who)])
    if whole.controllers:
        lab.take(HandDown(path=ROOT, controllers=whole.controllers, take_back=True))


def memory_counted(facts: Snapshot, who: str) -> bool:
    """Whether somebody counts the memory of `who`, in either version."""
    down = seen.one(facts, fact.Limit, path="/", file="cgroup.subtree_control")
    if down is not None and "memory" in down.value.split() and place(facts, who) == f"/{who}":
        return True
    own = [each for each in seen.every(facts, fact.CgroupMembership, process=who) if each.path.endswith(f":/{who}")]
    return any("memory" in each.tree.split(",") for each in own)
