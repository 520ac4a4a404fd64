"""What `./lab test --vm` runs of the kernel ring unless it is asked for the whole: where kernels or cgroups differ.

The rest is about labkit's own Python, about text, or about what lessons show, which the notebooks prove on each
kernel; or it takes minutes for a single test when processors are emulated (test_no_leak, test_honesty).
"""

from __future__ import annotations

from collections.abc import Iterable

_RUN, _LOAD, _ESCAPE = (f"tests/kernel/test_{name}.py" for name in ("run", "probes_load", "probes_escape"))

#: a file of tests/kernel, or a test of it, and what in it could be otherwise on another kernel
CHOSEN = {
    "tests/kernel/test_linux_cgroup2.py": "cgroup2's own files and events; v1 may or may not be beside it",
    "tests/kernel/test_agent_cgroups.py": "where a lab's cgroups are, delegation, and the options of the mounted tree",
    "tests/kernel/test_cgroups_change.py": "which files a cgroup has, what a new one says, the rules of the tree",
    "tests/kernel/test_limits.py": "what a quota, a weight, a wall of memory do, by the files of version 2",
    "tests/kernel/test_devices.py": "what the verifier says to the program about devices, and whether it is asked",
    "tests/kernel/test_linux_nsfs.py": "what namespaces answer to ioctls, some of which are new",
    "tests/kernel/test_linux_calls.py": "the newest system calls, really made",
    "tests/kernel/test_linux_titles.py": "a process's title in /proc, which prctl(2) moves",
    "tests/kernel/test_namespaces_kinds.py": "all kinds of namespaces: made, joined, nested, held open",
    "tests/kernel/test_namespaces_steps.py": "each step by what it does to the kernel",
    "tests/kernel/test_exec.py": "into a container's namespaces and cgroup, between which nsdelegate draws a border",
    f"{_RUN}::test_it_is_alone_in_the_namespaces_asked_for_and_shares_the_others": "containers of fewer namespaces",
    f"{_RUN}::test_in_a_user_namespace_root_is_somebody_else_outside": "cgroups and mounts in a user namespace",
    f"{_LOAD}::test_a_frozen_container_can_be_killed": "cgroup.kill and cgroup.freeze",
    f"{_LOAD}::test_a_lab_with_a_frozen_container_can_be_reset_and_closed": "the same for all of a lab",
    f"{_ESCAPE}::test_a_cgroup_mount_from_a_nested_user_namespace_ends_at_the_containers_own": "what cgroup2 shows",
    f"{_ESCAPE}::test_no_process_outside_can_be_signalled_traced_or_taken_from": "ptrace and pidfd_getfd",
    f"{_ESCAPE}::test_nothing_that_is_written_reaches_the_machine": "the files of /proc and /sys, some of them new",
    f"{_ESCAPE}::test_the_container_is_a_container": "which paths of /proc and /sys are to be covered",
}


def missing(title: str, passed: Iterable[str]) -> list[str]:
    """What was chosen and of which not one test has passed (so that nothing was shown), a line each."""
    names = {name.partition("[")[0] for name in passed}
    return [
        f"{title}: not one test of {each} passed" for each in CHOSEN if not any(_is_of(each, name) for name in names)
    ]


def _is_of(chosen: str, name: str) -> bool:
    """`name` is a JUnit file's: tests.kernel.test_exec::test_many_at_once."""
    file, _, test = chosen.partition("::")
    module = file.removesuffix(".py").replace("/", ".")
    return name == f"{module}::{test}" if test else name.startswith(f"{module}::")
