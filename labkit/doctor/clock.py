"""The clock on the wall: a wrong one breaks what signs, expires or is sorted by time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient

RELEASED = (2026, 11, 1)
"""No clock that is right shows a day before this one."""
_DAY = 86400.0
_YEARS = 10
_HERE = Path(__file__).resolve().parents[1]


def clock(patient: Patient) -> Iterator[Finding]:
    """Neither before labkit was made, nor before its files were written here, nor ten years on."""
    now = patient.now()
    released = time.mktime((*RELEASED, 0, 0, 0, 0, 0, -1))
    written = max(path.stat().st_mtime for path in _HERE.glob("*.py"))
    shown = time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(now))
    if now < released:
        wrong = "which is before labkit was made"
    elif now < written - _DAY:
        wrong = f"and files of labkit are from {time.strftime('%Y-%m-%d', time.localtime(written))}"
    elif now > released + _YEARS * 365 * _DAY:
        wrong = f"more than {_YEARS} years after labkit was made"
    else:
        yield Finding(about="clock", says=shown)
        return
    yield Finding(
        about="clock", says=f"it says {shown}, {wrong}: packages, sign-in and dates of answers go wrong", minor=True,
        likely="a machine that slept or has no battery for its clock, and no time server",
        remedy="sudo timedatectl set-ntp true; or by hand: sudo date --set 'YYYY-MM-DD HH:MM'",
    )  # fmt: skip
