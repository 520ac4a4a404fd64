"""`labkit top` without a lab: rates of two looks, the table, the keys, and how labs are found by their journals."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from labkit import cli
from labkit.agent import journal
from labkit.cgroups.samples import Sample
from labkit.cgroups.usage import Usage
from labkit.linux import cgroup_files
from labkit.top import finding, screen, table
from labkit.top.meter import Meter
from labkit.top.rates import Look, Row, row

BEFORE = Look(Sample(10.0, Usage(cpu=1.0, periods=10, periods_throttled=4, read=0, written=4096, waited={"cpu": 1.0})))
AFTER = Look(
    Sample(12.0, Usage(cpu=1.5, periods=30, periods_throttled=14, memory=3 << 20, read=2048, written=4096, processes=7,
                       waited={"cpu": 1.2, "io": 3.0})),
    memory_max=64 << 20, processes_max=50, alive=3,
)  # fmt: skip
ROWS = [
    row("lab-1", "web", BEFORE, AFTER),
    Row("lab-1", "db", cpu_percent=99.0, memory=5 << 30, waiting_percent={"cpu": 0.0, "memory": 12.4, "io": 100.0}),
    Row("lab-2", "idle", processes=1, frozen=True),
]


def test_a_rate_is_what_has_grown_by_the_time_that_has_passed() -> None:
    web = ROWS[0]
    assert (web.cpu_percent, web.throttled_percent, web.read_a_second, web.written_a_second) == (25.0, 50.0, 1024, 0)
    assert web.waiting_percent == {"cpu": pytest.approx(10.0)}, "of what was not counted before there is no rate yet"
    assert (web.memory, web.memory_max, web.processes, web.processes_max) == (3 << 20, 64 << 20, 7, 50)


def test_one_look_is_enough_for_what_is_and_not_for_rates() -> None:
    first = row("lab-1", "web", None, AFTER)
    assert (first.cpu_percent, first.read_a_second, first.throttled_percent, first.waiting_percent) == (
        None, None, None, {},
    )  # fmt: skip
    assert first.memory == 3 << 20


def test_without_a_counter_the_living_are_counted_and_nothing_else_is_made_up() -> None:
    bare = row("lab-1", "web", Look(Sample(1.0, Usage())), Look(Sample(2.0, Usage()), alive=3))
    assert bare == Row("lab-1", "web", processes=3)


def test_a_counter_that_has_shrunk_is_another_ones() -> None:
    assert row("lab-1", "web", AFTER, Look(Sample(13.0, Usage(cpu=0.1)))).cpu_percent is None


def test_the_table_says_of_all_what_is_known() -> None:
    assert (
        table.text(ROWS, 2, "name")
        == """\
LAB    CONTAINER      CPU    THROTTLED  MEMORY         READ/s  WRITE/s  PROCESSES  WAITING cpu  mem   io
lab-1  db             99.0%  -          5.0G           -       -        -                   0%  12% 100%
lab-1  web            25.0%  50%        3.0M of 64.0M  1.0K    0B       7 of 50            10%    -    -
lab-2  idle (frozen)  -      -          -              -       -        1          -"""
    )


@pytest.mark.parametrize(
    ("order", "names"),
    [("name", "db web idle"), ("cpu", "db web idle"), ("memory", "db web idle"), ("disk", "web db idle"),
     ("processes", "web idle db")],
)  # fmt: skip
def test_rows_are_sorted_by_what_is_asked_for(order: str, names: str) -> None:
    assert [each.container for each in table.ordered(ROWS, order)] == names.split()


def test_as_data_it_is_whole_and_unknown_is_null() -> None:
    told = json.loads(table.data(ROWS, ["lab-1", "lab-2"]))
    assert told["labs"] == ["lab-1", "lab-2"]
    web = next(each for each in told["containers"] if each["container"] == "web")
    assert (web["cpu_percent"], web["memory_max"]) == (25.0, 64 << 20)
    assert told["containers"][2]["cpu_percent"] is None


def test_that_there_is_nothing_is_said() -> None:
    assert table.text([], 0, "name") == table.NO_LABS
    assert table.text([], 1, "name") == table.NOBODY


def test_keys_pause_sort_and_end() -> None:
    state = screen.State("name")
    for key, expected in (("x", ("name", False, False)), ("p", ("name", True, False)), ("p", ("name", False, False)),
                          ("s", ("cpu", False, False)), ("q", ("cpu", False, True))):  # fmt: skip
        state.press(key)
        assert (state.order, state.paused, state.over) == expected
    for _ in table.ORDERS:
        state.press("s")
    assert state.order == "cpu", "once around"


def shown(rows: list[Row], labs: int, width: int = 130, height: int = 24) -> str:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(screen.page(rows, labs, screen.State("cpu"), width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_page_has_a_title_and_as_many_rows_as_there_is_room_for() -> None:
    page = shown(ROWS, 2)
    assert "2 labs, 3 containers, by cpu" in page and "3.0M of 64.0M" in page
    assert "idle" not in shown(ROWS, 2, height=5)
    assert table.NO_LABS in shown([], 0) and table.NOBODY in shown([], 1)


def test_a_narrow_terminal_has_fewer_columns_and_whole_ones() -> None:
    wide, narrow = shown(ROWS, 2), shown(ROWS, 2, width=70)
    assert "WAITING" in wide and "WAITING" not in narrow
    assert "3.0M of 64.0M" in narrow and "…" not in narrow


def test_a_name_that_is_markup_or_moves_the_cursor_stays_letters() -> None:
    page = shown([Row("lab-1", "[red]x[/] \x1b[2J")], 1)
    assert "[red]x[/] \\x1b[2J" in page
    assert "\x1b[2J" not in page


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the labs of this test are, and no others."""
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(journal, "place", lambda: str(tmp_path / "run"))
    monkeypatch.setattr(finding, "MACHINES", str(tmp_path / "run"))
    return tmp_path


def lab(place: Path, *containers: str, number: int = 1, **owner: int) -> Path:
    """The run directory of a lab of this process, or of whom `owner` names; returns its cgroup: no real one."""
    run, cgroup = place / f"run/lab-{number}", place / f"cgroup-{number}"
    run.mkdir()
    me = journal.name_process(os.getpid()) | owner
    lines = [{"supervisor": me["pid"], **me}, {"cgroup": str(cgroup)}, {"cgroup": str(place / "version 1")}]
    (run / "journal").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("host", *containers):
        (cgroup / "h1" / name).mkdir(parents=True)
    (cgroup / "cgroup.events").write_text("populated 1\n")
    return cgroup


def test_the_labs_that_run_are_found_and_the_dead_are_not(place: Path) -> None:
    assert finding.labs(set()) == []
    lab(place, "web")
    lab(place, "old", number=2, start=1)
    (place / "run/lab-3").mkdir()
    assert [each.name for each in finding.labs(set())] == ["lab-1"]


def test_a_container_is_a_cgroup_below_the_lab_hosts_which_is_none_itself(place: Path) -> None:
    cgroup = lab(place, "web", "db")
    [found] = finding.labs(set())
    old = place / "version 1/h1/web"
    old.mkdir(parents=True)
    assert [(each.name, each.cgroups) for each in finding.containers(found)] == [
        ("db", (f"{cgroup}/h1/db",)), ("web", (f"{cgroup}/h1/web", str(old))),
    ]  # fmt: skip


def test_what_is_counted_and_limited_in_version_1_is_seen_as_well(place: Path) -> None:
    cgroup = lab(place, "web")
    (cgroup / "h1/web/cgroup.procs").write_text("17\n")
    (cgroup / "h1/web/cpu.stat").write_text("usage_usec 1000000\n")
    old = place / "version 1/h1/web"
    old.mkdir(parents=True)
    for name, text in (("memory.usage_in_bytes", "4096"), ("memory.limit_in_bytes", "8192"), ("pids.max", "max")):
        (old / name).write_text(f"{text}\n")
    [row] = Meter().look()
    assert (row.memory, row.memory_max, row.processes_max) == (4096, 8192, None)
    (old / "memory.limit_in_bytes").write_text(f"{cgroup_files.NO_LIMIT}\n")
    assert Meter().look()[0].memory_max is None


def test_a_container_that_ends_while_one_looks_is_left_out(place: Path) -> None:
    cgroup = lab(place, "web", "gone")
    for name, pids in (("web", "17\n"), ("gone", "")):
        (cgroup / "h1" / name / "cgroup.procs").write_text(pids)
    (cgroup / "h1/web/cpu.stat").write_text("usage_usec 1000000\n")
    (cgroup / "h1/web/memory.max").write_text("1024\n")
    meter = Meter()
    [first] = meter.look()
    assert (first.container, first.cpu_percent, first.memory_max, first.processes) == ("web", None, 1024, 1)
    (cgroup / "h1/web/cpu.stat").write_text("usage_usec 2000000\n")
    [second] = meter.look()
    assert second.cpu_percent and meter.labs == ["lab-1"]
    (cgroup / "h1/web/cgroup.procs").write_text("18\n")
    assert meter.look()[0].cpu_percent is None, "another one of its name: nothing is known of it yet"


def test_the_command_says_when_there_is_no_lab(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["top", "--once"]) == 0
    assert capsys.readouterr().out == f"{table.NO_LABS}\n"
    assert cli.main(["top", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["containers"] == []
    assert cli.main(["top", "--sort", "colour"]) == 1
    assert "one of name, cpu, memory" in capsys.readouterr().err
