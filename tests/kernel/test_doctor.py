"""The doctor: what it finds, what it buries, and what it leaves alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import Lab, cli, doctor
from labkit.agent import journal
from labkit.doctor import hall
from labkit.linux import cgroup2, nsfs

#: what is said of a lab that opens, by the way into it
OPENS = {
    "root": "opens, as root",
    "sudo": "opens, as root through sudo",
    "rootless": "opens, rootless: what needs real root is refused there",
}


def dead_lab(new_lab: Callable[[], Lab]) -> Lab:
    """A lab whose supervisor was killed."""
    lab = new_lab()
    lab.run("busybox", "sleep 1000", detach=True)
    os.kill(lab.info["supervisor"], signal.SIGKILL)
    lab.backend.client.process.wait()
    return lab


def report(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """Exit status of ``labkit doctor --json`` and its findings by what they are about, without other labs' remains."""
    status = cli.main(["doctor", "--json", *options])
    said = json.loads(capsys.readouterr().out)
    about: dict[str, list[dict[str, str]]] = {"fixed": said["fixed"]}
    for finding in said["findings"]:
        if finding["about"] == "left" and finding["says"].startswith("/run/labkit/"):
            finding |= {"says": "nothing by dead labs"}  # the machine's own place, which every doctor looks at
        about.setdefault(finding["about"], []).append(finding)
    about["left"].sort(key=lambda finding: finding["says"] == "nothing by dead labs")
    assert said["ok"] == (status == 0)
    return status, about


def test_a_machine_that_can_do_the_lessons_says_so(capsys: pytest.CaptureFixture[str], way: str) -> None:
    assert cli.main(["doctor"]) == 0
    short = capsys.readouterr().out
    assert short.endswith("This machine is ready: nothing here stops the lessons.\n")
    assert "  ok  " not in short and "WRONG" not in short, "what is well is folded"
    status = cli.main(["doctor", "--verbose"])
    page = capsys.readouterr().out
    assert status == 0, page
    assert "WRONG" not in page
    assert len(page.splitlines()) > len(short.splitlines())
    notes = 3 if way == "rootless" else 0  # the ids, the cgroups and /dev/kvm, with three lines on each
    assert len(page.splitlines()) <= 40 + 3 * notes, "one page"
    _, about = report(capsys)
    assert about["namespaces"][0]["says"] == ", ".join(nsfs.KINDS), "all eight kinds were made"
    assert about["kernel"][0]["says"].startswith(f"Linux {os.uname().release}")
    assert about["lab"][0]["says"] == OPENS[way]
    assert about["cgroups"][0]["says"].startswith(cgroup2.mode())


@pytest.mark.usefixtures("own_processes", "own_run_directory")
def test_it_says_what_a_dead_lab_left_and_buries_it_only_when_told(
    capsys: pytest.CaptureFixture[str], new_lab: Callable[[], Lab]
) -> None:
    dead = dead_lab(new_lab)
    for _ in range(2):
        status, about = report(capsys)
        assert status == 1
        assert about["left"][0]["says"].startswith(f"{dead.info['run']}, of process {dead.info['supervisor']}")
        assert about["left"][0]["remedy"] == "labkit doctor --fix"
        assert os.path.isdir(dead.info["run"]), "to look is not to touch"
    status, about = report(capsys, "--fix")
    assert status == 0
    done = [sentence for sentence in about["fixed"] if not sentence.startswith("ended lab host")]  # if it still dies
    cgroup = [f"removed cgroup {dead.info['cgroup']}"] if dead.info["cgroup"] else []
    assert done == [*cgroup, f"removed run directory {dead.info['run']}"]
    assert about["left"][0]["says"] == "nothing by dead labs"
    assert report(capsys, "--fix")[1]["fixed"] == []


@pytest.mark.usefixtures("own_processes", "own_run_directory")
def test_it_touches_nothing_of_the_living_or_of_others(
    capsys: pytest.CaptureFixture[str], new_lab: Callable[[], Lab], own_place: Path
) -> None:
    living = new_lab()
    web = living.run("busybox", "sleep 1000", detach=True)
    dead = dead_lab(new_lab)
    stranger = own_place / "lab-77"
    stranger.mkdir()
    status, about = report(capsys, "--fix")
    assert all(dead.info["lab"] in each or str(dead.info["pid"]) in each for each in about["fixed"])
    assert stranger.is_dir()
    assert web.running
    assert about["left"][0]["says"] == f"{stranger} has no journal"
    assert status == 0, "what is not ours does not stop a lesson"
    stranger.rmdir()


@pytest.mark.usefixtures("own_processes", "own_run_directory", "own_cgroups")
def test_it_touches_no_cgroup_of_others(capsys: pytest.CaptureFixture[str], new_lab: Callable[[], Lab]) -> None:
    """Not even one beside those of labs, called as one of theirs is."""
    beside = cgroup2.make(os.path.dirname(dead_lab(new_lab).info["cgroup"]), "labkit-lab-99-1")
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        Path(beside, "cgroup.procs").write_text(str(sleeper.pid))
        report(capsys, "--fix")
        assert sleeper.poll() is None
        sleeper.kill()
    assert os.path.isdir(beside)
    cgroup2.remove(beside, root=os.path.dirname(beside))


@pytest.mark.usefixtures("own_run_directory")
def test_after_a_restart_everything_of_before_is_dead(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, new_lab: Callable[[], Lab]
) -> None:
    """A pid with the same start time after a restart is another process: here the supervisor itself plays it."""
    lab = new_lab()
    monkeypatch.setattr(journal, "_boot", lambda: "the next boot")
    assert doctor.bury() == [f"removed run directory {lab.info['run']}"]
    monkeypatch.undo()
    assert lab.run("busybox", ["echo", "never touched"]).stdout == "never touched\n"
    assert not lab.info["cgroup"] or os.path.isdir(lab.info["cgroup"])


def test_it_is_a_command(way: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "labkit", "doctor", "-v"], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert OPENS[way] in done.stdout


def test_a_missing_image_stops_the_lessons(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LABKIT_IMAGES", str(tmp_path))
    status, about = report(capsys)
    assert status == 1
    assert about["images"][0]["remedy"] == "labkit image build busybox"


def test_a_lab_that_does_not_open_is_told_with_its_cause(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, likely = ("sudo", "root needs no sudo") if os.geteuid() == 0 else ("root", "does not run as root")
    monkeypatch.setenv("LABKIT_WAY", closed)
    status, about = report(capsys)
    assert status == 1
    assert likely in about["lab"][0]["likely"]
    assert about["lab"][0]["remedy"]
    assert "not tried" in about["namespaces"][0]["says"]


def test_fix_builds_an_image_that_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LABKIT_IMAGES", str(tmp_path))
    status, about = report(capsys, "--fix")
    assert status == 0
    assert len(about["fixed"]) == 1 and about["fixed"][0].startswith(f"built the image busybox in {tmp_path}/busybox/")
    assert about["images"][0]["mark"] == "ok"
    assert report(capsys, "--fix")[1]["fixed"] == []


def test_what_fix_cannot_do_is_said_and_stays_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    monkeypatch.setenv("LABKIT_IMAGES", str(blocked))
    status, about = report(capsys, "--fix")
    assert status == 1
    assert about["fixed"][0].startswith("could not build the image busybox: cannot build the image")


def test_the_text_of_a_report_is_the_same_in_every_run() -> None:
    first, second = doctor.examine(), doctor.examine()
    assert str(first) == str(second)
    for said in (os.uname().release, "MiB", "/run", "/var"):
        assert said not in str(first), "and names nothing of this machine"


def test_before_a_class_a_reset_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    _, about = report(capsys, "--class")
    assert {"reset", "theme", "offline"} <= {*about}
    assert about["reset"][0]["says"].endswith(" ms for a lab with 3 containers (median of 3)")
    assert int(about["reset"][0]["says"].split()[0]) > 0


def test_before_a_class_a_slow_reset_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hall, "SLOW", 0.0)  # as slow as a machine can be
    _, about = report(capsys, "--class")
    assert about["reset"][0]["mark"] == "note" and "the machine is busy" in about["reset"][0]["likely"]


@pytest.mark.parametrize(("theme", "mark"), [("stage", "ok"), ("dark", "note"), ("", "note")])
def test_before_a_class_the_theme_is_that_of_the_hall(
    theme: str, mark: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_THEME", theme)
    monkeypatch.setattr(hall, "own_server", lambda: 0)  # a JupyterLab that runs here has a theme of its own
    _, about = report(capsys, "--class")
    assert about["theme"][0]["mark"] == mark
    assert ("./lab up --class" in about["theme"][0]["remedy"]) == (mark == "note")


def test_before_a_class_the_theme_of_the_server_that_runs_counts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(["sleep", "1000"], env={"LABKIT_THEME": "stage"}) as server:
        monkeypatch.setattr(hall, "own_server", lambda: server.pid)
        monkeypatch.setenv("LABKIT_THEME", "dark")
        _, about = report(capsys, "--class")
        server.kill()
    assert about["theme"][0]["says"] == "JupyterLab runs with the theme stage: 22 px"
