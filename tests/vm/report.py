"""From JUnit files to lines and a table: what each test did on each kernel, by each way in."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field

PASSED, FAILED, SKIPPED = "passed", "FAILED", "skipped"
_MOST = 12  # lines about one failure
_COLOUR = re.compile(r"(\x1b|#x1B)\[[0-9;]*m")  # as terminals read it, and as JUnit files write it


@dataclass
class Column:
    """What came of one part on one kernel."""

    title: str
    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)  # why skipped, or what a failure says, in lines
    seconds: float = 0.0

    def passed(self) -> list[str]:
        """The names of the tests that did."""
        return [name for name, outcome in self.outcomes.items() if outcome == PASSED]


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


def sums(kernel: str, columns: list[Column]) -> str:
    """A line about one kernel: what all its parts came to."""
    mine = [column for column in columns if column.title.split()[0] == kernel]
    told = Counter(outcome for column in mine for outcome in column.outcomes.values())
    parts = ", ".join(f"{column.title.split()[1]} {len(column.outcomes)} in {column.seconds:.0f} s" for column in mine)
    return f"{kernel:10} {', '.join(f'{told[kind]} {kind}' for kind in (PASSED, FAILED, SKIPPED))} ({parts})"


def reasons(column: Column) -> str:
    """Why tests failed: a line for the name of each, and below it what it says."""
    lines = []
    for name, outcome in column.outcomes.items():
        if outcome == FAILED:
            lines.append(f"{column.title}: {name}")
            lines += [f"  | {line}" for line in column.reasons[name].splitlines()]
    return "\n".join(lines)


def _outcome(case: ElementTree.Element) -> tuple[str, str]:
    for child in case:
        if child.tag in ("failure", "error"):
            return FAILED, _heart(child.text or child.get("message") or "")
        if child.tag == "skipped":
            return SKIPPED, child.get("message") or ""
    return PASSED, ""


def _heart(told: str) -> str:
    """What a failure says, without the source around it: pytest marks these lines with E, nbval has them at the end."""
    lines = [line.rstrip() for line in _COLOUR.sub("", told).splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    if marked:
        return "\n".join(marked[:_MOST])
    titles = [line for line in lines if line.startswith("Cell ")][:1]
    return "\n".join([*titles, *lines[len(titles) :][-_MOST:]])
