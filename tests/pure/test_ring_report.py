"""What a ring tells a CI: `./lab test --report DIR`. Run as setup/rings.sh runs it, with nothing to install."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from ringreport import files, style

ROOT = Path(__file__).resolve().parents[2]
#: `./lab test`, as somebody calls it who has all that it needs; its pure ring has two files
TEST = """
ROOT=$1 PYTHON=$2 STATE=$3; shift 3
source setup/lib.sh; source setup/rings.sh
for one in open_state packages environment images in_a_scope flock; do eval "$one() { :; }"; done
ring_pure() { pytest tests/pure/test_linux_errnos.py -q "$@"; }
run_rings "$@"
"""
PASSES = """
import pytest
def test_passes_here(): pass
def test_passes_but_is_skipped_here(): pytest.skip("it rains")
"""
FAILS = """
def test_fails_here(): assert 6 * 9 == 42
"""
SKIPPED = """
import pytest
@pytest.mark.one_must_run("the promise")
@pytest.mark.parametrize("number", [1, 2])
def test_here(number): pytest.skip("strace may not attach here")
"""
HANGS = """
import subprocess, time
import pytest
from hypothesis import given, settings, strategies
@pytest.fixture
def tidy():
    yield
    print("was tidied up")
@pytest.mark.timeout(1)
def test_here_waits_for_a_child(tidy): subprocess.run(["sleep", "1000"])
@pytest.mark.timeout(1)
@settings(deadline=None, database=None)
@given(strategies.booleans())
def test_here_hangs_in_an_example(yes): time.sleep(1000)
def test_here_is_the_next(): pass
"""


def ring(tmp_path: Path, content: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run those tests of a ring, and of a file with this content, whose names have these words."""
    file = tmp_path / "test_example.py"
    file.write_text(content)
    command = ["--report", "report", "pure", "-c", "pyproject.toml", str(file), "-p", "no:cacheprovider", *words]
    return subprocess.run(
        ["bash", "-euc", f"cd {tmp_path}; cd {ROOT}\n{TEST}", "lab", ROOT, sys.executable, tmp_path, *command],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


def told(tmp_path: Path, name: str = "pure.json") -> Any:
    return json.loads((tmp_path / "report" / name).read_text())


def test_what_passes_and_what_is_skipped_is_told(tmp_path: Path) -> None:
    done = ring(tmp_path, PASSES, "-k", "test_passes")
    assert done.returncode == 0, done.stdout + done.stderr
    summary, machine, pure = told(tmp_path, "summary.json"), told(tmp_path, "machine.json"), told(tmp_path)
    assert (summary["result"], [each["ring"] for each in summary["rings"]]) == ("passed", ["pure"])
    assert pure["tests"] == {"passed": 1, "failed": 0, "skipped": 1, "xfailed": 0}
    assert [each["reason"] for each in pure["skipped"]] == ["it rains"]
    assert machine["kernel"] and machine["cpus"] and "pytest" in machine["python_packages"]
    [suite] = ElementTree.parse(tmp_path / "report/pure.xml").getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("skipped")) == ("pure", "2", "1")
    assert {case.get("name") for case in suite} == {"test_passes_here", "test_passes_but_is_skipped_here"}
    assert not list((tmp_path / "report").glob("*.log")), "nothing failed"


def test_a_failure_brings_what_helps(tmp_path: Path) -> None:
    done = ring(tmp_path, FAILS, "-k", "fails_here")
    assert done.returncode == 1
    summary, pure = told(tmp_path, "summary.json"), told(tmp_path)
    assert (summary["result"], pure["result"]) == ("FAILED", "FAILED")
    [failed] = pure["failed"]
    assert failed["test"].endswith("::test_fails_here") and "assert (6 * 9) == 42" in failed["says"]
    leftovers = (tmp_path / "report/pure-leftovers.txt").read_text()
    for kind in ("processes", "mounts", "links", "cgroups", "run directories"):
        assert f"# {kind}\n" in leftovers
    assert (tmp_path / "report/pure-kernel.log").exists()


@pytest.mark.parametrize("words", [["-k", "no_such_test"], ["-k", "but_is_skipped"]])
def test_a_ring_that_ran_no_test_fails(tmp_path: Path, words: list[str]) -> None:
    done = ring(tmp_path, PASSES, *words)
    assert done.returncode == 1
    assert "no test ran: " in done.stdout
    assert "pure        FAILED" in done.stdout
    assert told(tmp_path)["result"] == told(tmp_path, "summary.json")["result"] == "FAILED"


def test_a_promise_that_nothing_puts_to_the_test_fails_the_ring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = ring(tmp_path, SKIPPED + PASSES, "-k", "test_here or test_passes")
    line = "not one test of the promise ran: 2 skipped: strace may not attach here"
    if told(tmp_path, "machine.json")["user"] == 0:
        assert done.returncode == 1 and line in done.stdout
        assert list(told(tmp_path)["not_one_ran"]) == ["the promise"]
    else:
        assert done.returncode == 0 and line not in done.stdout


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_test_that_hangs_is_named_and_costs_one_test(tmp_path: Path, workers: list[str]) -> None:
    done = ring(tmp_path, HANGS, "-k", "test_here", *workers)
    assert done.returncode == 1
    pure = told(tmp_path)
    assert pure["tests"] == {"passed": 1, "failed": 2, "skipped": 0, "xfailed": 0}, done.stdout
    for name in ("test_here_waits_for_a_child", "test_here_hangs_in_an_example"):
        assert any(f"::{name} took more than 1 s" in each["says"] for each in pure["failed"]), pure["failed"]
    assert "was tidied up" in done.stdout, "its fixtures"


def test_every_test_has_a_time_limit(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getini("timeout") == "60"
    assert pytestconfig.pluginmanager.has_plugin("time_limits")


def test_the_style_ring_tells_which_tool_complained(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    commands = {
        "quiet": ["true"], "noisy": ["sh", "-c", "echo 'a.py: \\033 wrong'; exit 3"], "missing": ["/no/such/tool"],
    }  # fmt: skip
    assert style.run(commands, tmp_path) == 1
    assert "a.py:" in capfd.readouterr().out
    [suite] = ElementTree.parse(tmp_path / "style.xml").getroot()
    found = {case.get("name"): case.find("failure") for case in suite}
    assert found["quiet"] is None
    assert found["noisy"] is not None and found["noisy"].get("message") == "exit status 3"
    assert found["missing"] is not None and "No such file" in str(found["missing"].text)
    assert json.loads((tmp_path / "style.json").read_text())["tests"] == {"passed": 1, "failed": 2, "skipped": 0}
    assert style.run({"quiet": ["true"]}, None) == 0


def test_every_script_is_checked() -> None:
    checked = style.checks()["shellcheck"]
    written = {str(path.relative_to(ROOT)) for path in ROOT.glob("[!.]*/**/*.sh") if path.name != "build.sh"}
    assert {"lab", ".ci/run", "images/busybox/build.sh"} <= {*checked}
    assert {path for path in written if path.startswith(("setup/", "vm/", "tests/vm/"))} <= {*checked}


def test_of_the_kernels_log_only_the_new_part_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "[    1.000000] old\n[   99.500000] new\n a continued line\n"
    monkeypatch.setattr(files, "said", lambda *command: lines if command == ("dmesg",) else "")
    files.after_a_failure(tmp_path, "kernel", 50.0)
    assert (tmp_path / "kernel-kernel.log").read_text() == "[   99.500000] new\n a continued line\n"
