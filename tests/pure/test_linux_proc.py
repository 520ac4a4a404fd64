"""Reading /proc, on trees that we write ourselves: names chosen to break parsers, processes that are gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.linux import proc

TAIL = "S 1 42 42 34816 42 4194304 1 2 3 4 7 8 9 10 20 0 3 0 12345 100 200 18446744073709551615 " + " ".join("0" * 22)
TAIL += " 111 222 0 0 0"  # fields 48, 49: arg_start, arg_end


def tree(root: Path, pid: int = 42, **files: str | bytes) -> str:
    """A process directory with these files; returns the path to use as /proc."""
    (root / str(pid)).mkdir(exist_ok=True)
    for name, content in {"stat": f"{pid} (x) {TAIL}\n", **files}.items():
        raw = content.encode() if isinstance(content, str) else content
        (root / str(pid) / name).write_bytes(raw)
    return str(root)


@pytest.mark.parametrize("comm", ["sh", "a b", ") R 1 1", "((", "x) S (y", "a\nb", ""])
def test_stat_survives_a_hostile_name(comm: str) -> None:
    stat = proc.Stat(f"42 ({comm}) {TAIL}")
    assert (stat.pid, stat.comm, stat.state, stat.ppid) == (42, comm, "S", 1)
    assert (stat.num_threads, stat.start_time) == (3, 12345)
    assert (stat.utime, stat.stime) == (7, 8)
    assert (stat.arg_start, stat.arg_end) == (111, 222)


@given(st.binary(max_size=15).filter(lambda raw: b"\0" not in raw))
def test_any_bytes_are_a_name(raw: bytes) -> None:
    comm = raw.decode(errors="surrogateescape")
    assert os.fsencode(proc.Stat(f"42 ({comm}) {TAIL}").comm) == raw


def test_status_is_cut_at_newlines_only(tmp_path: Path) -> None:
    root = tree(tmp_path, status="Name:\ta\\nb\x85 c\rd\nNSpid:\t4711\t42\t1\nGroups:\t \nCapEff:\t000001ffffffffff\n")
    status = proc.status(42, root)
    assert status == {"Name": "a\\nb\x85 c\rd", "NSpid": "4711\t42\t1", "Groups": "", "CapEff": "000001ffffffffff"}
    assert proc.nspid(42, root) == [4711, 42, 1]


@pytest.mark.parametrize(
    ("raw", "argv", "title"),
    [
        (b"", [], "[x y]"),
        (b"sh\0-c\0echo a\nb\0", ["sh", "-c", "echo a\nb"], "sh -c echo a\nb"),
        (b"sh\0\0", ["sh", ""], "sh"),
        (b"labkit:[c1]\0\0\0\0", ["labkit:[c1]", "", "", ""], "labkit:[c1]"),
        (b"\xff\xfe\0", ["\udcff\udcfe"], "\udcff\udcfe"),
    ],
)
def test_cmdline_and_title(tmp_path: Path, raw: bytes, argv: list[str], title: str) -> None:
    root = tree(tmp_path, cmdline=raw, comm="x y\n")
    assert proc.cmdline(42, root) == argv
    assert proc.title(42, root) == title


def test_maps_offsets_and_cgroups(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        uid_map="         0       1000          1\n         1     100000      65536\n",
        gid_map="",
        setgroups="deny\n",
        timens_offsets="monotonic           86400         0\nboottime            -5         7\n",
        cgroup="3:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/../sibling\n",
    )
    assert proc.id_map(42, "uid", root) == [(0, 1000, 1), (1, 100000, 65536)]
    assert proc.id_map(42, "gid", root) == []
    assert proc.setgroups(42, root) == "deny"
    assert proc.timens_offsets(42, root) == {"monotonic": (86400, 0), "boottime": (-5, 7)}
    assert proc.cgroup_lines(42, root) == [(3, "cpu,cpuacct", "/a:b"), (1, "name=systemd", "/"), (0, "", "/../sibling")]


def test_a_process_that_is_gone_is_told_from_a_file_that_the_kernel_lacks(tmp_path: Path) -> None:
    root = tree(tmp_path)
    with pytest.raises(FileNotFoundError):
        proc.timens_offsets(42, root)
    for reader in (proc.stat, proc.status, proc.cmdline, proc.namespaces, proc.children, proc.cgroup_lines, proc.hold):
        with pytest.raises(ProcessLookupError):
            reader(43, root)


def test_a_real_process_that_has_died_is_gone_for_each_way_of_looking() -> None:
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE)
    root = os.open("/proc", os.O_RDONLY)
    here = proc.hold(child.pid, root)
    try:
        assert proc.stat(child.pid).pid == proc.stat(child.pid, root).pid == proc.stat(".", here).pid == child.pid
        assert proc.namespaces(".", here) == proc.namespaces(child.pid) == proc.namespaces("self")
        assert child.pid in proc.children("self")
        assert child.pid in proc.pids()
        born = proc.start_time(child.pid)
        assert born >= proc.start_time("self")
        child.communicate()
        for reader in (proc.stat, proc.namespaces, proc.children, proc.nspid):
            for pid, where in ((child.pid, "/proc"), (child.pid, root), (".", here)):
                with pytest.raises(ProcessLookupError):
                    reader(pid, where)
        assert not proc.alive(child.pid)
    finally:
        os.close(here)
        os.close(root)
        child.kill()
        child.wait()


def test_a_zombie_still_answers_as_far_as_it_can() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    try:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert proc.alive(child)
        assert proc.stat(child).state == "Z"
        assert proc.cmdline(child) == []
        assert set(proc.namespaces(child)) <= {"user", "pid"}
    finally:
        os.waitpid(child, 0)


def test_children_are_found_without_the_children_file_too(tmp_path: Path) -> None:
    root = tree(tmp_path, 42)
    (tmp_path / "42" / "task" / "42").mkdir(parents=True)
    tree(tmp_path, 50, stat=f"50 (c) {TAIL.replace('S 1 ', 'S 42 ', 1)}\n")
    tree(tmp_path, 51)
    assert proc.children(42, root) == [50]


def test_the_readers_import_nothing_heavy() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import labkit.linux.constants, labkit.linux.cgroup2, labkit.linux.nsfs, labkit.linux.titles;"
        "import labkit.linux.capabilities, labkit.linux.names;"
        "heavy = {'re', 'typing', 'dataclasses', 'enum', 'pathlib', 'collections', 'subprocess'};"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    place = Path(proc.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, place], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
