"""The report as a table in the notebook: green, yellow and red, and the word for each."""

from __future__ import annotations

from labkit.doctor.finding import Finding, Report
from labkit.doctor.notice import Notice
from labkit.steps.display import register
from labkit.view.markup import Markup, code, document, join, table, tag

#: the colours of `labkit.view.palette` that mean go, look and stop here
_CHIPS = {"ok": "lk-b3", "note": "lk-b4", "WRONG": "lk-b6"}


def install() -> None:
    """Let a notebook show reports as tables, and what stands at the top of a lesson. Harmless to repeat."""
    register(Report, lambda report: {"text/html": report_html(report)})
    register(Notice, lambda notice: {"text/html": notice_html(notice)})


def report_html(report: Report) -> str:
    """The verdict, and folded below it all findings by their groups; unfolded where something is wrong."""
    groups = [(title, [_row(finding) for finding in findings]) for title, findings in report.groups]
    noted = f" ({len(report.notes)} to note)" if report.notes else ""
    head = tag("summary", tag("span", report.verdict, css="lk-title"), tag("span", noted, css="lk-dim"))
    return document(tag("details", head, table("", ("", "", ""), groups), open_="open" if report.wrong else ""))


def notice_html(notice: Notice) -> str:
    """What a lesson lacks, each with what to do, and how it goes on."""
    rows = [_row(finding) for finding in notice.lacks]
    return document(table(notice.title, ("", "", ""), [("", rows)]), tag("p", notice.going_on, css="lk-title"))


def _row(finding: Finding) -> tuple[Markup, str, Markup]:
    chip = tag("span", finding.mark, css=f"lk-chip {_CHIPS[finding.mark]}")
    lines = [tag("div", finding.says)]
    for name, text in finding.details:
        lines.append(tag("div", tag("span", f"{name}: ", css="lk-dim"), code(text) if name == "do" else text))
    return chip, finding.about, join(lines)
