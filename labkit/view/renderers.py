"""Which value is shown how in a notebook: the one list of renderers for facts, plans and traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.steps.call import Call
from labkit.steps.display import Bundle, register
from labkit.steps.fact import Fact
from labkit.steps.plan import Plan
from labkit.steps.snapshot import Change, Diff, Snapshot
from labkit.steps.step import Step
from labkit.steps.trace import Taken, Trace
from labkit.view import html

RENDERERS: dict[type, Callable[[Any], str]] = {
    Fact: html.fact_html,
    Snapshot: html.snapshot_html,
    Change: html.change_html,
    Diff: html.diff_html,
    Call: html.call_html,
    Step: html.step_html,
    Plan: html.plan_html,
    Taken: html.taken_html,
    Trace: html.trace_html,
}


def register_all() -> None:
    """Let a notebook show all these as tables. Doing it twice changes nothing."""
    for kind, renderer in RENDERERS.items():
        register(kind, _bundle(renderer))


def _bundle(renderer: Callable[[Any], str]) -> Callable[[Any], Bundle]:
    return lambda value: {"text/html": renderer(value)}
