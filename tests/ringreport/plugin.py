"""For pytest: a ring that ran no test fails; and with ``--report DIR`` what came of each test.

Tests of which at least one has to run, wherever they are asked for, have the mark ``one_must_run(name)`` in common:
a promise that is not put to the test by anything is not kept, however green the ring. (Only root is held to that:
another user may really be unable to.)
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from ringreport import files

MARK = "one_must_run"
_SLOWEST = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that setup/rings.sh gives."""
    group = parser.getgroup("labkit")
    group.addoption("--report", metavar="DIR", default="", help="write what came of each test into this directory")
    group.addoption("--ring", metavar="NAME", default="ring", help="the name that its files begin with")


def pytest_configure(config: pytest.Config) -> None:
    """Under xdist it is the controller that counts."""
    config.addinivalue_line("markers", f"{MARK}(name): of the tests with this name, at least one has to run")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Ring(config), "labkit ring")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks do not travel from a worker with its reports; properties do."""
    for item in items:
        item.user_properties += [(MARK, mark.args[0]) for mark in item.iter_markers(MARK)]


def place(config: pytest.Config) -> Path | None:
    """Where the report goes, in a worker, too; None if there is none."""
    given = config.getoption("report")
    return Path(given) if given else None


class Ring:
    """What came of the tests so far."""

    def __init__(self, config: pytest.Config) -> None:
        self.directory, self.name = place(config), config.getoption("ring")
        self.began, self.boot = time.monotonic(), files.since_boot()
        self.outcomes: dict[str, str] = {}
        self.seconds: dict[str, float] = defaultdict(float)
        self.says: dict[str, str] = {}
        self.groups: dict[str, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One of the three phases of a test. The worst of them counts."""
        test = report.nodeid
        self.seconds[test] += report.duration
        for key, value in report.user_properties:
            if key == MARK:
                self.groups[str(value)].add(test)
        outcome = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
        if (report.when == "call" or outcome != "passed") and self.outcomes.get(test) != "failed":
            self.outcomes[test] = outcome
            self.says[test] = _reason(report) if outcome == "skipped" else report.longreprtext

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read is a failure, one that is skipped as a whole is a skip."""
        if report.outcome != "passed" and report.nodeid:
            self.outcomes[report.nodeid] = report.outcome
            self.says[report.nodeid] = _reason(report) if report.skipped else report.longreprtext

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge, and write."""
        if session.config.option.collectonly:
            return
        status = int(session.exitstatus)
        if status == pytest.ExitCode.OK and not self.ran():
            status = session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
        if status == pytest.ExitCode.OK and self.unkept():
            status = session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.directory:
            self.write(self.directory, failed=status != pytest.ExitCode.OK)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say why it fails where no test did."""
        if not terminalreporter.config.option.collectonly:
            if not self.ran():
                terminalreporter.write_line(f"no test ran: {self.reasons(self.outcomes)}", red=True)
            for name, reasons in self.unkept().items():
                terminalreporter.write_line(f"not one test of {name} ran: {reasons}", red=True)

    def ran(self, tests: set[str] | None = None) -> bool:
        """Whether at least one, of these or of all, was not skipped."""
        return any(out != "skipped" for test, out in self.outcomes.items() if tests is None or test in tests)

    def unkept(self) -> dict[str, str]:
        """Groups of which none ran, each with the reasons."""
        if not hasattr(os, "geteuid") or os.geteuid() != 0:
            return {}
        return {name: self.reasons(tests) for name, tests in self.groups.items() if not self.ran(tests)}

    def reasons(self, tests: Any) -> str:
        """Why these were skipped, the most frequent reason first."""
        told = Counter(self.says[test] for test in tests if self.outcomes.get(test) == "skipped")
        return "; ".join(f"{count} skipped: {reason}" for reason, count in told.most_common()) or "none was selected"

    def write(self, directory: Path, *, failed: bool) -> None:
        """The ring's JSON, and what helps after a failure."""
        counts = Counter(self.outcomes.values())
        slowest = sorted(self.seconds.items(), key=lambda each: -each[1])[:_SLOWEST]
        files.write(directory, f"{self.name}.json", {
            "ring": self.name, "result": "FAILED" if failed else "passed",
            "seconds": round(time.monotonic() - self.began, 1),
            "tests": {kind: counts[kind] for kind in ("passed", "failed", "skipped", "xfailed")},
            "skipped": [{"test": test, "reason": self.says[test]} for test in self._all("skipped")],
            "failed": [{"test": test, "says": self.says[test][-4000:]} for test in self._all("failed")],
            "not_one_ran": self.unkept(),
            "slowest": [{"test": test, "seconds": round(seconds, 1)} for test, seconds in slowest],
        })  # fmt: skip
        if failed:
            files.after_a_failure(directory, self.name, self.boot)

    def _all(self, outcome: str) -> list[str]:
        return [test for test, out in self.outcomes.items() if out == outcome]


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return told.removeprefix("Skipped: ")
