"""Pictures drawn from real facts: each is a text when printed and a drawing in a notebook.

Each function takes a snapshot (or any facts), or a lab or a walk, at which it then looks; `call_strip` takes
a trace, and `delay_strip` seconds. `PROBES` says what each of the others needs:

    >>> from labkit.view.pictures import PROBES, namespace_map
    >>> PROBES["namespace_map"]
    ('processes', 'namespaces')
"""

from __future__ import annotations

from labkit.view.pictures import capabilities, cgroups, mounts, namespaces, pids, processes, uids
from labkit.view.pictures.calls import call_strip
from labkit.view.pictures.capabilities import capability_lights
from labkit.view.pictures.cgroups import cgroup_tree
from labkit.view.pictures.delays import delay_strip
from labkit.view.pictures.mounts import mount_tree
from labkit.view.pictures.namespaces import namespace_map
from labkit.view.pictures.picture import Picture, Source
from labkit.view.pictures.pids import pid_table
from labkit.view.pictures.processes import process_tree
from labkit.view.pictures.uids import uid_ruler

#: the probes that each picture needs
PROBES: dict[str, tuple[str, ...]] = {
    "namespace_map": namespaces.PROBES,
    "pid_table": pids.PROBES,
    "mount_tree": mounts.PROBES,
    "uid_ruler": uids.PROBES,
    "capability_lights": capabilities.PROBES,
    "process_tree": processes.PROBES,
    "cgroup_tree": cgroups.PROBES,
}

__all__ = [
    "PROBES",
    "Picture",
    "Source",
    "call_strip",
    "capability_lights",
    "cgroup_tree",
    "delay_strip",
    "mount_tree",
    "namespace_map",
    "pid_table",
    "process_tree",
    "uid_ruler",
]  # fmt: skip
