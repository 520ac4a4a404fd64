"""What describes the course's machine: Vagrantfile, cloud-init, Lima. Nothing here starts one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from labkit import copies

ROOT = Path(__file__).resolve().parents[2]
NO_VAGRANT = "vagrant is not installed: Debian 13 has no package of it; on Debian 12 ./lab test installs it"


def vagrant(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Vagrant, as somebody who has never used it."""
    surroundings = os.environ | {"VAGRANT_HOME": str(home), "VAGRANT_CHECKPOINT_DISABLE": "1"} | settings
    return subprocess.run(
        ["vagrant", "--no-tty", *words], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


@pytest.mark.skipif(not shutil.which("vagrant"), reason=NO_VAGRANT)
def test_the_vagrantfile_is_valid(tmp_path: Path) -> None:
    done = vagrant(tmp_path, "validate", "--ignore-provider")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("vagrant"), reason=NO_VAGRANT)
def test_a_wrong_size_is_told_with_its_remedy(tmp_path: Path) -> None:
    done = vagrant(tmp_path, "validate", "--ignore-provider", LABKIT_PORT="many")
    assert done.returncode != 0
    assert "LABKIT_PORT wants a number, not many" in done.stderr
    assert "LABKIT_PORT=8888" in done.stderr


@pytest.mark.parametrize("name", ["cloud-init.yaml", "lima.yaml"])
def test_both_yaml_files_hand_over_to_the_one_script(name: str) -> None:
    text = (ROOT / "vm" / name).read_text()
    told = yaml.safe_load(text)
    scripts = [each.get("content") or each.get("script") for each in told.get("write_files") or told["provision"]]
    assert ["vm/provision.sh" in script for script in scripts] == [True]
    for script in scripts:
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)
        assert "apt-get" not in script or "git" in script  # packages are the one script's affair


def bash(script: str, *words: str, home: Path, stdin: bytes = b"") -> bytes:
    """Run one of vm/'s scripts as the student whose home that is."""
    done = subprocess.run(
        ["bash", ROOT / "vm" / script, *words], input=stdin, capture_output=True, env=os.environ | {"HOME": str(home)},
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def course(directory: Path, **files: str) -> bytes:
    """A project, as the tar that comes."""
    shutil.rmtree(directory, ignore_errors=True)
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return subprocess.run(["tar", "-C", directory, "-cf", "-", "."], check=True, capture_output=True).stdout


def test_a_new_version_of_the_course_overwrites_nothing_that_the_student_wrote(tmp_path: Path) -> None:
    place = tmp_path / "labkit"
    bash("place.sh", str(place), home=tmp_path, stdin=course(tmp_path / "c", a="1", b="1", c="1"))
    (place / "a").write_text("the student's")
    (place / "mine").write_text("the student's")
    said = bash("place.sh", str(place), home=tmp_path, stdin=course(tmp_path / "c", a="2", b="2", mine="2"))
    assert (place / "a").read_text() == (place / "mine").read_text() == "the student's"
    assert (place / "b").read_text() == (place / "course-update/a").read_text() == "2"
    assert not (place / "c").exists()  # the course has it no more, and nobody changed it
    assert b"kept your a; the course's new one is in course-update/a" in said
    again = bash("place.sh", str(place), home=tmp_path, stdin=course(tmp_path / "c", a="2", b="2", mine="2"))
    assert again == b""  # told once


def test_what_a_student_wrote_goes_to_another_machine(tmp_path: Path) -> None:
    coming = course(tmp_path / "c", a="1", b="1")
    first, second = tmp_path / "first", tmp_path / "second"
    for home in (first, second):
        bash("place.sh", str(home / "labkit"), home=home, stdin=coming)
    answers = Path(".local/share/labkit/progress.jsonl")
    (first / answers).parent.mkdir(parents=True)
    (first / answers).write_text("an answer")
    (first / "labkit/my own notes.txt").write_text("mine")
    (first / "labkit/a").write_text("changed")
    for home in (first, second):
        copies.copy(home / "labkit-work", [copies.Page("03-x.ipynb", b"the course's")])
    (first / "labkit-work/03-x.ipynb").write_text("worked on")
    (first / "labkit-work/mine.ipynb").write_text("mine")
    (first / answers.parent / "trust").mkdir()
    (first / answers.parent / "trust/notebook_secret").write_text("key")
    saved = bash("keep.sh", "save", str(first / "labkit"), home=first)
    bash("keep.sh", "restore", str(second / "labkit"), home=second, stdin=saved)
    assert (second / answers).read_text() == "an answer"
    assert (second / answers.parent / "trust/notebook_secret").read_text() == "key"
    assert (second / "labkit/my own notes.txt").read_text() == "mine"
    assert (second / "labkit/a").read_text() == "changed"
    assert (second / "labkit-work/03-x.ipynb").read_text() == "worked on"
    assert (second / "labkit-work/mine.ipynb").read_text() == "mine"
    assert str(copies.copy(second / "labkit-work", [copies.Page("03-x.ipynb", b"the course's")])) == ""
    names = subprocess.run(["tar", "-tzf", "-"], input=saved, capture_output=True, check=True).stdout.decode()
    assert "place/b" not in names  # what the course brings anyway


def test_cloud_init_knows_its_file_by_the_first_line() -> None:
    assert (ROOT / "vm/cloud-init.yaml").read_text().startswith("#cloud-config\n")


@pytest.mark.parametrize("name", ["labkit.service.in", "greeting.in"])
def test_a_template_has_no_blank_that_nobody_fills(name: str) -> None:
    filled = set(re.findall(r"@[A-Z]+@", (ROOT / "vm/machine.sh").read_text()))
    assert set(re.findall(r"@[A-Z]+@", (ROOT / "vm" / name).read_text())) <= filled
