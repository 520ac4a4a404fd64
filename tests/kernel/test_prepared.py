"""A container started in one volley is the one that its plan describes, and fails as it would."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import Lab
from labkit.container.spec import plan
from labkit.errors import StepError
from labkit.steps.backends.programs import Programs

Runs = Callable[[Lab], object]


def step_by_step(patch: pytest.MonkeyPatch) -> None:
    """Let no container be started in a volley."""
    patch.setattr(Programs, "_quick", lambda self, start: 0)


def both(new_lab: Callable[[], Lab], patch: pytest.MonkeyPatch, act: Runs) -> tuple[object, object]:
    """What `act` makes of a lab that starts by volley, and of one that does not."""
    quick = act(new_lab())
    step_by_step(patch)
    return quick, act(new_lab())


def test_both_ways_make_the_same_container(new_lab: Callable[[], Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    def facts(lab: Lab) -> list[str]:
        container = lab.run("busybox", ["sleep", "1000"], name="c1", detach=True)
        return [str(fact) for fact in container.facts()]

    quick, slow = both(new_lab, monkeypatch, facts)
    assert len(str(quick)) > 1000
    assert quick == slow


@pytest.mark.parametrize(
    "argv",
    [["nowhere"], ["/etc"], ["sh", "-c", "exit 7"], ["sh", "-c", "kill -9 $$"]],
    ids=lambda argv: " ".join(argv),
)
def test_both_ways_end_alike(argv: list[str], new_lab: Callable[[], Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(lab: Lab) -> tuple[int | None, str]:
        done = lab.run("busybox", argv)
        return done.returncode, done.stderr

    quick, slow = both(new_lab, monkeypatch, ends)
    assert quick == slow


def test_a_call_that_fails_in_mid_plan_is_told_in_the_same_words(
    new_lab: Callable[[], Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(lab: Lab) -> str:
        with pytest.raises(StepError) as caught:
            lab.run("busybox", ["true"], name="c1", workdir="/nowhere")
        assert lab.run("busybox", ["true"], name="c1").returncode == 0
        return str(caught.value)

    quick, slow = both(new_lab, monkeypatch, fails)
    assert "chdir" in str(quick) and "ENOENT" in str(quick)
    assert quick == slow


def test_each_stream_is_its_own(lab: Lab) -> None:
    done = lab.run("busybox", ["sh", "-c", "cat; echo no >&2"], stdin="yes\n")
    assert (done.stdout, done.stderr) == ("yes\n", "no\n")


def test_the_program_inherits_nothing_but_its_streams(lab: Lab) -> None:
    look = "for n in 0 1 2 3 4 5 6 7 8 9 10 11 12; do [ -L /proc/$$/fd/$n ] && echo $n; done"
    assert lab.run("busybox", ["sh", "-c", look]).stdout.split() == ["0", "1", "2"]


def test_a_name_stands_only_where_a_name_belongs(lab: Lab) -> None:
    done = lab.run("busybox", ["sh", "-c", "printf 'a\x01b'; hostname; ip link show lo"], name="c1")
    assert done.stdout.startswith("a\x01bc1\n")
    assert "LOWER_UP" in done.stdout


def test_who_changes_its_uid_does_not_hide_the_zygote_whose_memory_it_borrowed(lab: Lab) -> None:
    assert lab.run("busybox", ["id", "-u"], user=1000).stdout == "1000\n"
    assert lab.run("busybox", ["id", "-u"]).stdout == "0\n"
    assert any(process.name == "host" for process in lab.facts("processes"))


def test_many_at_once_keep_their_names_apart(lab: Lab) -> None:
    started = [lab.run("busybox", ["sleep", "1000"], name=f"c{n}", detach=True) for n in range(12)]
    names = [container.exec(["hostname"]).stdout.strip() for container in started]
    assert names == [f"c{n}" for n in range(12)]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_the_child_makes_the_calls_of_the_plan_and_no_others(lab: Lab, tmp_path: Path) -> None:
    host = next(row["pid"] for row in lab.backend.look([])["processes"] if lab.naming.process(row["pid"]) == "host")
    command = ["strace", "-ff", "-v", "-s", "4096", "-o", f"{tmp_path}/t", "-p", str(host)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        if "attached" not in (said := strace.stderr.readline()):
            pytest.skip(f"strace may not attach here: {said.strip()}")
        described = lab.run("busybox", ["true"], name="c1").spec
        strace.send_signal(signal.SIGINT)
        strace.stderr.read()
    (child,) = [file for file in tmp_path.iterdir() if file.name != f"t.{host}"]
    lines = child.read_text().splitlines()
    born = next(number for number, line in enumerate(lines) if re.match(r"execve.* = 0$", line)) + 1
    own, intents = lines[4:born], plan(described).parts()[1].intents
    assert [line.partition("(")[0] for line in lines[:4]] == ["dup3"] * 3 + ["close_range"]
    assert len(own) == len(intents) > 90
    for line, intent in zip(own, intents, strict=True):
        texts = [json.dumps(arg) for arg in intent.args if isinstance(arg, str)]
        assert line.startswith(f"{intent.name}(") and all(text in line for text in texts), (line, intent)
