"""Whom the kernel killed, as its log tells it: records of Linux 6.18 and 6.1, read from /dev/kmsg."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit.linux import kernel_log

LAB = "/user.slice/labkit-lab-1-99"
INVOKED = "4,700,52000000,-;tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
ONE = (
    INVOKED,
    "6,715,52000100,-;[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n",
    f"6,719,52000200,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=h1,mems_allowed=0,"
    f"oom_memcg={LAB}/h1/web,task_memcg={LAB}/h1/web,task=tail,pid=711,uid=0\n",
    "3,720,52000300,-;Memory cgroup out of memory: Killed process 711 (tail) total-vm:24480kB, anon-rss:20004kB, "
    "file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:84kB oom_score_adj:0\n",
)
GROUP = (
    f"6,730,61000000,c;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0-1,"
    f"oom_memcg={LAB}/h2/db,task_memcg={LAB}/h2/db/inner,task=postgres,pid=800,uid=70\n",
    "3,731,61000001,-;Memory cgroup out of memory: Killed process 800 (postgres) total-vm:9kB, anon-rss:1kB\n",
    f"6,732,61000002,-;Tasks in {LAB}/h2/db are going to be killed due to memory.oom.group set\n",
    "3,733,61000003,-;Memory cgroup out of memory: Killed process 800 (postgres) total-vm:9kB, anon-rss:1kB\n",
    "3,734,61000004,-;Memory cgroup out of memory: Killed process 801 (sh (old)) total-vm:9kB, anon-rss:1kB\n",
)
MACHINE = (
    "6,740,70000000,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,"
    f"global_oom,task_memcg={LAB}/h1/web,task=python3,pid=900,uid=1000\n SUBSYSTEM=cpu\n DEVICE=+cpu:cpu0\n"
)


def killed(*records: str) -> list[tuple[int, str, str, int]]:
    return [(kill.number, kill.cgroup, kill.name, kill.pid) for kill in kernel_log.kills(records)]


def test_the_record_that_tells_where_tells_whom() -> None:
    assert killed(*ONE) == [(719, f"{LAB}/h1/web", "tail", 711)]


def test_all_of_a_group_are_told_each_once() -> None:
    assert killed(*GROUP) == [(730, f"{LAB}/h2/db/inner", "postgres", 800), (734, f"{LAB}/h2/db", "sh (old)", 801)]


def test_where_the_whole_machine_has_no_memory_left_the_victim_counts_too() -> None:
    assert killed(MACHINE) == [(740, f"{LAB}/h1/web", "python3", 900)]


def test_when_the_kernel_has_said_too_much_already_nobody_knows_in_which_cgroup_it_was() -> None:
    """The second record comes always, the first ten times in five seconds: the second alone does not tell where."""
    assert killed(*GROUP, *ONE[:2], ONE[2], ONE[3].replace("711", "712")) == [*killed(*GROUP), *killed(*ONE)]
    assert killed(ONE[3]) == []


def test_nobody_but_the_kernel_is_believed() -> None:
    assert killed(ONE[2].replace("6,719", "14,719")) == []


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (r"a,task=b,pid=1", "a,task=b,pid=1"),
        (r"a\x0ab", "a\nb"),
        (r"\xc3\xa4\x5cx41", "ä\\x41"),
        (r"\xff", "\ufffd"),
        ("", ""),
    ],
)
def test_a_process_may_call_itself_what_it_likes(told: str, name: str) -> None:
    assert killed(ONE[2].replace("task=tail", f"task={told}")) == [(719, f"{LAB}/h1/web", name, 711)]


def test_a_lab_hears_of_its_own_dead_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_log, "_read", lambda: [*ONE, *GROUP])
    assert kernel_log.killed("labkit-lab-1-99") == {
        "last": 734,
        "kills": [[719, "h1/web", "tail", 711], [730, "h2/db/inner", "postgres", 800], [734, "h2/db", "sh (old)", 801]],
    }
    assert kernel_log.killed("labkit-lab-1-9") == {"last": 734, "kills": []}
    assert kernel_log.killed("") == {"last": 0, "kills": []}


def test_a_log_that_may_not_be_read_tells_nothing(tmp_path: Path) -> None:
    """kernel.dmesg_restrict lets open(2) fail with EPERM; a container has no such file at all."""
    assert kernel_log._read(str(tmp_path / "kmsg")) == []


def test_records_that_were_overwritten_are_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers: list[bytes | OSError] = [b"6,1,1,-;a\n", BrokenPipeError(32, "overrun"), b"6,9,2,-;b\n", BlockingIOError()]

    def readv(fd: int, rooms: list[bytearray]) -> int:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        rooms[0][: len(answer)] = answer
        return len(answer)

    (tmp_path / "kmsg").touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "readv", readv)
        found = kernel_log._read(str(tmp_path / "kmsg"))
    assert found == ["6,1,1,-;a\n", "6,9,2,-;b\n"]
