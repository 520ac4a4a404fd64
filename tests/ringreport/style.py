"""The style ring: linters and the type checker, each of which counts as one test."""

from __future__ import annotations

import glob
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from ringreport import files

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("lab", ".ci/run", "setup/*.sh", "setup/vm/*.sh", "tests/vm/*.sh", "setup/agent/agent", "vm/*.sh",
           "images/*/build.sh")  # fmt: skip


@dataclass(frozen=True)
class Done:
    """One of them, run."""

    name: str
    status: int
    seconds: float
    output: str


def checks() -> dict[str, list[str]]:
    """Each with its command, to be run in `ROOT`."""
    scripts = [path for pattern in SCRIPTS for path in sorted(glob.glob(pattern, root_dir=ROOT))]
    return {
        "ruff": [sys.executable, "-m", "ruff", "check", "."],
        "mypy": [sys.executable, "-m", "mypy"],
        "shellcheck": ["shellcheck", "-x", *scripts],
    }


def run(commands: dict[str, list[str]], report: Path | None) -> int:
    """Run all, show what they print; the exit status is 1 if one complains."""
    began, done = files.since_boot(), []
    for name, command in commands.items():
        start = time.monotonic()
        try:
            ran = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, errors="replace", check=False)  # fmt: skip
            status, output = ran.returncode, ran.stdout
        except OSError as error:
            status, output = 127, f"{command[0]}: {error}\n"
        done.append(Done(name, status, time.monotonic() - start, output))
        print(output, end="", flush=True)
    failed = [each for each in done if each.status]
    if report:
        seconds = sum(each.seconds for each in done)
        write_junit(done, report / "style.xml")
        files.write(report, "style.json", {
            "ring": "style", "result": "FAILED" if failed else "passed", "seconds": round(seconds, 1),
            "tests": {"passed": len(done) - len(failed), "failed": len(failed), "skipped": 0}, "skipped": [],
            "failed": [{"test": each.name, "says": each.output[-4000:]} for each in failed],
            "slowest": [{"test": each.name, "seconds": round(each.seconds, 1)} for each in done],
        })  # fmt: skip
        if failed:
            files.after_a_failure(report, "style", began)
    return 1 if failed else 0


def write_junit(done: list[Done], path: Path) -> None:
    """As pytest's --junitxml writes it."""
    failures = sum(1 for each in done if each.status)
    counts = {"tests": str(len(done)), "failures": str(failures), "errors": "0", "skipped": "0"}
    seconds = f"{sum(each.seconds for each in done):.3f}"
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", name="style", time=seconds, **counts)
    for each in done:
        case = ElementTree.SubElement(suite, "testcase", classname="style", name=each.name, time=f"{each.seconds:.3f}")
        if each.status:
            complaint = ElementTree.SubElement(case, "failure", message=f"exit status {each.status}")
            complaint.text = "".join(letter for letter in each.output if letter in "\t\n" or letter >= " ")
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
