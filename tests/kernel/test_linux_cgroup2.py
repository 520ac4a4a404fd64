"""Cgroups of our own under our own: made, filled, frozen, killed, removed. No other one is touched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from labkit.linux import cgroup2, proc


@pytest.fixture
def own() -> Iterator[str]:
    """A fresh cgroup under that of the test process."""
    try:
        above = cgroup2.own()
    except LookupError as error:
        pytest.skip(str(error))
    try:
        path = cgroup2.make(above, f"labkit-test-{os.getpid()}-{time.monotonic_ns()}")
    except OSError as error:
        pytest.skip(f"no cgroup may be made in {above}: {error.strerror}")
    yield path
    cgroup2.kill(path, root=above)
    cgroup2.remove(path, root=above)
    assert not os.path.exists(path)


def living(path: str, count: int = 1) -> subprocess.Popen[str]:
    """A process in the cgroup `path` with `count` - 1 children."""
    program = (
        "import os, sys, time\n"
        "open(sys.argv[1] + '/cgroup.procs', 'w').write('0')\n"
        f"any(os.fork() == 0 for _ in range({count - 1}))\n"
        "print('in', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-W", "ignore", "-c", program, path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(count):
        assert process.stdout.readline() == "in\n"
    process.stdout.close()
    return process


def test_a_cgroup_is_made_once(own: str) -> None:
    path = cgroup2.make(own, "c1")
    assert os.path.isdir(path)
    with pytest.raises(FileExistsError):
        cgroup2.make(own, "c1")
    assert cgroup2.procs(path) == []
    assert not cgroup2.populated(path)


def test_own_of_another_process(own: str) -> None:
    path = cgroup2.make(own, "c1")
    process = living(path)
    assert cgroup2.own(process.pid) == path
    cgroup2.kill(path, root=own)
    process.wait()


def test_processes_are_seen_from_above_and_killed_together(own: str) -> None:
    deep = cgroup2.make(cgroup2.make(own, "a"), "b")
    first, second = living(f"{own}/a", 3), living(deep)
    pids = cgroup2.procs(own)
    assert len(pids) == 4
    assert {first.pid, second.pid} < set(pids)
    assert cgroup2.procs(deep) == [second.pid]
    assert cgroup2.populated(own)
    cgroup2.kill(f"{own}/a", root=own)
    assert (first.wait(), second.wait()) == (-9, -9)
    assert not cgroup2.populated(own)


def test_killing_works_where_there_is_no_cgroup_kill(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cgroup2.make(own, "c1")
    process = living(path, 4)
    write = cgroup2._write

    def without_kill(name: str, value: str, directory: int) -> None:
        if name == "cgroup.kill":
            raise FileNotFoundError(name)
        write(name, value, directory)

    monkeypatch.setattr(cgroup2, "_write", without_kill)
    cgroup2.kill(path, root=own)
    assert process.wait() == -9
    assert cgroup2.procs(path) == []


def test_what_is_frozen_stands_still_and_can_be_killed(own: str) -> None:
    path = cgroup2.make(own, "c1")
    spinning = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", f"open({path!r} + '/cgroup.procs', 'w').write('0')\nwhile True: pass"]
    )
    while spinning.pid not in cgroup2.procs(path):
        time.sleep(0.005)
    cgroup2.freeze(path, root=own)
    used = proc.stat(spinning.pid).utime
    time.sleep(0.05)
    assert proc.stat(spinning.pid).utime == used
    cgroup2.freeze(path, False, root=own)
    cgroup2.freeze(path, root=own)
    cgroup2.kill(path, root=own)
    assert spinning.wait() == -9
    with pytest.raises(FileNotFoundError):
        cgroup2.freeze(f"{own}/missing", root=own)


def test_removing_a_tree_leaves_its_neighbour(own: str) -> None:
    for name in ("a", "neighbour"):
        cgroup2.make(cgroup2.make(cgroup2.make(own, name), "b"), "c")
    cgroup2.make(f"{own}/a", "d")
    cgroup2.remove(f"{own}/a", root=own)
    assert not os.path.exists(f"{own}/a")
    assert os.path.isdir(f"{own}/neighbour/b/c")
    cgroup2.remove(f"{own}/a", root=own)
    cgroup2.kill(f"{own}/a", root=own)


def test_a_cgroup_in_use_is_not_removed_and_says_by_whom(own: str) -> None:
    path = cgroup2.make(own, "c1")
    process = living(path)
    with pytest.raises(OSError, match=f"in use by processes .{process.pid}."):
        cgroup2.remove(path, root=own, timeout=0.05)
    cgroup2.kill(path, root=own)
    process.wait()


def test_a_zombie_no_longer_counts(own: str) -> None:
    """On cgroup2 a dead process that nobody has waited for does not hold its cgroup, as it does on version 1."""
    path = cgroup2.make(own, "c1")
    process = living(path)
    cgroup2.kill(path, root=own)
    cgroup2.remove(path, root=own)
    assert proc.stat(process.pid).state == "Z"
    assert process.wait() == -9


def test_kill_reaches_a_fork_bomb(own: str) -> None:
    path = cgroup2.make(own, "c1")
    bomb = subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import os, time; open({path!r} + '/cgroup.procs', 'w').write('0')\n"
            "for _ in range(7):\n    os.fork()\n    time.sleep(0.005)\n"
            "time.sleep(60)",
        ]
    )
    while len(cgroup2.procs(path)) < 8:
        time.sleep(0.002)
    cgroup2.kill(path, root=own)
    assert bomb.wait() == -9
    assert cgroup2.procs(path) == []
