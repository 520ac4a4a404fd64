"""Where a lab host has its cgroups, and how facts and titles name them.

The tree of version 2 hangs where every machine has it. Those of version 1 hang beside it, each in a directory with the
names of its controllers, and are told with that name, as lscgroup(1) does:

    >>> told("/sys/fs/cgroup/c1"), told("/run/cgroup1/cpu,cpuacct/c1")
    ('/c1', 'cpu,cpuacct:/c1')
    >>> short("/sys/fs/cgroup/c1"), short("/sys/fs/cgroup")
    ('c1', 'the top')
"""

from __future__ import annotations

ROOT = "/sys/fs/cgroup"  #: of version 2
ROOT_V1 = "/run/cgroup1"  #: above those of version 1


def told(path: str) -> str:
    """A directory of the lab host as facts name it."""
    if path.startswith(f"{ROOT_V1}/"):
        tree, _, inside = path.removeprefix(f"{ROOT_V1}/").partition("/")
        return f"{tree}:/{inside}"
    return path.removeprefix(ROOT) or "/"


def directory(name: str) -> str:
    """The directory of what facts name so."""
    tree, _, inside = name.rpartition(":")
    return (f"{ROOT_V1}/{tree}" if tree else ROOT) + inside.rstrip("/")


def short(path: str) -> str:
    """As a title names it."""
    name = told(path)
    return name if ":" in name else name.strip("/") or "the top"
