"""Where a lab host has its cgroups, and the forms in which a cgroup's path is taken.

The tree of version 2 hangs where every machine has it. Those of version 1 hang beside it, each in a directory with the
names of its controllers. A snapshot names a cgroup relative to its tree, as lscgroup(1) does; a shell wants the
directory. Both forms are taken wherever a step or a function takes a cgroup:

    >>> directory("/bakery"), directory("/sys/fs/cgroup/bakery"), directory("bakery"), directory("/")
    ('/sys/fs/cgroup/bakery', '/sys/fs/cgroup/bakery', '/sys/fs/cgroup/bakery', '/sys/fs/cgroup')
    >>> directory("cpu,cpuacct:/bakery"), directory("/run/cgroup1/cpu,cpuacct/bakery")
    ('/run/cgroup1/cpu,cpuacct/bakery', '/run/cgroup1/cpu,cpuacct/bakery')
"""

from __future__ import annotations

ROOT = "/sys/fs/cgroup"  #: of version 2
ROOT_V1 = "/run/cgroup1"  #: above those of version 1


def directory(path: str) -> str:
    """The directory of a cgroup, given as a directory already or as facts name it."""
    if f"{path}/".startswith((f"{ROOT}/", f"{ROOT_V1}/")) or f"{ROOT}/" in path:  # the last: seen from another root
        return path.rstrip("/")
    tree, colon, inside = path.partition(":/")
    if colon and "/" not in tree:
        return f"{ROOT_V1}/{tree}/{inside}".rstrip("/")
    return f"{ROOT}/{path.strip('/')}".rstrip("/")


def relative(path: str) -> str:
    """A cgroup of version 2 without the slash before it: ``shop/bakery``, for a path that has the same in every tree.

    >>> relative("/shop/bakery"), relative("shop/bakery"), relative("/sys/fs/cgroup/shop/bakery"), relative("/")
    ('shop/bakery', 'shop/bakery', 'shop/bakery', '')
    """
    return directory(path).removeprefix(ROOT).strip("/")
