"""The command `labkit doctor`: the page in a terminal, as data, and its exit status."""

from __future__ import annotations

import json
import os
import sys

from labkit.doctor.examining import cure, examine
from labkit.doctor.finding import Report

_COLOURS = {"ok": "\033[32m", "note": "\033[33m", "WRONG": "\033[1;31m"}
_PLAIN = "\033[0m"


def main(*, fix: bool = False, as_json: bool = False, in_class: bool = False, verbose: bool = False) -> int:
    """Print the page; the exit status is 1 where something stops the lessons. `verbose`: with all that is well."""
    report, fixed = examine(in_class=in_class), None
    if fix:
        fixed = cure(report)
        report = examine(in_class=in_class) if fixed else report
    status = 1 if report.wrong else 0
    if as_json:
        rows = [{"group": title, **finding.to_json()} for title, findings in report.groups for finding in findings]
        print(json.dumps({"version": 2, "ok": not status, "fixed": fixed or [], "findings": rows}, indent=1))
        return status
    for sentence in [] if fixed is None else fixed or ["nothing that --fix may mend by itself"]:
        print(f"labkit: {sentence}")
    print(page(report, verbose=verbose, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    return status


def page(report: Report, *, verbose: bool = False, colour: bool = False) -> str:
    """The findings by their groups, and the verdict; where nothing is wrong, of the findings only the notes.

    Colour is put on top of the words, which say the same.
    """
    lines = []
    for title, findings in report.groups:
        shown = [finding for finding in findings if verbose or report.wrong or finding.mark != "ok"]
        lines += [title] if shown else []
        for finding in shown:
            text, mark = str(finding), finding.mark
            lines.append(text.replace(mark, f"{_COLOURS[mark]}{mark}{_PLAIN}", 1) if colour else text)
    return "\n".join([*lines, *([""] if lines else []), report.verdict])
