"""./lab vm: what it decides and says. Nothing here starts a machine; tests/vm/lab_vm.sh does."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "setup/vm"), str(ROOT / "setup")]

import command  # noqa: E402
import disk  # noqa: E402
import image as images  # noqa: E402
import lifecycle  # noqa: E402
import places  # noqa: E402
import qemu  # noqa: E402
import recipe  # noqa: E402
import talk  # noqa: E402
import work  # noqa: E402
from trouble import Trouble  # noqa: E402

PORTS = {"jupyter": 8889, "ssh": 2222}


# What is asked of qemu


def test_the_usual_machine_is_that_of_the_vagrantfile() -> None:
    text = (ROOT / "vm/vagrant/host.rb").read_text()
    usual = command.wishes({})
    assert f'number("CPUS", {usual.cpus})' in text
    assert f'number("MEMORY", {usual.memory})' in text


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("LABKIT_CPUS", "many", "LABKIT_CPUS wants a number, not many"),
        ("LABKIT_PORT", "0", "LABKIT_PORT wants a number, not 0"),
        ("LABKIT_PORT", "65536", "LABKIT_PORT wants a number of at most 65535, not 65536"),
        ("LABKIT_MEMORY", "64", "LABKIT_MEMORY wants 384 MB or more, not 64"),
    ],
)
def test_a_wish_that_cannot_be_is_told_with_its_remedy(name: str, text: str, told: str) -> None:
    with pytest.raises(Trouble, match=f"because: {told}\n  remedy:  unset it, or {name}="):
        command.wishes({name: text})


def test_only_this_computer_reaches_the_machine() -> None:
    words = " ".join(command.machine(qemu.EMULATION, command.wishes({}), PORTS))
    assert "restrict=off,hostfwd=tcp:127.0.0.1:8889-:8888,hostfwd=tcp:127.0.0.1:2222-:22" in words
    assert words.count("hostfwd=") == words.count("hostfwd=tcp:127.0.0.1:")


def test_what_the_environment_wishes_is_on_the_command_line() -> None:
    wished = command.wishes(
        {"LABKIT_CPUS": "3", "LABKIT_MEMORY": "512", "LABKIT_OFFLINE": "1", "LABKIT_QEMU": "-rtc base=2016-02-29"}
    )
    words = command.machine("kvm", wished, PORTS)
    assert words[-2:] == ["-rtc", "base=2016-02-29"]
    assert words[words.index("-smp") + 1] == "3" and words[words.index("-m") + 1] == "512"
    assert any(word.startswith("user,id=net,restrict=on,") for word in words)


def test_no_name_on_the_command_line_depends_on_where_the_project_lies() -> None:
    """A comma in a directory would end an option of qemu's, and a long one the name of a socket."""
    words = command.machine("kvm", command.wishes({}), PORTS)
    assert not [word for word in words if "=/" in word.replace("root=/dev/vda", "") or word.startswith("/")]


def test_emulation_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "_boots", lambda *_: pytest.fail("nothing had to be tried"))
    monkeypatch.setenv("LABKIT_EMULATE", "1")
    assert qemu.accelerator(Path("vmlinuz")) == qemu.EMULATION


# The image, and where it lies


def tar(path: Path, **files: str) -> Path:
    with tarfile.open(path, "w") as members:
        for number, (name, text) in enumerate(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(text), number + path.stat().st_ino
            members.addfile(member, io.BytesIO(text.encode()))
    return path


def test_an_image_is_current_as_long_as_the_course_says_the_same(tmp_path: Path) -> None:
    first = recipe.course(tar(tmp_path / "1.tar", lesson="look")).fingerprint()
    assert recipe.course(tar(tmp_path / "2.tar", lesson="look")).fingerprint() == first
    assert recipe.course(tar(tmp_path / "3.tar", lesson="leap")).fingerprint() != first


def test_packages_of_an_image_are_kept_where_a_ci_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABKIT_CACHE", raising=False)
    course = recipe.course(tar(tmp_path / "1.tar"))
    plain = images.mmdebstrap(course, tmp_path)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "kept"))
    keeping = images.mmdebstrap(course, tmp_path)
    debs, place = tmp_path / "kept/debs", "/var/cache/apt/archives"
    assert debs.is_dir()
    taken, kept = f"--setup-hook=sync-in {debs} {place}", f"--customize-hook=sync-out {place} {debs}"
    assert not {taken, kept} & {*plain} and {taken, kept} <= {*keeping}
    [script, *_, write] = [each for each in keeping if each.startswith("--customize-hook=")]
    emptied = f'--customize-hook=rm -f "$1"{place}/*.deb'
    order = [keeping.index(each) for each in (script, kept, emptied, write)]
    assert order == sorted(order) and "mke2fs" in write, "the image has none of them"


def image(house: Path, name: str, when: int, *, with_disk: bool = False) -> places.Place:
    place = places.Place(house / name)
    place.path.mkdir(parents=True)
    (place.path / "stamp").touch()
    os.utime(place.path / "stamp", (when, when))
    if with_disk:
        place.disk.touch()
    return place


def test_the_newest_image_is_taken_unless_a_student_has_a_disk_on_another(tmp_path: Path) -> None:
    assert places.mine(tmp_path) is None
    image(tmp_path, places.UNFINISHED, 3)
    assert places.mine(tmp_path) is None
    old, new = image(tmp_path, "b", 1), image(tmp_path, "a", 2)
    assert places.mine(tmp_path) == new
    old.disk.touch()
    assert places.mine(tmp_path) == old


def test_no_image_is_removed_that_a_disk_stands_on(tmp_path: Path) -> None:
    image(tmp_path, "theirs", 1, with_disk=True)
    forgotten, new = image(tmp_path, "forgotten", 2), image(tmp_path, "new", 3)
    (tmp_path / "building").mkdir()
    assert {*places.superfluous(new, tmp_path)} == {forgotten.path, tmp_path / "building"}


# The disk


@pytest.fixture
def base(tmp_path: Path) -> places.Place:
    place = image(tmp_path / "house", "here", 1)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", place.base, "8M"], check=True, env={"PATH": f"{os.environ['PATH']}:/sbin"}
    )
    return place


def test_an_image_that_was_cut_short_is_noticed(base: places.Place) -> None:
    assert disk.is_whole(base.base)
    os.truncate(base.base, (8 << 20) - 4096)
    assert not disk.is_whole(base.base)
    with pytest.raises(Trouble, match="cut short, or no disk"):
        disk.prepare(base)
    base.disk.touch()
    with pytest.raises(Trouble, match="bring here again from where it came"):
        disk.prepare(base)
    base.base.write_bytes(b"no disk at all" * 999)
    assert not disk.is_whole(base.base)


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-utils is not installed; ./lab vm installs it")
def test_a_disk_is_made_once_and_a_damaged_one_is_not_started_from(base: places.Place) -> None:
    disk.prepare(base)
    assert base.fresh.exists()
    base.fresh.unlink()
    made = base.disk.stat().st_ino
    disk.prepare(base)
    assert base.disk.stat().st_ino == made and not base.fresh.exists()
    base.disk.write_bytes(base.disk.read_bytes()[:5000].ljust(200_000, b"\xff"))
    with pytest.raises(Trouble, match=r"damaged(.|\n)*LABKIT_FORGET=1 ./lab vm --reset"):
        disk.prepare(base)


def test_a_full_disk_is_told_before_the_machine_meets_it(base: places.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 7 << 20))  # type: ignore[attr-defined]
    with pytest.raises(Trouble, match="only 7 MB are free"):
        disk.prepare(base)


# Talking to the machine


@pytest.fixture
def listen(tmp_path: Path) -> Iterator[Callable[[str, Callable[[dict[str, Any]], bytes]], Path]]:
    """Somebody who answers on a socket of that name, in a directory whose path is longer than a socket's may be."""
    place = tmp_path.joinpath(*["a-directory-with-a-long-name"] * 6)
    place.mkdir(parents=True)
    ears: list[socket.socket] = []

    def at(name: str, answer: Callable[[dict[str, Any]], bytes], greeting: bytes = b"") -> Path:
        ear = socket.socket(socket.AF_UNIX)
        here = Path.cwd()
        os.chdir(place)
        ear.bind(name)
        os.chdir(here)
        ear.listen()
        ears.append(ear)

        def serve() -> None:
            with ear.accept()[0] as line, line.makefile("rb") as heard:
                line.sendall(greeting)
                for words in heard:
                    said = answer(json.loads(words.lstrip(b"\xff")))
                    if not said:
                        return
                    line.sendall(said)

        threading.Thread(target=serve, daemon=True).start()
        return place

    yield at
    for ear in ears:
        ear.close()


def agents_answer(status: dict[str, Any]) -> Callable[[dict[str, Any]], bytes]:
    def answer(request: dict[str, Any]) -> bytes:
        match request["execute"]:
            case "guest-sync-delimited":
                stale = b'\xff{"return": 1}\n'  # what somebody asked who did not wait
                return stale + b'\xff{"return": %d}\n' % request["arguments"]["id"]
            case "guest-exec":
                return b'{"return": {"pid": 7}}\n'
            case _:
                return json.dumps({"return": {"exited": True} | status}).encode() + b"\n"

    return answer


def test_a_script_in_the_machine_gives_back_what_it_said(listen: Any) -> None:
    place = listen("agent.sock", agents_answer({"exitcode": 0, "out-data": base64.b64encode(b"labkit\n").decode()}))
    with talk.Agent(place) as agent:
        assert agent.run("hostname") == "labkit\n"


def test_a_script_that_fails_is_told_by_its_last_words(listen: Any) -> None:
    said = base64.b64encode(b"once more\nJupyterLab does not answer\n").decode()
    place = listen("agent.sock", agents_answer({"exitcode": 1, "err-data": said}))
    with talk.Agent(place) as agent, pytest.raises(talk.Refused, match=r"^JupyterLab does not answer$"):
        agent.run("server.py wait")


def test_a_machine_that_ends_is_noticed(listen: Any) -> None:
    place = listen("agent.sock", lambda _: b"")
    with pytest.raises(talk.Silent, match="hung up"):
        talk.Agent(place).__enter__()


def test_a_machine_that_does_not_run_is_known_by_its_silence(tmp_path: Path, listen: Any) -> None:
    assert not lifecycle.is_running(places.Place(tmp_path))
    place = listen("qmp.sock", lambda _: b'{"event": "RESUME"}\n{"return": {}}\n', b'{"QMP": {}}\n')
    assert lifecycle.is_running(places.Place(place))


# The work


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (work, lifecycle):
        monkeypatch.setattr(module, "SAVED", tmp_path / "saved/student.tgz")
    return tmp_path / "saved/student.tgz"


class Copied:
    """An agent in whose machine there is work."""

    content = "work"

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> Copied:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, *_: object, **__: object) -> str:
        return ""

    def take(self, _: str, here: Path) -> None:
        here.write_text(self.content)
        if self.content == "half":
            raise talk.Silent("it hung up")


def test_a_copy_of_the_work_is_whole_before_the_one_before_gives_way(
    tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = image(tmp_path / "house", "here", 1)
    place.unsaved.touch()
    monkeypatch.setattr(work, "Agent", Copied)
    monkeypatch.setattr(Copied, "content", "half")
    assert work.save(place) == "it hung up"
    assert place.unsaved.exists() and not saved.exists()
    for content in ("first", "second"):
        monkeypatch.setattr(Copied, "content", content)
        assert work.save(place) is None
    assert saved.read_text() == "second" and saved.with_name("student.previous.tgz").read_text() == "first"
    assert not place.unsaved.exists()


def test_no_disk_with_work_that_was_not_copied_is_thrown_away_unless_that_is_said(
    tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = image(tmp_path / "house", "here", 1, with_disk=True)
    monkeypatch.setattr(lifecycle, "mine", lambda: place)
    monkeypatch.delenv("LABKIT_FORGET", raising=False)
    place.unsaved.touch()
    with pytest.raises(Trouble, match="would be lost"):
        lifecycle.reset()
    assert place.disk.exists()
    monkeypatch.setenv("LABKIT_FORGET", "1")
    lifecycle.reset()
    assert not place.disk.exists() and not place.unsaved.exists()
    monkeypatch.delenv("LABKIT_FORGET")
    lifecycle.reset()
    assert capsys.readouterr().out.endswith("There is no disk to throw away.\n")


def test_what_cannot_be_brought_back_is_told_and_keeps_nobody_from_beginning(
    tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = image(tmp_path / "house", "here", 1)
    saved.parent.mkdir()
    saved.write_text("no archive")

    class Without(Copied):
        def give(self, *_: object) -> None:
            raise talk.Refused("not in gzip format")

    place.fresh.touch()
    said = work.bring_back(place, Without())  # type: ignore[arg-type]
    assert said == f"note: what was saved could not be brought back, and stays in {saved}: not in gzip format"
    assert not place.fresh.exists() and saved.exists()
    assert work.bring_back(place, Without()) == ""  # type: ignore[arg-type]
