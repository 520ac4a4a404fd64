"""What this machine can do for the lessons, on one page: `labkit doctor`.

Most of it is tried, not looked up: a lab is opened, and a process born into each kind of namespace; what the
kernel says then is what a lesson would hear. What is tried is what the lessons declare that they need
(`labkit.learn.needs`), so whatever is wrong is told with the lessons that it touches.

Nothing is changed, unless `--fix` is given, and then only what is safe: what dead supervisors left is buried,
and images that are missing are built.

A check is a function that yields findings. To make the doctor know more, write one in a page of its own and
add it to `labkit.doctor.examining.checks`.
"""

from __future__ import annotations

from labkit.doctor.command import main
from labkit.doctor.examining import cure, examine
from labkit.doctor.finding import Finding, Report

__all__ = ["Finding", "Report", "bury", "cure", "examine", "main"]


def bury() -> list[str]:
    """Bury what dead supervisors of this user left; touches nothing else. What was done, a sentence each."""
    from labkit.doctor import leftovers

    return leftovers.bury()
