"""How facts and titles name a cgroup; `labkit.steps.cgroup_paths` has the way back, to its directory.

>>> told("/sys/fs/cgroup/c1"), told("/run/cgroup1/cpu,cpuacct/c1")
('/c1', 'cpu,cpuacct:/c1')
>>> short("/sys/fs/cgroup/c1"), short("/sys/fs/cgroup")
('c1', 'the top')
"""

from __future__ import annotations

from labkit.steps.cgroup_paths import ROOT, ROOT_V1, directory

__all__ = ["ROOT", "ROOT_V1", "directory", "short", "told"]


def told(path: str) -> str:
    """A directory of the lab host as facts name it."""
    if path.startswith(f"{ROOT_V1}/"):
        tree, _, inside = path.removeprefix(f"{ROOT_V1}/").partition("/")
        return f"{tree}:/{inside}"
    return path.removeprefix(ROOT) or "/"


def short(path: str) -> str:
    """As a title names it."""
    name = told(path)
    return name if ":" in name else name.strip("/") or "the top"
