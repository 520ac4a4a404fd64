"""From JUnit files to lines and a table: what each test did on each kernel, by each way in."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field

PASSED, FAILED, SKIPPED = "passed", "FAILED", "skipped"


@dataclass
class Column:
    """What came of one part on one kernel."""

    title: str
    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)  # why skipped, or the first line of a failure
    seconds: float = 0.0

    def failed(self) -> bool:
        """Whether a test failed. A part that ran no test has failed too."""
        return FAILED in self.outcomes.values() or not self.outcomes

    def line(self) -> str:
        """One line for people."""
        told = Counter(self.outcomes.values())
        sums = ", ".join(f"{told[kind]} {kind}" for kind in (PASSED, FAILED, SKIPPED) if told[kind])
        return f"{self.title:34} {sums or 'FAILED: no test ran'}, {self.seconds:.0f} s"


def read(title: str, junit: str) -> Column:
    """A column from the text of a JUnit file."""
    column = Column(title)
    if not junit:
        return column
    for suite in ElementTree.fromstring(junit).iter("testsuite"):
        column.seconds += float(suite.get("time", "0"))
        for case in suite.iter("testcase"):
            name = f"{case.get('classname', '')}::{case.get('name', '')}"
            outcome, reason = _outcome(case)
            if column.outcomes.get(name) != FAILED:  # a test may be told twice, once for what its fixtures did
                column.outcomes[name] = outcome
                column.reasons[name] = reason
    return column


def table(columns: list[Column], *, whole: bool = False) -> str:
    """Tests x columns: only those that failed or differ, unless `whole`."""
    names = sorted({name for column in columns for name in column.outcomes})
    rows = [(name, [column.outcomes.get(name, "-") for column in columns]) for name in names]
    kept = [row for row in rows if whole or FAILED in row[1] or len({*row[1]} - {"-"}) > 1]
    heads = [chr(ord("A") + number) for number in range(len(columns))]
    lines = [f"{head} = {column.title}" for head, column in zip(heads, columns, strict=True)]
    lines += ["  ".join(f"{head:7}" for head in heads) + "  test"]
    lines += ["  ".join(f"{outcome:7}" for outcome in outcomes) + f"  {name}" for name, outcomes in kept]
    if not whole:
        lines.append(f"({len(rows) - len(kept)} more tests did the same wherever they ran)")
    return "\n".join(lines)


def reasons(columns: list[Column]) -> str:
    """Why tests failed, a line each."""
    return "\n".join(
        f"{column.title}: {name}: {column.reasons[name]}"
        for column in columns
        for name, outcome in column.outcomes.items()
        if outcome == FAILED
    )


def _outcome(case: ElementTree.Element) -> tuple[str, str]:
    for child in case:
        if child.tag in ("failure", "error"):
            return FAILED, (child.get("message") or "").split("\n")[0][:200]
        if child.tag == "skipped":
            return SKIPPED, child.get("message") or ""
    return PASSED, ""
